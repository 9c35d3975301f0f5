"""One turn of the user: how long he has been silent, and whether he has finished."""

from __future__ import annotations

from typing import Literal

from step_audio_mini.converse.events import Heard
from step_audio_mini.converse.settings import TurnRules

LONGEST_MS = 30_000
"""No turn is longer."""
NOISY_MS = 600
"""Where the room is never quiet, silence counts from this long after the last unit of speech."""
WORDLESS_MS = 700
"""A turn without words ends no sooner: the ears may still be about to understand some."""
PAUSE_MS = 120
"""From this much silence on, a reply may be begun on trial."""
EARLY = 0.4
"""... where the turn is over with at least this part of the probability that ends it."""

State = Literal["speaking", "pausing", "over"]


class UserTurn:
    """Follows a turn from its onset; milliseconds on the input-sample clock."""

    def __init__(self, start_ms: int, now_ms: int, continues: bool) -> None:
        self.start_ms, self.continues = start_ms, continues
        self.text = ""
        self._last_sound = self._told_at = now_ms
        self._told: int | None = None
        self.silence_ms = 0

    def update(self, heard: Heard, sounding: bool, rules: TurnRules) -> State:
        """The next piece; what it makes of the turn."""
        self.text = heard.text
        if sounding:
            self._last_sound = heard.audio_ms
        if heard.silence_ms != self._told:
            self._told, self._told_at = heard.silence_ms, heard.audio_ms
        ears = heard.silence_ms + heard.audio_ms - self._told_at  # they go by chunks: between two, time passes too
        self.silence_ms = max(0, min(heard.audio_ms - self._last_sound, ears), ears - NOISY_MS)
        if heard.audio_ms - self.start_ms >= LONGEST_MS:
            return "over"
        if self.text:
            if self.silence_ms >= rules.most_silence_ms:
                return "over"
            if self.silence_ms >= rules.least_silence_ms and heard.end >= rules.end:
                return "over"
        elif self.silence_ms >= max(WORDLESS_MS, min(rules.least_silence_ms, rules.most_silence_ms)):
            return "over"
        early = self.silence_ms >= min(PAUSE_MS, rules.least_silence_ms) and heard.end >= EARLY * rules.end
        return "pausing" if self.text and early else "speaking"
