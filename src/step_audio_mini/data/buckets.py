"""Chooses the clips of a step as a pure function of (seed, step), so that a resumed run sees the same batches."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.errors import UserError

Indices = NDArray[np.int64]


class Buckets:
    """Batches of clips of like length, packs balanced by temperature.

    Clips of like length go together, because padding is wasted work; batches are shuffled, because a run from short to
    long would be a curriculum nobody asked for. Knows lengths and pack names only, nothing of sound.
    """

    def __init__(
        self,
        lengths: Sequence[int] | NDArray[np.integer],
        packs: Sequence[str],
        budget: int,
        *,
        longest: int,
        shortest: int = 1,
        temperature: float = 0.5,
        seed: int = 0,
    ) -> None:
        """Clip i has `lengths[i]` frames and belongs to `packs[i]`; a batch of n clips costs n times its longest clip.

        A batch never costs more than `budget` frames; clips outside `shortest`...`longest` are left out. A pack is
        drawn in proportion to its hours ** `temperature`; at 1 every clip comes exactly once an epoch.
        """
        self._lengths = np.asarray(lengths, np.int64)
        self._budget, self._seed = budget, seed
        fits = (self._lengths >= shortest) & (self._lengths <= min(longest, budget))
        names = np.asarray(packs)
        self._members = [np.flatnonzero(fits & (names == name)) for name in sorted(set(packs))]
        self._members = [members for members in self._members if len(members)]
        if not self._members:
            raise UserError(
                f"no clip has {shortest}...{min(longest, budget)} frames; give more data or a larger batch budget"
            )
        self._counts = self._epoch_counts(temperature)
        self._starts = [0]  # first step of each epoch planned so far
        self._plan: tuple[int, list[Indices]] = (-1, [])

    def batch(self, step: int) -> list[int]:
        """Clip indices of a step (0-based), never empty; a clip comes twice only where its pack is drawn so often."""
        while self._starts[-1] <= step:
            self._starts.append(self._starts[-1] + len(self._epoch(len(self._starts) - 1)))
        epoch = bisect_right(self._starts, step) - 1
        return [int(index) for index in self._epoch(epoch)[step - self._starts[epoch]]]

    def epoch_of(self, step: int) -> int:
        """The pass over the data that a step belongs to, 0-based."""
        self.batch(step)
        return bisect_right(self._starts, step) - 1

    def _epoch_counts(self, temperature: float) -> list[int]:
        """Clips drawn from each pack in an epoch; their sum of lengths is about that of all data."""
        hours = np.array([self._lengths[members].sum() for members in self._members], np.float64)
        share = hours**temperature / (hours**temperature).sum()
        drawn = np.array([len(members) for members in self._members]) * share * hours.sum() / hours
        return [max(1, round(float(count))) for count in drawn]

    def _epoch(self, epoch: int) -> list[Indices]:
        if self._plan[0] != epoch:
            self._plan = (epoch, self._make_epoch(epoch))
        return self._plan[1]

    def _make_epoch(self, epoch: int) -> list[Indices]:
        drawn = np.concatenate([self._draw(pack, epoch) for pack in range(len(self._members))])
        rng = np.random.default_rng((self._seed, 1, epoch))
        # a little disorder, or the same clips would meet in every epoch
        order = drawn[np.argsort(self._lengths[drawn] * rng.uniform(0.9, 1.1, len(drawn)), kind="stable")]
        batches, first, longest = [], 0, 0
        for place, length in enumerate(self._lengths[order].tolist()):
            if max(longest, length) * (place - first + 1) > self._budget:
                batches.append(order[first:place])
                first, longest = place, 0
            longest = max(longest, length)
        batches.append(order[first:])
        return [batches[place] for place in rng.permutation(len(batches))]

    def _draw(self, pack: int, epoch: int) -> Indices:
        """The epoch's stretch of an endless row of shuffled passes over the pack: no clip waits for luck."""
        members, count = self._members[pack], self._counts[pack]
        first, last = epoch * count, (epoch + 1) * count
        passes = range(first // len(members), (last - 1) // len(members) + 1)
        shuffled = [np.random.default_rng((self._seed, 2, pack, number)).permutation(members) for number in passes]
        skip = first - passes[0] * len(members)
        return np.concatenate(shuffled)[skip : skip + count]
