"""A burst of sound that may be somebody beginning to speak, and the evidence for it as it grows."""

from __future__ import annotations

from dataclasses import dataclass

from step_audio_mini.converse.events import Heard

HYSTERESIS = 0.15
"""A burst goes on at a probability this much lower than it began."""
LATE_MS = 600
"""Words may come this long after their sound where its level told nothing."""
GONE_MS = 700
"""A burst is forgotten this long after its last sound."""


@dataclass(slots=True)
class Burst:
    """What is known of it by now; milliseconds on the input-sample clock."""

    start_ms: int
    last_ms: int
    """End of the last piece with sound in it."""
    text_before: str
    """What the ears' text was when it began."""
    sounding_ms: int = 0
    """Pieces with sound in them."""
    spoken_ms: int = 0
    """Pieces that the ears took for speech."""
    settled: bool = False
    """Found to be no reason to stop the assistant; words may still prove otherwise."""


class Bursts:
    """Follows the sound of a call; at most one burst at a time."""

    def __init__(self) -> None:
        self.now: Burst | None = None
        self._text = ""

    def update(self, since_ms: int, heard: Heard, threshold: float) -> bool:
        """A piece from `since_ms` to `heard.audio_ms`; whether there was sound in it."""
        present = heard.speech if heard.loud is None else heard.loud
        least = threshold if heard.loud is None else 0.5
        sounding = present >= (least - HYSTERESIS if self.now else least)
        grown = heard.text not in ("", self._text)
        if self.now is None and sounding:
            self.now = Burst(since_ms, heard.audio_ms, self._text)
        elif self.now is None and grown:
            self.now = Burst(max(0, heard.audio_ms - LATE_MS), heard.audio_ms, self._text)
        self._text = heard.text
        if self.now is not None:
            self._grow(self.now, heard, sounding, heard.audio_ms - since_ms, threshold)
        return sounding

    def _grow(self, burst: Burst, heard: Heard, sounding: bool, length: int, threshold: float) -> None:
        if sounding:
            burst.last_ms = heard.audio_ms
            burst.sounding_ms += length
        if heard.speech >= threshold:
            burst.spoken_ms += length
        if heard.audio_ms - burst.last_ms >= GONE_MS:
            self.now = None

    def reset(self, *, ears: bool = False) -> None:
        """Forget the burst; with `ears`, their text too, because they begin afresh."""
        self.now = None
        if ears:
            self._text = ""
