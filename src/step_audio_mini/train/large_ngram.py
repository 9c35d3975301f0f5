"""Trigrams of tens of millions of words in a minute: the counting and weighing of `text.ngram.estimate` over arrays.

Absolute discounting, interpolated (Ney, Essen & Kneser, 1994), over counts as they are: Kneser and Ney's counts of
neighbours suit a model that is kept whole, and spoil one of which one n-gram in twenty is kept (Chelba et al., 2010).
Thinned by the weighted difference of Seymore & Rosenfeld (1996).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.text.ngram import BEGIN, END, Ngram

_BITS = 16
"""Bits of a token in a key: three fit into 64."""
_MASK = np.uint64((1 << _BITS) - 1)
_AT_ONCE = 20_000_000
"""Tokens that are counted in one go."""

Keys = NDArray[np.uint64]
Counts = NDArray[np.float32]


@dataclass(frozen=True)
class Sentences:
    """Rows of tokens back to back. A token equal to the model's size is a word outside the vocabulary."""

    tokens: NDArray[np.int32]
    """(N,), each 2...size."""
    lengths: NDArray[np.int32]
    """(S,)"""
    weight: float
    """What one occurrence counts."""


@dataclass(frozen=True)
class _Level:
    """N-grams of one length, sorted by key; all arrays (n,)."""

    keys: Keys
    counts: Counts

    @property
    def last(self) -> NDArray[np.int64]:
        """Last token of each."""
        return (self.keys & _MASK).astype(np.int64)


def estimate_trigrams(texts: Sequence[Sentences], size: int, *, most: int) -> Ngram:
    """Trigram model over tokens below `size`; each keeps a unigram probability, seen or not.

    Of the n-grams of two and three tokens it keeps the `most` whose count times gain in natural log over backing off
    is highest, and what these begin with.
    """
    if size >= 1 << _BITS:
        raise ValueError(f"{size} tokens do not fit into {_BITS} bits")
    levels = [_count(texts, n, size) for n in (1, 2, 3)]
    probs: list[NDArray[np.float64]] = [_unigrams(levels[0], size)]
    levels[0] = _Level(np.arange(size, dtype=np.uint64), np.zeros(size, np.float32))
    worth: list[NDArray[np.float64]] = []
    for n in (1, 2):
        here, back = _interpolated(levels[n], levels[n - 1], probs[n - 1], n)
        probs.append(here)
        worth.append(levels[n].counts.astype(np.float64) * np.log(here / back))
    every = np.concatenate(worth)
    least = np.partition(every, len(every) - most)[len(every) - most] if most < len(every) else -np.inf
    kept = [np.ones(size, np.bool_), *(value >= least for value in worth)]
    kept[1] |= np.isin(levels[1].keys, levels[2].keys[kept[2]] >> np.uint64(_BITS))
    return _assembled(levels, probs, kept)


def _count(texts: Sequence[Sentences], n: int, size: int) -> _Level:
    """N-grams of n tokens that end inside a sentence or at its end; those with an unknown word are left out."""
    found: list[_Level] = []
    for text in texts:
        ends = np.cumsum(text.lengths, dtype=np.int64)
        start = 0
        while start < len(ends):
            stop = max(start + 1, int(np.searchsorted(ends, (ends[start - 1] if start else 0) + _AT_ONCE)))
            low = int(ends[start - 1]) if start else 0
            keys = _windows(text.tokens[low : int(ends[stop - 1])], text.lengths[start:stop], n, size)
            unique, times = np.unique(keys, return_counts=True)
            found.append(_Level(unique, (times * np.float32(text.weight)).astype(np.float32)))
            start = stop
    keys, where = np.unique(np.concatenate([level.keys for level in found]), return_inverse=True)
    counts = np.bincount(where, np.concatenate([level.counts for level in found]), len(keys))
    return _Level(keys, counts.astype(np.float32))


