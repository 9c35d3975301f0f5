"""Guesses who speaks where a source names no speakers, only to keep splits apart: clusters of voice and channel."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.types import Samples


def fingerprint(wave: Samples) -> NDArray[np.float64]:
    """(66,) long-term log spectra of the loud and of the quiet frames of a clip (n,), and their levels."""
    size, hop = 512, 256
    wave = np.pad(wave, (0, max(0, 4 * size - len(wave))))
    frames = np.lib.stride_tricks.sliding_window_view(wave, size)[::hop] * np.hanning(size)
    power = np.abs(np.fft.rfft(frames)) ** 2 + 1e-10
    edges = np.unique(np.round(np.geomspace(2, size // 2, 33)).astype(int))
    bands = np.stack([power[:, a:b].mean(1) for a, b in pairwise(edges)], 1)
    log = 10 * np.log10(bands)
    level = log.mean(1)
    quiet, loud = np.quantile(level, [0.2, 0.6])
    low, high = log[level <= quiet].mean(0), log[level >= loud].mean(0)
    return np.concatenate([low - low.mean(), high - high.mean(), [low.mean() * 0.5, high.mean() * 0.5]])


def clusters(fingerprints: Sequence[NDArray[np.float64]], count: int) -> list[int]:
    """Average-link agglomerative clustering into `count` groups; the group of each fingerprint.

    Groups are no identities: they bound how much a voice can leak between splits, they do not exclude it.
    """
    points = np.asarray(fingerprints)
    points = (points - points.mean(0)) / (points.std(0) + 1e-6)
    number = len(points)
    distance = _distances(points)
    np.fill_diagonal(distance, np.inf)
    size, label = np.ones(number), np.arange(number)
    for _ in range(number - count):
        i, j = np.unravel_index(np.argmin(distance), distance.shape)
        merged = (distance[i] * size[i] + distance[j] * size[j]) / (size[i] + size[j])
        distance[i] = distance[:, i] = merged
        distance[i, i] = np.inf
        distance[j] = distance[:, j] = np.inf
        size[i] += size[j]
        label[label == j] = i
    names = {value: index for index, value in enumerate(sorted(set(label.tolist())))}
    return [names[value] for value in label.tolist()]


def _distances(points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Root mean square distances (n, n)."""
    if len(points) < 1500:
        return np.asarray(((points[:, None] - points[None]) ** 2).mean(2) ** 0.5, np.float32)
    product = points @ points.T
    square = np.diag(product)
    return np.asarray(
        np.sqrt(np.maximum(0, square[:, None] + square[None] - 2 * product) / points.shape[1]), np.float32
    )
