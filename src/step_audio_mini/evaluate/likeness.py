"""Compares a synthetic reading with the natural one of the same sentence: spectra and melody, after time alignment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.audio.features import MEAN, MELS, STD, log_mel
from step_audio_mini.types import Samples

COEFFICIENTS = 13
"""Mel-cepstral coefficients compared, the 0th (level) left out."""
QUIETEST = 30.0
"""dB under the loudest frame at which edges are cut off before the alignment."""
Path = NDArray[np.int64]
"""(P, 2) pairs of frames that belong together."""


def cepstra(samples: Samples) -> NDArray[np.float64]:
    """(T, 13) mel cepstra of (n,) samples: cosine transform of the natural-log amplitude of the 80 mel bands."""
    logs = log_mel(samples).astype(np.float64) * STD + MEAN
    order = np.arange(1, COEFFICIENTS + 1)[:, None]
    basis = np.cos(np.pi * order * (np.arange(MELS) + 0.5) / MELS)
    return np.asarray(2 * logs @ basis.T / MELS)


def speech_frames(samples: Samples) -> slice:
    """Frames from the first to the last one within `QUIETEST` of the loudest; all of a sound without any."""
    level = (log_mel(samples).astype(np.float64) * STD + MEAN).mean(axis=1) * 20 / np.log(10)
    if not len(level):
        return slice(0, 0)
    loud = np.flatnonzero(level > level.max() - QUIETEST)
    return slice(int(loud[0]), int(loud[-1]) + 1)


def align(a: NDArray[np.float64], b: NDArray[np.float64]) -> Path:
    """Dynamic time warping (Sakoe & Chiba 1978) of frames (T, D) and (S, D) by Euclidean distance."""
    square = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    distance = np.sqrt(np.maximum(square, 0))
    rows, columns = distance.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0
    for diagonal in range(rows + columns - 1):  # cells of one diagonal depend on the two before only
        i = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        j = diagonal - i
        before = np.minimum(np.minimum(total[i, j], total[i, j + 1]), total[i + 1, j])
        total[i + 1, j + 1] = distance[i, j] + before
    path, i, j = [(rows - 1, columns - 1)], rows - 1, columns - 1
    while i or j:
        steps = ((i - 1, j - 1), (i - 1, j), (i, j - 1))
        i, j = min(steps, key=lambda cell: total[cell[0] + 1, cell[1] + 1])
        path.append((i, j))
    return np.array(path[::-1])


def aligned(natural: Samples, synthetic: Samples) -> tuple[Path, float]:
    """Pairs of frames (of the whole sounds) and the mel-cepstral distortion in dB (Kubichek 1993) along them.

    ValueError where either has no frame.
    """
    spans = speech_frames(natural), speech_frames(synthetic)
    one, other = cepstra(natural)[spans[0]], cepstra(synthetic)[spans[1]]
    if not len(one) or not len(other):
        raise ValueError("a sound without a frame cannot be compared")
    path = align(one, other)
    apart = one[path[:, 0]] - other[path[:, 1]]
    distortion = 10 / np.log(10) * np.sqrt(2 * (apart**2).sum(axis=1)).mean()
    return path + np.array([span.start for span in spans]), float(distortion)


def melody_correlation(natural: NDArray[np.float32], synthetic: NDArray[np.float32], path: Path) -> float | None:
    """Pearson correlation of log F0 over aligned frames that are voiced in both; None with fewer than 20 of them."""
    one, other = natural[path[:, 0]], synthetic[path[:, 1]]
    both = (one > 0) & (other > 0)
    if both.sum() < 20:
        return None
    x, y = np.log(one[both]), np.log(other[both])
    if x.std() < 1e-6 or y.std() < 1e-6:
        return None
    return float(np.corrcoef(x, y)[0, 1])
