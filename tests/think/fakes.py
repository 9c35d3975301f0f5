"""Stand-ins for the network and the sub-word model, so that the mind is tested without weights."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.think.alphabet import INDEX, SYMBOLS, Role
from step_audio_mini.think.mind import Mind
from step_audio_mini.think.pack import join
from step_audio_mini.think.pack_file import load_pack
from step_audio_mini.think.tools import ToolFunction

Array = NDArray[Any]
WIDTH = 4


class HashPieces:
    """One piece a unit, by its hash."""

    def ids(self, unit: str) -> Sequence[int]:
        return (zlib.crc32(unit.encode()) % 997 + 1,)


class RandomNet:
    """Scores by chance: whatever it writes must still be valid."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def encode(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        return {"size": np.array(len(SYMBOLS) + len(inputs["descriptions"]) + inputs["pieces"].shape[1])}

    def step(self, memory: Mapping[str, Array], previous: Array, roles: Array, cache: Array) -> tuple[Array, Array]:
        return self._rng.normal(size=(1, previous.shape[1], int(memory["size"]))).astype(np.float32), cache

    def empty_cache(self) -> Array:
        return np.zeros((1, 2, 1, 0, WIDTH), np.float32)


class WishNet(RandomNet):
    """Writes what it is told: by role the candidates to like, in order; positions count from the first hypothesis."""

    def __init__(
        self, wishes: Mapping[Role, Sequence[int | str]], mind: Mind | None = None, strength: float = 20.0
    ) -> None:
        super().__init__(0)
        self.strength = strength
        self.mind, self._wishes = mind, {role: list(told) for role, told in wishes.items()}

    def encode(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        first = int(np.flatnonzero(inputs["symbols"][0] == INDEX["segment:first"] + 1)[0]) + 1
        return {**super().encode(inputs), "first": np.array(len(SYMBOLS) + len(inputs["descriptions"]) + first)}

    def step(self, memory: Mapping[str, Array], previous: Array, roles: Array, cache: Array) -> tuple[Array, Array]:
        scores = np.zeros((1, previous.shape[1], int(memory["size"])), np.float32)
        told = self._wishes.get(Role(int(roles[0, -1])), [])
        if told:
            scores[0, -1, self._index(told.pop(0), int(memory["first"]))] = self.strength
        return scores, cache

    def _index(self, wish: int | str, first: int) -> int:
        if isinstance(wish, int):
            return first + wish
        if wish in INDEX:
            return INDEX[wish]
        assert self.mind is not None
        pack = self.mind.pack
        names = [*pack.intent_names, *pack.slot_names]
        return len(SYMBOLS) + names.index(wish)


def make_mind(net: RandomNet, tools: Mapping[str, ToolFunction], *packs: str) -> Mind:
    mind = Mind(join([load_pack(p) for p in packs or ("home",)]), net, HashPieces(), tools)
    if isinstance(net, WishNet):
        net.mind = mind
    return mind
