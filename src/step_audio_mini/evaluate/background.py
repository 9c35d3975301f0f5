"""What a microphone gives where nobody speaks: noise as loud as what is behind recordings, never digital silence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from step_audio_mini.types import Samples

FRAME = 320
"""Samples whose level is taken at a time: 20 ms at 16 kHz."""
QUIETEST = 10
"""Per cent of the frames of recordings that hold no more than their background."""
LEAST = 1e-4


def background(sounds: Sequence[Samples], length: int) -> Samples:
    """White noise (length,) at the level of the quietest frames of recordings; the same for the same recordings."""
    frames = np.concatenate([np.resize(sound, (len(sound) // FRAME, FRAME)) for sound in sounds])
    levels = np.sqrt(np.mean(np.square(frames), axis=1))
    level = max(LEAST, float(np.percentile(levels, QUIETEST))) if len(levels) else LEAST
    return np.random.default_rng(0).normal(0, level, length).astype(np.float32)
