"""Beam search through a word graph, frame by frame: from unit posteriors to the likeliest word sequences.

Token passing (Young, Russell & Thornton, 1989) with CTC's rules (Graves et al., 2006) applied on the way: a token is a
state of the graph, the unit that came last (none after a blank), and its words so far. Tokens that differ only in their
words compete for a few places, so that several readings live until the end and the n-best list needs no second pass.
All tokens of a frame move together as arrays, and their number is bounded, so is the time of a frame.

A decoder over a static graph was tried first: with CTC's states written out, a vocabulary of 29,000 words took 5 s and
600 MB to build or 78 MB to ship, and the lattice decoder has no bound on its tokens. This one starts in a fifth of a
second from 4 MB.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.listen.arcs import Arcs

_EMPTY_ROUNDS = 4
"""Empty arcs in a row: from a trigram's context to none, and across to another graph's."""
_ROOM = 65_536
"""Records of a traceback before it is first thinned out: 1 MB."""
_MIX = np.uint64(0x9E3779B97F4A7C15)
"""Odd multiplier that spreads word sequences over 64 bits (Knuth's multiplicative hashing)."""

Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Limits:
    """How much the search keeps."""

    beam: float = 13.0
    """Tokens further than this (natural log) behind the best are dropped."""
    active: int = 1000
    """Most tokens of a frame."""
    histories: int = 3
    """Most word sequences that share a place in the graph."""


@dataclass(frozen=True)
class SearchPath:
    """One way through the graph."""

    units: tuple[tuple[int, int], ...]
    """(unit, frame it begins at)."""
    words: tuple[tuple[int, int], ...]
    """(token, frame at which the graph told it: at the word's first unit or some later)."""
    score: float


@dataclass(frozen=True)
class _Tokens:
    """Tokens of a frame, best first or in any order; all arrays (N,)."""

    state: Ints
    last: Ints
    """Unit that came last, 0 after a blank."""
    score: NDArray[np.float64]
    history: NDArray[np.uint64]
    """Hash of the words so far."""
    record: Ints
    """Where the traceback stands."""

    def take(self, chosen: NDArray[np.generic]) -> _Tokens:
        return _Tokens(*(column[chosen] for column in self.columns()))

    def columns(self) -> tuple[NDArray[np.generic], ...]:
        return self.state, self.last, self.score, self.history, self.record


class Searcher:
    """The graph made ready for search; shared by all streams."""

    def __init__(self, graph: Arcs, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.final = graph.final
        empty = graph.unit == 0
        self._moves = _Leaving(graph, ~empty)
        self._empties = _Leaving(graph, empty)

    def start(self) -> Beam:
        """A fresh stream."""
        return Beam(self)


class _Leaving:
    """Some arcs of a graph, by the state they leave."""

    def __init__(self, graph: Arcs, chosen: NDArray[np.bool_]) -> None:
        count = np.zeros(len(chosen) + 1, np.int32)
        np.cumsum(chosen, out=count[1:])
        self._first = count[graph.first]
        self.unit = graph.unit[chosen].astype(np.uint8)  # a graph's units fit a byte: as they are stored
        self.word, self.cost, self.target = graph.word[chosen], graph.cost[chosen], graph.target[chosen]

    def of(self, states: Ints) -> tuple[Ints, Ints]:
        """(arc, place in `states`) of every arc that leaves one of the states."""
        low = self._first[states]
        size = self._first[states + 1] - low
        ends = np.cumsum(size)
        owner = np.repeat(np.arange(len(states), dtype=np.int32), size)
        return (np.arange(len(owner), dtype=np.int32) - (ends - size)[owner] + low[owner]).astype(np.int32), owner


class Beam:
    """One stream's search: `push` frames, read the `best` path any time, the `paths` at the end."""

    def __init__(self, searcher: Searcher) -> None:
        self._searcher = searcher
        self.frames = 0
        self._book = _Book()
        none = np.zeros(1, np.int32)
        first = _Tokens(none, none, np.zeros(1), np.zeros(1, np.uint64), none - 1)
        self._tokens = self._narrow(self._follow_empties(first, -np.inf))

    def push(self, log_probs: NDArray[np.float32]) -> None:
        """Advance over frames of natural-log posteriors, (T, V)."""
        for row in log_probs.astype(np.float64):
            self._advance(row)
            self.frames += 1

    def copy(self) -> Beam:
        """A search that goes on from here by itself."""
        other = copy(self)
        other._book = self._book.copy()
        return other

    def best(self) -> SearchPath:
        """The path of the best token, finished or not."""
        return self._trace(self._tokens, 0)

    def paths(self, most: int) -> list[SearchPath]:
        """Up to `most` finished paths with different words, best first; unfinished ones where none is finished."""
        ended = self._tokens.score - self._searcher.final[self._tokens.state]
        if not np.isfinite(ended).any():
            ended = self._tokens.score
        order = np.argsort(-ended, kind="stable")
        _, first = np.unique(self._tokens.history[order], return_index=True)
        found = [int(place) for place in order[np.sort(first)][:most] if np.isfinite(ended[place])]
        return [self._trace(self._tokens, place, float(ended[place])) for place in found]

    def closure(self) -> float:
        """Natural log of the probability that the sentence ends here, by the n-grams: at most 0, -inf inside a word."""
        score = self._tokens.score
        return float((score - self._searcher.final[self._tokens.state]).max() - score.max())

    def _advance(self, row: NDArray[np.float64]) -> None:
        tokens, moves = self._tokens, self._searcher._moves
        goes_on = tokens.last > 0
        held = tokens.score[goes_on] + row[tokens.last[goes_on]]
        blank = tokens.score + row[0]
        floor = max(blank.max(), held.max(initial=-np.inf)) - self._searcher.limits.beam
        arc, owner = moves.of(tokens.state)
        unit = moves.unit[arc].astype(np.int32)
        score = tokens.score[owner] - moves.cost[arc] + row[unit]
        wanted = np.flatnonzero((score > floor) & (unit != tokens.last[owner]))
        if len(wanted) > 2 * self._searcher.limits.active:
            wanted = wanted[np.argpartition(-score[wanted], 2 * self._searcher.limits.active)]
            wanted = wanted[: 2 * self._searcher.limits.active]
        arc, owner, unit, score = arc[wanted], owner[wanted], unit[wanted], score[wanted]
        floor = max(floor, score.max(initial=-np.inf) - self._searcher.limits.beam)
        record = self._book.write(tokens.record[owner], unit, moves.word[arc], self.frames)
        moved = _Tokens(moves.target[arc], unit, score, _hash(tokens.history[owner], moves.word[arc]), record)
        moved = self._follow_empties(moved, floor)
        after_blank = _Tokens(tokens.state, np.zeros_like(tokens.last), blank, tokens.history, tokens.record)
        held_on = tokens.take(goes_on)
        held_on = _Tokens(held_on.state, held_on.last, held, held_on.history, held_on.record)
        tokens = self._narrow(_joined((moved, after_blank, held_on)))
        self._tokens = replace(tokens, record=self._book.thinned(tokens.record))

    def _follow_empties(self, tokens: _Tokens, floor: float) -> _Tokens:
        """The tokens, and those that empty arcs lead them to."""
        empties, found, fresh = self._searcher._empties, [tokens], tokens
        for _ in range(_EMPTY_ROUNDS):
            arc, owner = empties.of(fresh.state)
            score = fresh.score[owner] - empties.cost[arc]
            wanted = np.flatnonzero(score > floor)
            if not len(wanted):
                break
            arc, owner, score = arc[wanted], owner[wanted], score[wanted]
            word, record = empties.word[arc], fresh.record[owner]
            if word.any():
                spoken = word > 0
                record = record.copy()
                record[spoken] = self._book.write(record[spoken], 0 * word[spoken], word[spoken], self.frames)
            history = _hash(fresh.history[owner], word)
            fresh = _Tokens(empties.target[arc], fresh.last[owner], score, history, record)
            found.append(fresh)
        return _joined(found)

    def _narrow(self, tokens: _Tokens) -> _Tokens:
        """Drop what is behind the beam, equal, or one history too many for its place; best first."""
        limits = self._searcher.limits
        tokens = tokens.take(tokens.score > tokens.score.max() - limits.beam)
        tokens = tokens.take(np.argsort(-tokens.score, kind="stable"))
        place = tokens.state.astype(np.uint64) * np.uint64(512) + tokens.last.astype(np.uint64)
        _, first = np.unique(place * _MIX ^ tokens.history, return_index=True)
        tokens = tokens.take(np.sort(first)[: 2 * limits.active])
        spot = tokens.state.astype(np.int64) * 512 + tokens.last
        order = np.argsort(spot, kind="stable")
        spot = spot[order]
        starts = np.flatnonzero(np.concatenate([[True], spot[1:] != spot[:-1]]))
        rank = np.arange(len(spot)) - np.repeat(starts, np.diff(np.append(starts, len(spot))))
        kept = np.sort(order[rank < limits.histories])[: limits.active]
        return tokens.take(kept)

    def _trace(self, tokens: _Tokens, place: int, score: float | None = None) -> SearchPath:
        units, words = self._book.read(int(tokens.record[place]))
        return SearchPath(units, words, float(tokens.score[place]) if score is None else score)


class _Book:
    """Traceback: every unit a token took, with the word it brought and the record before."""

    def __init__(self) -> None:
        self._size, self._full = 0, _ROOM
        self._rows = np.empty((4, 4096), np.int32)

    def copy(self) -> _Book:
        """The same records in rows of its own."""
        other = copy(self)
        other._rows = self._rows[:, : self._size].copy()
        return other

    def thinned(self, records: Ints) -> Ints:
        """Now and then forget what leads to none of the records, the only ones alive; their new numbers."""
        if self._size < self._full:
            return records
        kept = np.zeros(self._size, np.bool_)
        fresh = np.unique(records[records >= 0])
        while len(fresh):
            kept[fresh] = True
            fresh = np.unique(self._rows[0, fresh])
            fresh = fresh[(fresh >= 0) & ~kept[fresh]]
        number = np.cumsum(kept, dtype=np.int32) - 1
        self._rows = self._rows[:, : self._size][:, kept]
        self._rows[0] = np.where(self._rows[0] >= 0, number[self._rows[0]], -1)
        self._size = self._rows.shape[1]
        self._full = max(_ROOM, 2 * self._size)
        return np.where(records >= 0, number[records], -1).astype(np.int32)

    def write(self, before: Ints, unit: Ints, word: Ints, frame: int) -> Ints:
        """Add records, return their numbers."""
        stop = self._size + len(before)
        if stop > self._rows.shape[1]:
            self._rows = np.concatenate([self._rows, np.empty((4, stop), np.int32)], axis=1)
        self._rows[0, self._size : stop] = before
        self._rows[1, self._size : stop] = unit
        self._rows[2, self._size : stop] = word
        self._rows[3, self._size : stop] = frame
        numbers = np.arange(self._size, stop, dtype=np.int32)
        self._size = stop
        return numbers

    def read(self, record: int) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
        """Units and words, with their frames, that lead to a record."""
        path, before = [], self._rows[0]
        while record >= 0:
            path.append(record)
            record = int(before[record])
        rows = self._rows[1:, path[::-1]].T.tolist()
        return (
            tuple((unit, frame) for unit, _, frame in rows if unit),
            tuple((word, frame) for _, word, frame in rows if word),
        )


def _hash(history: NDArray[np.uint64], word: Ints) -> NDArray[np.uint64]:
    longer = (history ^ word.astype(np.uint64)) * _MIX + np.uint64(1)
    return np.where(word > 0, longer ^ (longer >> np.uint64(29)), history)


def _joined(parts: list[_Tokens] | tuple[_Tokens, ...]) -> _Tokens:
    return _Tokens(*(np.concatenate(column) for column in zip(*(p.columns() for p in parts), strict=True)))
