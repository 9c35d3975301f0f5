"""The search space: a general word graph and a pack's, joined into one that sentences may cross between words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.listen.arcs import Arcs
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
    silence: float = 3.0
    """Cost, unscaled, of a turn without a word."""


def weigh(arcs: Arcs, weighing: Weighing) -> Arcs:
    """The graph with its costs scaled and the cost of a word on every arc that has one."""
    scale = np.float32(weighing.language)
    cost = arcs.cost * scale + np.where(arcs.word > 0, np.float32(weighing.word), np.float32(0))
    return Arcs(arcs.unit, arcs.word, cost.astype(np.float32), arcs.target, arcs.first, arcs.final * scale)


def join(graphs: Sequence[Arcs], shares: Sequence[float], weighing: Weighing) -> Arcs:
    """One graph of several (weighed) ones over the same words.

    A sentence begins in graph i with probability `shares[i]`; between two words it may pass from each graph to any
    other. The link arcs are used up.
    """
    offsets = 1 + np.concatenate([[0], np.cumsum([graph.states for graph in graphs])])[:-1].astype(np.int32)
    entries = [int(g.target[g.unit == LINK_IN][0]) + o for g, o in zip(graphs, offsets, strict=True)]
    begin = -np.log(np.asarray(shares, np.float64)) * weighing.language
    sources, columns = [np.zeros(len(graphs), np.int32)], [_silent(begin, offsets)]
    for number, (graph, offset) in enumerate(zip(graphs, offsets, strict=True)):
        source, out = graph.source + offset, graph.unit == LINK_OUT
        keep = graph.unit < LINK_IN
        sources.append(source[keep])
        columns.append((graph.unit[keep], graph.word[keep], graph.cost[keep], graph.target[keep] + offset))
        for other in range(len(graphs)):
            if other != number:
                sources.append(source[out])
                cost = np.full(len(sources[-1]), weighing.cross * weighing.language)
                columns.append(_silent(cost, np.full(len(cost), entries[other])))
    final = np.concatenate([[weighing.silence * weighing.language], *(graph.final for graph in graphs)])
    return Arcs.gathered(np.concatenate(sources), [np.concatenate(c) for c in zip(*columns, strict=True)], final)


def _silent(cost: NDArray[Any], target: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """Columns of arcs without labels, in the narrow types of all others: a wider one would widen the whole graph."""
    none = np.zeros(len(cost), np.int32)
    return none, none, cost.astype(np.float32), target.astype(np.int32)
