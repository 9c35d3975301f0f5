"""The search space: word graphs, general, a pack's and a user's, joined into one that sentences cross between words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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


def join(graphs: Sequence[Arcs], shares: Sequence[float], weighing: Weighing, hot: Arcs | None = None) -> Arcs:
    """One graph of several (weighed) ones over the same words.

    A sentence begins in graph i with probability `shares[i]`; between two words it may pass from each graph to any
    other. `hot`, a graph of phrases, may be entered there at a price of its own and is left for nothing. The link arcs
    are used up.
    """
    every = [*graphs, hot] if hot else list(graphs)
    offsets = 1 + np.concatenate([[0], np.cumsum([graph.states for graph in every])])[:-1].astype(np.int32)
    entries = [int(g.target[g.unit == LINK_IN][0]) + o for g, o in zip(every, offsets, strict=True)]
    prices = np.array([weighing.cross] * len(graphs) + [weighing.hot] * (hot is not None)) * weighing.language
    begin = np.append(-np.log(np.asarray(shares, np.float64)) * weighing.language, prices[len(graphs) :])
    sources, columns = [np.zeros(len(every), np.int32)], [_silent(begin, offsets)]
    for number, (graph, offset) in enumerate(zip(every, offsets, strict=True)):
        source, out = graph.source + offset, graph.unit == LINK_OUT
        keep = graph.unit < LINK_IN
        sources.append(source[keep])
        columns.append((graph.unit[keep], graph.word[keep], graph.cost[keep], graph.target[keep] + offset))
        for other in range(len(every)):
            if other != number:
                sources.append(source[out])
                price = prices[other] if number < len(graphs) else 0.0
                columns.append(_silent(np.full(len(sources[-1]), price), np.full(len(sources[-1]), entries[other])))
    final = np.concatenate([[weighing.silence * weighing.language], *(graph.final for graph in every)])
    parts = [list(parts) for parts in zip(*columns, strict=True)]
    columns.clear()
    whole = [np.concatenate(parts.pop(0)) for _ in range(len(parts))]  # each column's parts go as it is made
    return Arcs.gathered(np.concatenate(sources), whole, final)


def _silent(cost: NDArray[Any], target: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """Columns of arcs without labels, in the narrow types of all others: a wider one would widen the whole graph."""
    none = np.zeros(len(cost), np.int32)
    return none, none, cost.astype(np.float32), target.astype(np.int32)
