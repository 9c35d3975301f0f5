"""Log-mel frames from samples: the one feature that ears, voice and vocoder share.

Frame t covers samples [160 t, 160 t + 400) (25 ms every 10 ms at 16 kHz), no padding, so that a stream and a whole
recording give the same frames. Values are natural logarithms of the amplitude mel spectrum, clamped at `FLOOR`, then
shifted and scaled by two fixed constants: normalisation by the recording's own statistics could not be streamed.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.types import SAMPLE_RATE, Frames, Samples

WINDOW = 400
"""Samples a frame covers (25 ms)."""
HOP = 160
"""Samples between frames (10 ms)."""
FFT = 512
"""Points of the Fourier transform; the window is padded with zeros at its end."""
MELS = 80
"""Mel bands."""
FLOOR = 1e-5
"""Smallest amplitude before the logarithm: below the rounding noise of 16-bit sound."""
MEAN, STD = -2.2, 2.0
"""Fixed normalisation: mean and spread of the values over Common Voice, speechocean762 and LibriSpeech clips."""


@cache
def mel_filters() -> NDArray[np.float32]:
    """Triangular filters (257, 80) between 20 Hz and 8 kHz, equally spaced on O'Shaughnessy's mel scale, peak 1."""

    def mel(hertz: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.asarray(2595.0 * np.log10(1.0 + hertz / 700.0), np.float64)

    low, high = mel(np.array([20.0, SAMPLE_RATE / 2]))
    edges = np.linspace(low, high, MELS + 2)
    bins = mel(np.fft.rfftfreq(FFT, 1 / SAMPLE_RATE))[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)), np.float32)


@cache
def window() -> NDArray[np.float32]:
    """Periodic Hann window (400,)."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW), np.float32)


def frame_count(samples: int) -> int:
    """Number of whole frames in so many samples."""
    return max(0, (samples - WINDOW) // HOP + 1)


def log_mel(samples: Samples) -> Frames:
    """Normalised log-mel frames (T, 80) of mono 16 kHz samples (n,); T = 0 for fewer than 400 samples."""
    count = frame_count(len(samples))
    if count == 0:
        return np.zeros((0, MELS), np.float32)
    pieces = np.lib.stride_tricks.sliding_window_view(np.ascontiguousarray(samples, np.float32), WINDOW)
    out = np.empty((count, MELS), np.float32)
    block = 1024  # frames at a time: bounds memory on long recordings
    for start in range(0, count, block):
        stop = min(count, start + block)
        framed = pieces[start * HOP : (stop - 1) * HOP + 1 : HOP] * window()
        amplitude = np.abs(np.fft.rfft(framed, FFT)).astype(np.float32)
        out[start:stop] = (np.log(np.maximum(amplitude @ mel_filters(), FLOOR)) - MEAN) / STD
    return out


class MelStream:
    """`log_mel` for sound that arrives in pieces of any size; all frames together equal those of the whole."""

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.float32)

    def completed(self, samples: int) -> int:
        """How many frames so many more samples would complete."""
        return frame_count(len(self._rest) + samples)

    def push(self, samples: Samples) -> Frames:
        """Frames (t, 80) completed by these samples; t may be 0."""
        sound = np.concatenate([self._rest, samples.astype(np.float32, copy=False)])
        frames = log_mel(sound)
        self._rest = sound[len(frames) * HOP :]
        return frames
