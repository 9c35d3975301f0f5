"""What can be measured of a sound without understanding it: level, signal-to-noise ratio, clipping and pitch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.types import SAMPLE_RATE, Samples

FRAME, HOP = 320, 160
"""Samples of a level frame (20 ms) and its step (10 ms)."""
SPEECH_MARGIN = 50
"""Frames around speech in which its background is looked for: half a second."""
MUTED = 1e-8
"""Power under that of the loudest frame (80 dB) at which nothing was recorded."""
SNR_LINE = (1.5, -10.0)
"""SNR for each dB between speech and pauses, and at none.

From 600 mixtures of dev clips of nine packs with recorded background: within 1 dB of the truth in mean at 5...20 dB,
4 dB off for a single clip. Below 0 dB it reads too high: background that changes looks like speech with pauses.
"""
PITCH_FRAME = 640
"""Samples of a pitch frame (40 ms): more than two periods of the lowest voice."""
LOWEST_F0, HIGHEST_F0 = 60, 420
"""Range of a speaking voice, Hz."""
PITCH_FRAMES = 200
"""The loudest frames looked at: enough for a median, and bounded work for a sound of any length."""


def rms(samples: Samples) -> float:
    """Root mean square of a sound, (n,); 0 for none."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0


def clipping_share(samples: Samples) -> float:
    """Share of samples, 0...1, at full scale (within 0.1 dB)."""
    return float(np.mean(np.abs(samples) >= 0.988)) if len(samples) else 0.0


def snr_db(samples: Samples) -> float:
    """Signal-to-noise ratio of speech in its background, dB, clipped to -20...60; about -9 for a steady sound.

    A line through how far the 80th percentile of the frame levels (speech) lies above the 20th (pauses), from
    `SPEECH_MARGIN` before the first to as much after the last loud frame, so that waiting does not count. Digital zeros
    (muted parts) are no noise floor. The scale of the samples does not matter.
    """
    power = np.mean(np.square(_frames(samples, FRAME, HOP), dtype=np.float64), axis=1)
    power = power[power > power.max(initial=0.0) * MUTED]
    if len(power) < 5:
        return -20.0
    level = 10 * np.log10(power)
    loud = np.flatnonzero(level >= (level.max() + np.percentile(level, 20)) / 2)
    level = level[max(0, loud[0] - SPEECH_MARGIN) : loud[-1] + SPEECH_MARGIN + 1]
    pause, speech = np.percentile(level, [20, 80])
    return float(np.clip(SNR_LINE[0] * (speech - pause) + SNR_LINE[1], -20.0, 60.0))


def pitch_hz(samples: Samples) -> float | None:
    """Median fundamental frequency of the voiced frames in Hz; None where fewer than three frames are voiced.

    Normalised autocorrelation of the loudest 40 ms frames; the shortest lag near the highest peak wins, which avoids
    octaves below.
    """
    frames = _frames(samples, PITCH_FRAME, HOP).astype(np.float64)
    if not len(frames):
        return None
    frames = frames - frames.mean(axis=1, keepdims=True)
    power = np.mean(frames**2, axis=1)
    loudest = np.argsort(power)[::-1][:PITCH_FRAMES]
    frames = frames[loudest[power[loudest] > 1e-3 * power.max()]]
    pitches = [f0 for f0 in map(_frame_f0, _autocorrelation(frames)) if f0 is not None]
    return float(np.median(pitches)) if len(pitches) >= 3 else None


def _frames(samples: Samples, size: int, hop: int) -> Samples:
    """Overlapping frames of a sound, (n, size); n is 0 for a sound shorter than one."""
    if len(samples) < size:
        return np.zeros((0, size), np.float32)
    return np.lib.stride_tricks.sliding_window_view(samples, size)[::hop]


def _autocorrelation(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normalised cross-correlation of each frame with itself at lags 0...size / 2, (n, size / 2), within ±1."""
    size = frames.shape[1]
    lags = np.arange(size // 2)
    spectrum = np.fft.rfft(frames, 2 * size)
    raw = np.fft.irfft(np.abs(spectrum) ** 2)[:, : size // 2]
    energy = np.cumsum(np.pad(frames**2, ((0, 0), (1, 0))), axis=1)
    head = energy[:, size - lags]  # of frame[: size - lag]
    tail = energy[:, -1:] - energy[:, lags]  # of frame[lag:]
    return np.asarray(raw / np.sqrt(head * tail + 1e-20))


def _frame_f0(correlation: NDArray[np.float64]) -> float | None:
    shortest, longest = SAMPLE_RATE // HIGHEST_F0, min(SAMPLE_RATE // LOWEST_F0, len(correlation) - 2)
    window = correlation[shortest : longest + 1]
    rising, falling = window > correlation[shortest - 1 : longest], window >= correlation[shortest + 1 : longest + 2]
    peaks = np.flatnonzero(rising & falling)
    if not len(peaks) or (best := window[peaks].max()) < 0.6:
        return None
    lag = int(peaks[window[peaks] >= 0.9 * best][0]) + shortest
    left, mid, right = correlation[lag - 1 : lag + 2]
    bend = left - 2 * mid + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0  # top of the parabola through three points
    return SAMPLE_RATE / (lag + float(shift))
