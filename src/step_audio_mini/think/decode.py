"""Writes a decision choice by choice: the grammar says what may come, the network what is likely."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.think.alphabet import INDEX, SYMBOLS, Role
from step_audio_mini.think.grammar import Draft, Grammar
from step_audio_mini.think.reading import Reader, Reading
from step_audio_mini.think.state import Dialogue

Array = NDArray[Any]
MOST_CHOICES = 64
"""No draft needs more; a bound so that no network can make the decoder loop."""


class Net(Protocol):
    """A network with its weights, whatever runs it."""

    def encode(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        """Memory of one turn from a reading, by name."""

    def step(self, memory: Mapping[str, Array], previous: Array, roles: Array, cache: Array) -> tuple[Array, Array]:
        """Scores (1, Q, C) of the choices after `previous` (1, Q) for `roles` (1, Q), and the grown cache."""

    def empty_cache(self) -> Array:
        """The cache before the first choice."""


@dataclass(frozen=True)
class Written:
    """A finished draft and how sure the network was of it."""

    draft: Draft
    certainties: dict[Role, float]
    """Least probability of a free choice of each role; a role without free choices is missing."""

    @property
    def certainty(self) -> float:
        """Probability of the choice that was least sure, style apart: below a half, something else was as likely."""
        return min((p for role, p in self.certainties.items() if role is not Role.STYLE), default=1.0)

    @property
    def sense(self) -> float:
        """How sure it is what was wanted at all: of act and intent."""
        return self.certainties.get(Role.ACT, 1.0) * self.certainties.get(Role.INTENT, 1.0)

    @property
    def meant(self) -> float:
        """How sure it is that something of the pack was wanted."""
        return 1 - self.sense if self.draft.act in ("out_of_scope", "not_understood") else self.sense


def inputs_of(reader: Reader, reading: Reading, vectors: Array, snr_db: float) -> dict[str, Array]:
    """The encoder's arrays, batch of one; a missing acoustic stream is one zero vector behind a closed gate."""
    there = len(vectors) > 0
    sound = vectors if there else np.zeros((1, vectors.shape[1]), np.float32)
    names = ("pieces", "symbols", "items", "segments", "confidences", "languages", "spots", "hints", "familiar")
    return {name: getattr(reading, name)[None] for name in names} | {
        "links": dense_links(reading, len(reader.descriptions))[None],
        "descriptions": reader.descriptions,
        "vectors": sound[None].astype(np.float32),
        "snr": np.array([[snr_db / 20 if there else 0.0, float(there)]], np.float32),
    }


def dense_links(reading: Reading, items: int) -> NDArray[np.float32]:
    """(C, C) 1 where the second candidate is likely after the first."""
    size = len(SYMBOLS) + items + len(reading.pieces)
    dense = np.zeros((size, size), np.float32)
    dense[reading.links[:, 0], reading.links[:, 1]] = 1
    return dense


def write(net: Net, reader: Reader, reading: Reading, dialogue: Dialogue, inputs: Mapping[str, Array]) -> Written:
    """The likeliest decision, choice by choice (greedy)."""
    return _Writer(net, Grammar(reader, reading, dialogue), net.encode(inputs)).run()


class _Writer:
    """One greedy pass; forced choices cost no step of their own."""

    def __init__(self, net: Net, grammar: Grammar, memory: Mapping[str, Array]) -> None:
        self._net, self._grammar, self._memory = net, grammar, memory
        self._cache = net.empty_cache()
        self._unread: list[tuple[int, int]] = []
        self._last = INDEX["begin"]
        self._certainties: dict[Role, float] = {}

    def run(self) -> Written:
        draft = self._grammar.first()
        before_slot = self._snapshot()
        for _ in range(MOST_CHOICES):
            role = draft.role
            if role is None:
                break
            if role is Role.SLOT:
                before_slot = self._snapshot()
            allowed = self._grammar.allowed(draft)
            if not len(allowed):
                # no valid value from here: forget the slot and everything written since
                self._restore(before_slot)
                draft = self._grammar.refuse(draft)
                continue
            draft = self._write(draft, role, allowed)
        return Written(draft, self._certainties)

    def _write(self, draft: Draft, role: Role, allowed: Array) -> Draft:
        self._unread.append((self._last, int(role)))
        self._last = int(allowed[0]) if len(allowed) == 1 else self._pick(allowed, role)
        return self._grammar.choose(draft, self._last)

    def _pick(self, allowed: Array, role: Role) -> int:
        previous, roles = np.array([self._unread], np.int64).transpose(2, 0, 1)
        scores, self._cache = self._net.step(self._memory, previous, roles, self._cache)
        self._unread = []
        free = scores[0, -1, allowed].astype(np.float64)
        odds = np.exp(free - free.max())
        best = int(odds.argmax())
        sure = float(odds[best] / odds.sum())
        self._certainties[role] = min(sure, self._certainties.get(role, 1.0))
        return int(allowed[best])

    def _snapshot(self) -> tuple[Array, list[tuple[int, int]], int, dict[Role, float]]:
        return self._cache, list(self._unread), self._last, dict(self._certainties)

    def _restore(self, saved: tuple[Array, list[tuple[int, int]], int, dict[Role, float]]) -> None:
        self._cache, self._unread, self._last, self._certainties = saved[0], list(saved[1]), saved[2], dict(saved[3])
