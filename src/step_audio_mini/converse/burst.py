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
DOUBTED, CLEAR = 0.5, 0.9
"""Probabilities of speech that count for nothing and in full: noise is rarely above 0.9 for long, speech rarely below.

The first moves up with the threshold that a client sets above 0.5.
"""
CHUNK_MS = 400
"""The ears have news at least this often while they hear."""


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
    """Evidence of the ears that it is speech, the most there was: what surely is counts in full, what is not, back."""
    _evidence: float = 0.0
    settled: bool = False
    """Found to be no reason to stop the assistant; words may still prove otherwise."""

    def weigh(self, speech: float, ms: int, threshold: float) -> None:
        """The ears have news of so much sound."""
        doubted = DOUBTED + (CLEAR - DOUBTED) * min(0.9, max(0.0, 2 * threshold - 1.0))
        weight = (speech - doubted) / (CLEAR - doubted) if 0.0 <= speech <= 1.0 else 0.0
        self._evidence = max(0.0, self._evidence + max(-1.0, min(1.0, weight)) * ms)
        self.spoken_ms = max(self.spoken_ms, round(self._evidence))


class Bursts:
    """Follows the sound of a call; at most one burst at a time."""

    def __init__(self) -> None:
        self.now: Burst | None = None
        self._text = ""
        self._news: tuple[object, ...] = ()
        self._news_ms = 0
        self.told_ms = 0
        """How much sound the ears had news of at the latest piece."""

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
        self.told_ms = self._new_ms(heard)
        if self.now is not None:
            self.now.weigh(heard.speech, self.told_ms, threshold)
            self._grow(self.now, heard, sounding, heard.audio_ms - since_ms)
        return sounding

    def _new_ms(self, heard: Heard) -> int:
        """The ears go by chunks: between two they have no news."""
        news, since = (heard.speech, heard.end, heard.silence_ms, heard.text), heard.audio_ms - self._news_ms
        if news == self._news and since < CHUNK_MS:
            return 0
        self._news, self._news_ms = news, heard.audio_ms
        return min(since, CHUNK_MS)

    def _grow(self, burst: Burst, heard: Heard, sounding: bool, length: int) -> None:
        if sounding:
            burst.last_ms = heard.audio_ms
            burst.sounding_ms += length
        if heard.audio_ms - burst.last_ms >= GONE_MS:
            self.now = None

    def reset(self, *, ears: bool = False) -> None:
        """Forget the burst; with `ears`, their text too, because they begin afresh."""
        self.now = None
        if ears:
            self._text = ""
