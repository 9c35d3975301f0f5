"""The search space: word graphs, general, a pack's and a user's, joined into one that sentences cross between words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.listen.arcs import INFINITE, Arcs
from step_audio_mini.listen.wordgraph import LINK_IN, LINK_OUT


@dataclass(frozen=True)
class Weighing:
    """How word costs weigh against the posteriors, and how joined graphs share the speech."""

    language: float = 1.0
    """Factor of all n-gram costs; that of the posteriors is 1."""
    word: float = 0.0
    """Cost of every word."""
    pack_share: float = 0.9
    """Probability that a sentence begins in the pack's graph."""
    cross: float = 6.0
    """Cost, unscaled, of passing from one graph into the other between two words."""
    hot: float = 7.0
    """Cost, unscaled, of a hot word between any two words, whatever they are."""
    hot_unit: float = 0.6
    """Less, for each of its units: a long word is rarely heard by mistake."""
    silence: float = 3.0
    """Cost, unscaled, of a turn without a word."""


def weigh(arcs: Arcs, weighing: Weighing) -> Arcs:
    """The graph with its costs scaled and the cost of a word on every arc that has one."""
    scale = np.float32(weighing.language)
    cost = arcs.cost * scale + np.where(arcs.word > 0, np.float32(weighing.word), np.float32(0))
    return Arcs(arcs.unit, arcs.word, cost.astype(np.float32), arcs.target, arcs.first, arcs.final * scale)


def weigh_hot(arcs: Arcs, weighing: Weighing) -> Arcs:
    """A graph of phrases with the cost of a word, and the boost of its units, on its arcs.

    Sentences do not end in it: they do after leaving it, at the price that another graph knows.
    """
    boost = np.float32(weighing.hot_unit * weighing.language)
    weighed = weigh(arcs, weighing)
    spoken = (arcs.unit > 0) & (arcs.unit < LINK_IN)
    cost = np.where(spoken, weighed.cost - boost, weighed.cost).astype(np.float32)
    return replace(weighed, cost=cost, final=np.full_like(weighed.final, INFINITE))


def join(graphs: Iterable[Arcs], shares: Sequence[float], weighing: Weighing, hot: Arcs | None = None) -> Arcs:
    """One graph of several (weighed) ones over the same words.

    A sentence begins in graph i with probability `shares[i]`; between two words it may pass from each graph to any
    other. `hot`, a graph of phrases, may be entered there at a price of its own and is left for nothing. The link arcs
    are used up. An iterator's graphs are asked for one by one, each when the one before is no longer held.
    """
    parts = list(map(_Part, chain(graphs, [hot] if hot else [])))
    general, count = len(shares), len(parts)
    starts = np.cumsum([1, *(part.states for part in parts[:-1])])
    entries = starts + [part.entry for part in parts]
    prices = np.array([weighing.cross] * general + [weighing.hot] * (count - general)) * weighing.language
    begin = np.append(-np.log(np.asarray(shares, np.float64)) * weighing.language, prices[general:])
    first, costs, targets = [np.array([0, count])], [begin], [starts]
    for number, part in enumerate(parts):
        others = np.delete(np.arange(count), number)
        price = prices[others] if number < general else np.zeros(len(others))
        order = np.argsort(np.tile(part.out, len(others)), kind="stable")
        costs.append(np.repeat(price, len(part.out))[order])
        targets.append(np.repeat(entries[others], len(part.out))[order])
        first.append(first[-1][-1] + part.first_with(len(others)))
        part.columns["target"] += np.int32(starts[number])
    final = np.concatenate([[weighing.silence * weighing.language], *(part.final for part in parts)])
    none = [np.zeros(len(cost), np.int32) for cost in costs]
    size = int(first[-1][-1])
    return Arcs(
        _whole("unit", size, parts, none),
        _whole("word", size, parts, none),
        _whole("cost", size, parts, [cost.astype(np.float32) for cost in costs]),
        _whole("target", size, parts, [target.astype(np.int32) for target in targets]),
        np.concatenate(first),
        final.astype(np.float32),
    )


class _Part:
    """A graph's own arcs, of which its links are taken out, and where they were."""

    def __init__(self, graph: Arcs) -> None:
        kept, out = graph.unit < LINK_IN, graph.unit == LINK_OUT
        self.columns = {name: getattr(graph, name)[kept] for name in ("unit", "word", "cost", "target")}
        self.entry = int(graph.target[graph.unit == LINK_IN][0])
        self.final, self.states = graph.final, graph.states
        self._first = np.append(0, np.cumsum(kept))[graph.first]
        self._leaving = np.diff(np.append(0, np.cumsum(out))[graph.first])
        self.out = np.repeat(np.arange(self.states), self._leaving)
        """State of each way out, ascending."""

    def places(self, links: int) -> NDArray[np.int64]:
        """Where so many links for each way out, by state, go: after the last of their state's own arcs."""
        return np.asarray(self._first[1:][np.repeat(self.out, links)], np.int64)

    def first_with(self, links: int) -> NDArray[np.int64]:
        """Number of arcs up to each state and with it, where every way out has become so many links."""
        return np.asarray(self._first[1:] + links * np.cumsum(self._leaving), np.int64)


def _whole(name: str, size: int, parts: Sequence[_Part], links: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """A column of the joined graph: the start's arcs, then of each part its own and, after each state's, its links.

    The parts' columns go as they are taken: all columns of all graphs twice would be the most memory ever needed.
    """
    column, place = np.empty(size, links[0].dtype), len(parts)
    column[:place] = links[0]
    for part, linked in zip(parts, links[1:], strict=True):
        own = part.columns.pop(name)
        stop = place + len(own) + len(linked)
        column[place:stop] = np.insert(own, part.places(len(parts) - 1), linked)
        place = stop
    return column
