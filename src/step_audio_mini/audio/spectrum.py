"""Short-time spectra that can be turned back into sound: 30 ms windows every 10 ms, on the grid of the log-mel frames.

Frame t covers samples [160 t - 40, 160 t + 440): its centre, 160 t + 200, is the centre of log-mel frame t. A root of a
Hann window is applied before the transform and again after the inverse (Griffin and Lim, 1984); windows a third apart
then add up to a constant.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.audio.features import HOP
from step_audio_mini.audio.features import WINDOW as MEL_WINDOW
from step_audio_mini.types import Samples

OVERLAP = 3
"""Windows that cover a sample."""
SPAN = OVERLAP * HOP
"""Samples a frame covers; also the points of its Fourier transform."""
BINS = SPAN // 2 + 1
"""Frequencies of a spectrum, 0 to 8 kHz."""
EARLY = (SPAN - MEL_WINDOW) // 2
"""Samples by which a frame begins before (and ends after) the log-mel frame of the same number."""
SCALE = float(np.sqrt(SPAN / 2))
"""Spectra are divided by it, so that white noise of variance 1 has bins of mean power 1."""

Spectra = NDArray[np.float32]
"""Real and imaginary parts, (T, 241, 2)."""


def window() -> NDArray[np.float32]:
    """Root of the periodic Hann window, (480,)."""
    return np.sin(np.pi * np.arange(SPAN) / SPAN).astype(np.float32)


def analyse(samples: Samples) -> Spectra:
    """Spectra (T, 241, 2) of samples (320 + 160 T,); the first sample is where frame 0 begins."""
    pieces = np.lib.stride_tricks.sliding_window_view(samples, SPAN)[::HOP]
    found = np.fft.rfft(pieces * (window() / np.float32(SCALE)))
    return np.stack([found.real, found.imag], -1).astype(np.float32)


class OverlapAdd:
    """Sound from spectra that arrive in pieces; all pieces together equal those of the whole."""

    def __init__(self) -> None:
        self._tail = np.zeros((OVERLAP - 1, HOP), np.float32)
        self._skip = EARLY  # the sound begins with log-mel frame 0, not with our longer window

    def push(self, spectra: Spectra) -> Samples:
        """Samples that these spectra (t, 241, 2) complete: 160 a frame, 40 fewer at the very beginning."""
        count = len(spectra)
        pieces = np.fft.irfft(spectra[..., 0] + 1j * spectra[..., 1], SPAN).astype(np.float32)
        pieces *= window() * np.float32(2.0 * SCALE / OVERLAP)
        hops = pieces.reshape(count, OVERLAP, HOP)
        sound = np.zeros((count + OVERLAP - 1, HOP), np.float32)
        sound[: OVERLAP - 1] += self._tail
        for part in range(OVERLAP):
            sound[part : part + count] += hops[:, part]
        self._tail = sound[count:]
        done = sound[:count].reshape(-1)
        dropped = min(self._skip, len(done))
        self._skip -= dropped
        return done[dropped:]

    def finish(self) -> Samples:
        """The rest: the whole is 160 T + 240 samples, those that T log-mel frames cover."""
        if self._skip:  # nothing was ever pushed
            return np.zeros(0, np.float32)
        rest = self._tail.reshape(-1)
        self._tail = np.zeros_like(self._tail)
        return rest[: len(rest) - EARLY]
