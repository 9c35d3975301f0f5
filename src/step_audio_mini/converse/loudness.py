"""Tells whether a piece of sound is louder than the room: the quickest sign of speech, though noise gives it too."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from step_audio_mini.types import Samples

RISE_DB = 9.0
"""Above the noise floor by this much, a piece is as likely loud as not."""
STEEPNESS_DB = 1.5
"""Decibels that raise the odds by a factor e."""
FORGET_DB = 0.06
"""The floor rises this much a piece (3 dB a second), so that one quiet moment is forgotten."""
STEADY_PIECES, STEADY_DB = 35, 10.0
"""What stays for so long (0.7 s) within so few decibels is no speech but the room: the floor rises to it."""
LOWEST_DB = -65.0
"""Full scale is 0 dB. Sound below is silence, whatever the floor: a muted microphone has none."""


class Loudness:
    """Follows the noise floor of a call: the lowest level so far, slowly rising, at once to that of a steady sound."""

    def __init__(self) -> None:
        self._floor = 0.0
        self._latest = deque[float](maxlen=STEADY_PIECES)

    def hear(self, samples: Samples) -> float:
        """Probability that a piece of sound, (n,), is loud; see `update`."""
        power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
        return self.update(10 * math.log10(power) if power > 0 else LOWEST_DB)

    def update(self, level_db: float) -> float:
        """Probability that a piece of `frames.FRAME_MS` is loud; its level is 20 log10 of its root mean square."""
        level = max(level_db, LOWEST_DB) if math.isfinite(level_db) else LOWEST_DB
        self._floor = min(level, self._floor + FORGET_DB) if self._latest else level
        self._latest.append(level)
        lowest = min(self._latest)
        if len(self._latest) == STEADY_PIECES and max(self._latest) - lowest <= STEADY_DB:
            self._floor = max(self._floor, lowest)
        return 1.0 / (1.0 + math.exp((RISE_DB - (level - self._floor)) / STEEPNESS_DB))
