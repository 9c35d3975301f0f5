"""Turns counts per clip into a figure with a 95 % interval, because a figure without one is a remark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES, SEED = 1000, 20_000
"""Bootstrap of every figure: fixed, so that the same clips give the same interval."""
FEWEST_GROUPS = 10
"""With fewer speakers than this, clips are resampled instead: the interval then says nothing of other speakers."""


@dataclass(frozen=True, slots=True)
class Count:
    """What one clip adds to a rate: `part` of `whole` (errors of words, right answers of one)."""

    part: float
    whole: float
    group: str
    """Speaker, or dialogue: what is resampled as one."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value and its 95 % interval."""

    value: float
    low: float
    high: float
    n: int
    """Clips (or dialogues, or sentences) it rests on."""
    over: str
    """What was resampled: `speakers`, `clips`, ..."""


def rate(counts: Sequence[Count], *, groups: str = "speakers", items: str = "clips") -> Figure:
    """Sum of parts over sum of wholes, as a share; bootstrap over groups, over items where groups are few.

    ValueError where nothing was counted: a rate of nothing is no figure.
    """
    if not any(count.whole for count in counts):
        raise ValueError("nothing was counted")
    names = sorted({count.group for count in counts})
    if len(names) >= FEWEST_GROUPS:
        place = {name: index for index, name in enumerate(names)}
        sums = np.zeros((len(names), 2))
        for count in counts:
            sums[place[count.group]] += (count.part, count.whole)
        over = groups
    else:
        sums, over = np.array([(count.part, count.whole) for count in counts], float), items
    drawn = _resampled(len(sums))
    totals = sums[drawn].sum(axis=1)
    rates = totals[:, 0] / np.maximum(totals[:, 1], 1e-12)
    low, high = np.percentile(rates[totals[:, 1] > 0], [2.5, 97.5])
    part, whole = sums.sum(axis=0)
    return Figure(float(part / whole), float(low), float(high), len(counts), over)


def ratio(ours: Sequence[Count], theirs: Sequence[Count]) -> Figure:
    """Our rate over theirs on the same items in the same order (a peer, a natural voice); bootstrap over items."""
    if len(ours) != len(theirs) or not any(count.part for count in theirs):
        raise ValueError("a ratio needs the same items on both sides and a rate above 0 below")
    table = np.array([(a.part, a.whole, b.part, b.whole) for a, b in zip(ours, theirs, strict=True)], float)
    totals = table[_resampled(len(table))].sum(axis=1)
    totals = totals[(totals[:, 1:] > 0).all(axis=1)]
    low, high = np.percentile(totals[:, 0] / totals[:, 1] / (totals[:, 2] / totals[:, 3]), [2.5, 97.5])
    a, b, c, d = table.sum(axis=0)
    return Figure(float(a / b / (c / d)), float(low), float(high), len(table), "clips")


def difference(ours: Sequence[Count], theirs: Sequence[Count]) -> Figure:
    """Our rate minus theirs on the same items in the same order, as a share; bootstrap over speakers or items."""
    if len(ours) != len(theirs) or not any(count.whole for count in theirs):
        raise ValueError("a difference needs the same items on both sides")
    names = sorted({count.group for count in ours})
    few = len(names) < FEWEST_GROUPS
    place = {name: index for index, name in enumerate(names)}
    table = np.zeros((len(ours) if few else len(names), 4))
    for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        table[index if few else place[a.group]] += (a.part, a.whole, b.part, b.whole)
    totals = table[_resampled(len(table))].sum(axis=1)
    totals = totals[(totals[:, [1, 3]] > 0).all(axis=1)]
    low, high = np.percentile(totals[:, 0] / totals[:, 1] - totals[:, 2] / totals[:, 3], [2.5, 97.5])
    a, b, c, d = table.sum(axis=0)
    return Figure(float(a / b - c / d), float(low), float(high), len(ours), "clips" if few else "speakers")


def percentile(values: Sequence[float], q: float, *, items: str = "clips") -> Figure:
    """The q-th percentile (0...100) of single measurements, bootstrap over items."""
    if not len(values):
        raise ValueError("nothing was measured")
    array = np.asarray(values, float)
    low, high = np.percentile(np.percentile(array[_resampled(len(array))], q, axis=1), [2.5, 97.5])
    return Figure(float(np.percentile(array, q)), float(low), float(high), len(array), items)


def mean(values: Sequence[float], *, items: str = "clips") -> Figure:
    """Mean of single measurements, bootstrap over items."""
    return rate([Count(value, 1.0, str(index)) for index, value in enumerate(values)], groups=items, items=items)


def _resampled(count: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """(RESAMPLES, count) indices drawn with replacement."""
    return np.random.default_rng(SEED).integers(count, size=(RESAMPLES, count))
