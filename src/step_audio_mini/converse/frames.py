"""Cuts sound into pieces of one length on the sample clock, so that no decision depends on how the client cut it."""

from __future__ import annotations

import numpy as np

from step_audio_mini.types import SAMPLE_RATE, Samples

FRAME_MS = 20
"""Length of a piece."""


class Framer:
    """Sound in, any cut; pieces of exactly `FRAME_MS` out."""

    def __init__(self, sample_rate: int = SAMPLE_RATE) -> None:
        self._size = sample_rate * FRAME_MS // 1000
        self._rest: Samples = np.zeros(0, np.float32)

    def push(self, samples: Samples) -> list[Samples]:
        """The pieces complete by now, (FRAME_MS,) each; what is left over waits for more."""
        whole = np.concatenate([self._rest, samples])
        count = len(whole) // self._size
        self._rest = whole[count * self._size :]
        return [whole[i * self._size : (i + 1) * self._size] for i in range(count)]

    def rest(self) -> Samples:
        """The incomplete piece, (n,); the next one begins after it."""
        rest, self._rest = self._rest, self._rest[:0]
        return rest

    def clear(self) -> int:
        """Forget the incomplete piece; how many samples it had."""
        lost = len(self._rest)
        self._rest = self._rest[:0]
        return lost
