"""One turn of the user: how long he has been silent, and whether he has finished."""

from __future__ import annotations

import math
from typing import Literal

from step_audio_mini.converse.barge_in import believed
from step_audio_mini.converse.burst import Burst
from step_audio_mini.converse.events import Heard
from step_audio_mini.converse.settings import TurnRules

LONGEST_MS = 30_000
"""No turn is longer."""
NOISY_MS = 600
"""Where the room is never quiet, silence counts from this long after the last unit of speech."""
WORDLESS_MS, NOISY_WORDLESS_MS = 700, 4000
"""A turn without words ends no sooner, in quiet and in noise: the ears may still be about to understand some."""
EVIDENT_MS = 1000
"""With so much evidence of speech words count, however unsure: he mumbles, or says what the ears do not know."""
PAUSE_MS = 120
"""From this much silence on, a reply may be begun on trial."""
EARLY = 0.4
"""... where the turn is over with at least this part of the probability that ends it."""

AGE_MS = 250
"""Silence that raises the odds of an end by a factor e, as the ears themselves have it (`listen.turn_end.SCALE`)."""

State = Literal["speaking", "pausing", "over"]


def aged(end: float, ms: int) -> float:
    """What the probability of an end has become after more silence."""
    if not 0.0 < end < 1.0:
        return end
    odds = end / (1.0 - end) * math.exp(ms / AGE_MS)
    return odds / (1.0 + odds)


class UserTurn:
    """Follows a turn from its onset; milliseconds on the input-sample clock."""

    def __init__(self, start_ms: int, burst: Burst, now_ms: int, continues: bool) -> None:
        """It began with a `burst`; its sound, padding and all, at `start_ms`."""
        self.start_ms, self.burst, self.continues = start_ms, burst, continues
        self.text = ""
        self._sure = False
        self._last_sound = self._told_at = now_ms
        self._news: tuple[object, ...] = ()
        self.silence_ms = 0

    @property
    def said(self) -> bool:
        """Whether anything was, so far as is known: words that are sure, or in what surely was speech."""
        return bool(self.text) and (self._sure or self.burst.spoken_ms >= EVIDENT_MS)

    def update(self, heard: Heard, sounding: bool, rules: TurnRules) -> State:
        """The next piece; what it makes of the turn."""
        self.text, self._sure = heard.text, believed(heard.confidence)
        if sounding:
            self._last_sound = heard.audio_ms
        news = (heard.silence_ms, heard.end, heard.speech, heard.text)
        if news != self._news:
            self._news, self._told_at = news, heard.audio_ms
        since = heard.audio_ms - self._told_at  # the ears go by chunks: between two, time passes too
        end = aged(heard.end, since) if self._last_sound <= self._told_at else heard.end
        ears = heard.silence_ms + since
        ears = min(ears, heard.audio_ms - self.burst.start_ms)
        quiet = min(ears, heard.audio_ms - self._last_sound)
        self.silence_ms = max(quiet, ears - NOISY_MS, 0)
        if heard.audio_ms - self.start_ms >= LONGEST_MS:
            return "over"
        if not self.text:
            return "over" if quiet >= WORDLESS_MS or ears >= NOISY_WORDLESS_MS else "speaking"
        likely = self.silence_ms >= rules.least_silence_ms and end >= rules.end
        if likely or self.silence_ms >= rules.most_silence_ms:
            return "over"
        early = self.silence_ms >= min(PAUSE_MS, rules.least_silence_ms) and end >= EARLY * rules.end
        return "pausing" if early and self.said else "speaking"
