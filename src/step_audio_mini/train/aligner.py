"""Finds when each phone of a training clip is spoken: monophone hidden Markov models, trained on the voice itself.

Three states a phone, diagonal Gaussian mixtures, flat start, Viterbi training with mixture splitting (the classic
recipe of Young et al., "The HTK Book"). One speaker and his own clips are enough, and no recogniser is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.audio.features import HOP, MELS, log_mel
from step_audio_mini.types import Samples

Array = NDArray[np.float32]
STATES = 3
"""States of a phone."""
STEP = HOP // 2
"""Samples between observations: 5 ms, so that a phone may be as short as 15 ms."""
SILENCE = -1
"""Phone of edges and pauses in a transcript."""
_CEPSTRA = 13
_PAUSE_STATES = 8
"""Least length of a pause between words: 40 ms. Shorter ones belong to the phones around them."""
_SPLIT_AT = {5: 2, 8: 4, 11: 6}
"""Rounds after which the number of Gaussians grows, and to how many."""
_ROUNDS = 15
_TOGETHER = 32
"""Clips searched at once."""


@dataclass(frozen=True)
class Transcript:
    """Phones of a clip in order; between words a pause may or may not be spoken."""

    phones: tuple[int, ...]
    """Ids from 0, without silence."""
    word_starts: tuple[int, ...]
    """Places in `phones` where a word begins; the first is 0."""


@dataclass(frozen=True)
class Segment:
    """One phone or silence (`SILENCE`) and the observations it covers."""

    phone: int
    start: int
    stop: int


def observations(samples: Samples) -> Array:
    """Cepstra with first and second differences (2 T, 39) every 5 ms, without the mean over the clip."""
    even, odd = log_mel(samples), log_mel(samples[STEP:])
    both = np.empty((len(even) + len(odd), MELS), np.float32)
    both[0::2], both[1::2] = even, odd
    bands = np.arange(MELS) + 0.5
    basis = np.cos(np.pi / MELS * bands[:, None] * np.arange(_CEPSTRA)) * np.sqrt(2 / MELS)
    cepstra = both @ basis.astype(np.float32)
    cepstra -= cepstra.mean(0)
    slope = _slope(cepstra)
    return np.concatenate([cepstra, slope, _slope(slope)], 1)


def _slope(x: Array, reach: int = 4) -> Array:
    """Regression slope over ±`reach` observations, scaled to be of the size of x."""
    padded = np.pad(x, ((reach, reach), (0, 0)), "edge")
    total = sum(
        k * (padded[reach + k : reach + k + len(x)] - padded[reach - k : reach - k + len(x)])
        for k in range(1, reach + 1)
    )
    return np.asarray(total / np.sqrt(2 * sum(k * k for k in range(1, reach + 1))), np.float32)


class Mixtures:
    """Diagonal Gaussian mixtures, one a density: mean and variance (P, M, D), log weight (P, M)."""

    def __init__(self, densities: int, mean: Array, variance: Array) -> None:
        self.mean = np.repeat(mean[None, None], densities, 0)
        self._floor = np.maximum(0.05 * variance, 1e-3)
        self.variance = np.repeat(np.maximum(variance, self._floor)[None, None], densities, 0)
        self.log_weight = np.zeros((densities, 1), np.float32)

    def score(self, x: Array, densities: NDArray[np.int64]) -> Array:
        """Log-likelihood (T, len(densities)) of observations (T, D), by the best Gaussian of each density."""
        best: Array = _components(x, self.mean[densities], self.variance[densities], self.log_weight[densities]).max(2)
        return best

    def refit(self, groups: Sequence[Array]) -> None:
        """One step of expectation and maximisation on observations (n, D) of each density; few change nothing."""
        for density, x in enumerate(groups):
            size = self.mean.shape[1]
            if len(x) < 8 * size:
                continue
            own = slice(density, density + 1)
            scores = _components(x, self.mean[own], self.variance[own], self.log_weight[own])[:, 0]
            share = np.exp(scores - np.logaddexp.reduce(scores, axis=1)[:, None])  # (n, M)
            mass = share.sum(0) + 1e-3
            mean = share.T @ x / mass[:, None]
            self.mean[density] = mean
            self.variance[density] = np.maximum(share.T @ x**2 / mass[:, None] - mean**2, self._floor)
            self.log_weight[density] = np.log(mass / mass.sum())

    def split(self, size: int) -> None:
        """Grow to `size` Gaussians a density by moving copies of the heaviest apart."""
        while self.mean.shape[1] < size:
            rows = np.arange(len(self.mean))
            heavy = self.log_weight.argmax(1)
            offset = 0.2 * np.sqrt(self.variance[rows, heavy])
            self.log_weight[rows, heavy] -= np.float32(np.log(2))
            self.mean = np.concatenate([self.mean, (self.mean[rows, heavy] + offset)[:, None]], 1)
            self.mean[rows, heavy] -= offset
            self.variance = np.concatenate([self.variance, self.variance[rows, heavy][:, None]], 1)
            self.log_weight = np.concatenate([self.log_weight, self.log_weight[rows, heavy][:, None]], 1)


def _components(x: Array, mean: Array, variance: Array, log_weight: Array) -> Array:
    """Weighted log-density (T, P, M) of observations (T, D) under Gaussians (P, M, D): one matrix product for all."""
    densities, size, dims = mean.shape
    precision = (1 / variance).reshape(-1, dims)
    flat = mean.reshape(-1, dims)
    spread = np.log(variance.reshape(-1, dims)).sum(1) + dims * np.log(2 * np.pi)
    constant = log_weight.ravel() - 0.5 * ((flat**2 * precision).sum(1) + spread)
    scores = x @ (flat * precision).T - 0.5 * (x**2) @ precision.T + constant
    return np.asarray(scores, np.float32).reshape(len(x), densities, size)


@dataclass(frozen=True)
class _Chain:
    """States of one clip left to right: density and segment of each, may the pause before it be left out."""

    density: NDArray[np.int64]
    segment: NDArray[np.int64]
    skips: NDArray[np.bool_]
    phones: tuple[int, ...]


def _chain(transcript: Transcript) -> _Chain:
    density: list[int] = []
    segment: list[int] = []
    skips: list[bool] = []
    phones: list[int] = []

    def add(phone: int, densities: Sequence[int], after_pause: bool = False) -> None:
        segment.extend([len(phones)] * len(densities))
        density.extend(densities)
        skips.extend([after_pause] + [False] * (len(densities) - 1))
        phones.append(phone)

    starts = set(transcript.word_starts[1:])
    add(SILENCE, [0])
    for place, phone in enumerate(transcript.phones):
        if place in starts:
            add(SILENCE, [0] * _PAUSE_STATES)
        add(phone, [1 + STATES * phone + k for k in range(STATES)], place in starts)
    add(SILENCE, [0])
    return _Chain(np.array(density), np.array(segment), np.array(skips), tuple(phones))


def _viterbi(scores: Sequence[Array], chains: Sequence[_Chain]) -> list[NDArray[np.int64]]:
    """Best states (T,) of each clip under scores (T, S), many clips at once; first and last state are forced."""
    count, states = max(len(x) for x in scores), max(x.shape[1] for x in scores)
    score = np.zeros((count, len(scores), states), np.float32)
    barred = np.full((len(scores), states), -1e30, np.float32)  # added where a pause may not be left out
    for clip, (x, chain) in enumerate(zip(scores, chains, strict=True)):
        score[: len(x), clip, : x.shape[1]] = x
        barred[clip, : x.shape[1]][chain.skips] = 0.0
    jump = _PAUSE_STATES + 1
    best = np.full((len(scores), states), -1e30, np.float32)
    best[:, 0] = score[0, :, 0]
    back = np.zeros((count, len(scores), states), np.int8)
    from_before, from_jump = np.full_like(best, -1e30), np.full_like(best, -1e30)
    for t in range(1, count):
        from_before[:, 1:] = best[:, :-1]
        from_jump[:, jump:] = best[:, :-jump]
        from_jump += barred
        back[t] = from_before > best
        np.maximum(best, from_before, out=best)
        back[t][from_jump > best] = jump
        np.maximum(best, from_jump, out=best)
        best += score[t]
    paths = []
    for clip, x in enumerate(scores):
        path = np.empty(len(x), np.int64)
        path[-1] = x.shape[1] - 1
        for t in range(len(x) - 1, 0, -1):
            path[t - 1] = path[t] - back[t, clip, path[t]]
        paths.append(path)
    return paths


def _flat(count: int, chain: _Chain) -> NDArray[np.int64]:
    """First guess: silence at both edges, phones of equal length, no pauses."""
    spoken = np.flatnonzero(chain.density > 0)
    edge = min(30, max(1, (count - len(spoken)) // 4))
    inner = count - 2 * edge
    path = spoken[np.arange(inner) * len(spoken) // inner]
    return np.concatenate([np.zeros(edge, np.int64), path, np.full(edge, len(chain.density) - 1)])


def align(clips: Sequence[tuple[Array, Transcript]], phones: int, rounds: int = _ROUNDS) -> list[tuple[Segment, ...]]:
    """Segments of each clip, given its observations (T, 39) and transcript, by models trained on these very clips.

    Every phone gets at least 3 observations; a clip must have more observations than states.
    """
    chains = [_chain(transcript) for _, transcript in clips]
    everything = np.concatenate([x for x, _ in clips])
    mixtures = Mixtures(1 + STATES * phones, everything.mean(0), everything.var(0))
    paths = [_flat(len(x), chain) for (x, _), chain in zip(clips, chains, strict=True)]
    by_length = sorted(range(len(clips)), key=lambda clip: len(clips[clip][0]))
    for turn in range(rounds):
        owner = np.concatenate([chain.density[path] for chain, path in zip(chains, paths, strict=True)])
        order = np.argsort(owner, kind="stable")
        bounds = np.searchsorted(owner[order], np.arange(2 + STATES * phones))
        if turn in _SPLIT_AT:
            mixtures.split(_SPLIT_AT[turn])
        mixtures.refit([everything[order[a:b]] for a, b in pairwise(bounds)])
        for first in range(0, len(clips), _TOGETHER):
            members = by_length[first : first + _TOGETHER]
            scores = [_state_scores(mixtures, clips[clip][0], chains[clip]) for clip in members]
            for clip, path in zip(members, _viterbi(scores, [chains[clip] for clip in members]), strict=True):
                paths[clip] = path
    return [_segments(chain, path) for chain, path in zip(chains, paths, strict=True)]


def _state_scores(mixtures: Mixtures, x: Array, chain: _Chain) -> Array:
    """(T, S), each density computed once however many states of the clip share it."""
    densities, place = np.unique(chain.density, return_inverse=True)
    return mixtures.score(x, densities)[:, place]


def _segments(chain: _Chain, path: NDArray[np.int64]) -> tuple[Segment, ...]:
    place = chain.segment[path]
    cuts = np.flatnonzero(np.diff(place)) + 1
    starts, stops = [0, *cuts.tolist()], [*cuts.tolist(), len(place)]
    return tuple(Segment(chain.phones[place[a]], a, b) for a, b in zip(starts, stops, strict=True))