def _windows(tokens: NDArray[np.int32], lengths: NDArray[np.int32], n: int, size: int) -> Keys:
    """Keys of all windows of n tokens, with the marks of the sentences' beginnings and ends."""
    framed = np.empty(len(tokens) + 2 * len(lengths), np.int32)
    ends = np.cumsum(lengths.astype(np.int64) + 2)
    begins = ends - lengths - 2
    inner = np.ones(len(framed), np.bool_)
    inner[begins] = inner[ends - 1] = False
    framed[inner], framed[begins], framed[ends - 1] = tokens, BEGIN, END
    key = np.zeros(len(framed) - n + 1, np.uint64)
    whole = np.ones(len(key), np.bool_)
    for place in range(n):
        column = framed[place : place + len(key)]
        key = (key << np.uint64(_BITS)) | column.astype(np.uint64)
        whole &= column < size
        if place:
            whole &= column != BEGIN
    if n == 1:
        whole &= framed != BEGIN
    kept: Keys = key[whole]
    return kept


def _discount(counts: Counts) -> float:
    """What is taken from each count, from how many n-grams were seen once and twice."""
    ones, twos = int(((counts > 0.5) & (counts < 1.5)).sum()), int(((counts > 1.5) & (counts < 2.5)).sum())
    return min(0.95, max(0.3, ones / (ones + 2 * twos))) if ones and twos else 0.5


def _unigrams(level: _Level, size: int) -> NDArray[np.float64]:
    """Probability of every token, (size,); that of the mark of beginnings is 0."""
    counts = np.zeros(size)
    counts[level.last] = level.counts
    taken = _discount(level.counts) * np.minimum(1.0, counts)
    probs = (counts - taken + taken.sum() / (size - 1)) / max(1e-9, counts.sum())
    probs[BEGIN] = 0.0
    out: NDArray[np.float64] = probs
    return out


def _interpolated(
    level: _Level, shorter: _Level, lower: NDArray[np.float64], n: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probability of each n-gram after its context, and the part that comes from the shorter context."""
    context = level.keys >> np.uint64(_BITS)
    fresh = np.ones(len(context), np.bool_)
    fresh[1:] = context[1:] != context[:-1]
    owner = np.cumsum(fresh) - 1
    contexts = int(fresh.sum())
    counts = level.counts.astype(np.float64)
    taken = _discount(level.counts) * np.minimum(1.0, counts)
    mass = np.bincount(owner, counts, contexts)[owner]
    held = np.bincount(owner, taken, contexts)[owner]
    suffix = level.keys & np.uint64((1 << (_BITS * n)) - 1)
    back = held / mass * lower[np.searchsorted(shorter.keys, suffix)]
    return (counts - taken) / mass + back, back


def _assembled(
    levels: Sequence[_Level], probs: Sequence[NDArray[np.float64]], kept: Sequence[NDArray[np.bool_]]
) -> Ngram:
    """The trie of the kept n-grams; back-off weights make every distribution sum to one."""
    keys = [level.keys[keep] for level, keep in zip(levels, kept, strict=True)]
    tokens = [(row & _MASK).astype(np.int32) for row in keys]
    starts: list[NDArray[np.int64]] = []
    log_prob: list[NDArray[np.float32]] = []
    backoff: list[NDArray[np.float32]] = []
    told = lower = probs[0]  # what the model says of every n-gram that was seen, kept or not
    free = np.ones(0)
    for n, level in enumerate(levels):
        if n and len(free):
            context = np.searchsorted(keys[n - 1], level.keys >> np.uint64(_BITS))
            told = np.where(kept[n], probs[n], lower * free[np.minimum(context, len(free) - 1)])
        elif n:
            told = probs[n]
        with np.errstate(divide="ignore"):
            log_prob.append(np.log(told[kept[n]]).astype(np.float32))
        free = np.ones(len(keys[n]))
        if n + 1 < len(levels):
            longer = levels[n + 1].keys
            lower = told[np.searchsorted(level.keys, longer & np.uint64((1 << (_BITS * (n + 1))) - 1))]
            chosen = kept[n + 1]
            owner = np.searchsorted(keys[n], keys[n + 1] >> np.uint64(_BITS))
            children = np.bincount(owner, minlength=len(keys[n]))
            explicit = np.bincount(owner, probs[n + 1][chosen], len(keys[n]))
            shorter = np.bincount(owner, lower[chosen], len(keys[n]))
            free = np.where(children > 0, np.maximum(1.0 - explicit, 1e-6) / np.maximum(1.0 - shorter, 1e-6), 1.0)
            starts.append(np.concatenate([[0], np.cumsum(children)]))
        backoff.append(np.log(free).astype(np.float32))
    return Ngram(tokens, starts, log_prob, backoff)
