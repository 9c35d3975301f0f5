"""Do confidences mean what they say? Of the words that are 80 % sure, 80 % should be right.

Expected calibration error over equal bins (Guo et al., 2017): the mean distance between confidence and share of right
words, weighted by the words of each bin.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.evaluate.intervals import RESAMPLES, SEED, Figure

BINS = 10

Pair = tuple[float, bool]
"""A confidence, 0...1, and whether the word was right."""


@dataclass(frozen=True, slots=True)
class Bin:
    """The words whose confidence lies between `low` and `high`."""

    low: float
    high: float
    count: int
    confidence: float
    """Mean confidence; 0 where there are no words."""
    right: float
    """Share of right words; 0 where there are none."""


def table(pairs: Iterable[Pair], bins: int = BINS) -> list[Bin]:
    """The reliability table: equal bins from 0 to 1, empty ones too."""
    sums = _sums(list(pairs), bins)
    means = sums[:, 1:] / np.maximum(sums[:, :1], 1.0)
    return [
        Bin(place / bins, (place + 1) / bins, int(sums[place, 0]), float(means[place, 0]), float(means[place, 1]))
        for place in range(bins)
    ]


def calibration_error(pairs: Iterable[Pair], bins: int = BINS) -> float:
    """Expected calibration error, 0...1; ValueError where there are no words."""
    return float(_errors(_sums(list(pairs), bins)[None])[0])


def calibration_figure(clips: Sequence[Sequence[Pair]], bins: int = BINS) -> Figure:
    """Expected calibration error over the words of all clips, bootstrap over clips; n counts clips."""
    sums = np.stack([_sums(clip, bins) for clip in clips]) if clips else np.zeros((1, bins, 3))
    value = float(_errors(sums.sum(axis=0)[None])[0])
    drawn = np.random.default_rng(SEED).integers(len(sums), size=(RESAMPLES, len(sums)))
    totals = np.stack([sums[row].sum(axis=0) for row in drawn])
    low, high = np.percentile(_errors(totals[totals[:, :, 0].sum(axis=1) > 0]), [2.5, 97.5])
    return Figure(value, float(low), float(high), len(clips), "clips")


def right_words(reference: Sequence[str], heard: Sequence[tuple[str, float]]) -> list[Pair]:
    """(confidence, right) of every heard word: right where the best alignment puts it on the same reference word."""
    from jiwer import process_words

    right = [False] * len(heard)
    if reference and heard:
        aligned = process_words(" ".join(reference), " ".join(word for word, _ in heard)).alignments[0]
        for chunk in aligned:
            if chunk.type == "equal":
                right[chunk.hyp_start_idx : chunk.hyp_end_idx] = [True] * (chunk.hyp_end_idx - chunk.hyp_start_idx)
    return [(sure, good) for (_, sure), good in zip(heard, right, strict=True)]


def _sums(pairs: Sequence[Pair], bins: int) -> NDArray[np.float64]:
    """Words, summed confidence and right words of every bin, (bins, 3)."""
    sums = np.zeros((bins, 3))
    for sure, right in pairs:
        sums[min(int(sure * bins), bins - 1)] += (1.0, sure, right)
    return sums


def _errors(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Error of each of (N, bins, 3) sums."""
    words = sums[:, :, 0].sum(axis=1)
    if not words.all():
        raise ValueError("no words were heard")
    error: NDArray[np.float64] = np.abs(sums[:, :, 1] - sums[:, :, 2]).sum(axis=1) / words
    return error
