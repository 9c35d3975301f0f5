"""Joined graphs: arc for arc what sorting all arcs by the state they leave gives, and one graph at a time."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from step_audio_mini.listen.arcs import Arcs
from step_audio_mini.listen.space import Weighing, join
from step_audio_mini.listen.wordgraph import LINK_IN, LINK_OUT

pytestmark = pytest.mark.unit

NAMES = ("unit", "word", "cost", "target", "first", "final")


@st.composite
def graphs(draw: st.DrawFn) -> Arcs:
    """A small graph with one way in and ways out at any states, some with several."""
    states = draw(st.integers(2, 6))
    number = st.integers(0, states - 1)
    own = st.tuples(number, st.integers(0, LINK_IN - 1), st.integers(0, 9), st.integers(0, 99), number)
    out = st.tuples(number, st.just(LINK_OUT), st.just(0), st.integers(0, 99), number)
    way_in = st.tuples(number, st.just(LINK_IN), st.just(0), st.just(0), number)
    rows = [*draw(st.lists(own, max_size=12)), *draw(st.lists(out, max_size=4)), draw(way_in)]
    source, unit, word, cost, target = np.array(draw(st.permutations(rows)), np.int32).T
    final = np.array(draw(st.lists(st.sampled_from([0.5, np.inf]), min_size=states, max_size=states)), np.float32)
    return Arcs.gathered(source, (unit, word, np.float32(0.08) * cost, target), final)


def sorted_join(every: Sequence[Arcs], begin: Sequence[float], prices: Sequence[float], hot: int, end: float) -> Arcs:
    """The plain way: all arcs in a list, sorted by source; graphs from the place `hot` on are left for nothing."""
    offsets = [1 + sum(graph.states for graph in every[:number]) for number in range(len(every))]
    entries = [int(g.target[g.unit == LINK_IN][0]) + o for g, o in zip(every, offsets, strict=True)]
    arcs = [(0, 0, 0, cost, offset) for cost, offset in zip(begin, offsets, strict=True)]
    for number, (graph, offset) in enumerate(zip(every, offsets, strict=True)):
        rows = list(zip(graph.source + offset, graph.unit, graph.word, graph.cost, graph.target + offset, strict=True))
        arcs += [row for row in rows if row[1] < LINK_IN]
        for other in range(len(every)):
            if other != number:
                price = prices[other] if number < hot else 0.0
                arcs += [(row[0], 0, 0, price, entries[other]) for row in rows if row[1] == LINK_OUT]
    source, unit, word, cost, target = (np.array(column) for column in zip(*arcs, strict=True))
    final = np.concatenate([[end], *(graph.final for graph in every)])
    return Arcs.gathered(source, (unit, word, cost, target), final)


@settings(max_examples=40, deadline=None)
@given(general=st.lists(graphs(), min_size=1, max_size=3), hot=st.none() | graphs(), scale=st.sampled_from([0.7, 1.0]))
def test_joined_arcs_are_those_of_a_sort(general: list[Arcs], hot: Arcs | None, scale: float) -> None:
    weighing = Weighing(language=scale)
    shares = [1 / len(general)] * len(general)
    found = join(iter(general), shares, weighing, hot)
    hots = [hot] if hot else []
    prices = [weighing.cross * scale] * len(general) + [weighing.hot * scale] * len(hots)
    begin = [-np.log(share) * scale for share in shares] + prices[len(general) :]
    wanted = sorted_join([*general, *hots], begin, prices, len(general), weighing.silence * scale)
    for name in NAMES:
        mine, plain = getattr(found, name), getattr(wanted, name)
        assert mine.dtype == plain.dtype, name
        np.testing.assert_array_equal(mine, plain, err_msg=name)


def test_a_graph_is_let_go_before_the_next_is_asked_for(general: Arcs) -> None:
    held: list[weakref.ref[np.ndarray]] = []

    def one_by_one() -> Iterator[Arcs]:
        for _ in range(3):
            assert all(last() is None for last in held)
            graph = Arcs(*(getattr(general, name).copy() for name in NAMES))
            held.append(weakref.ref(graph.target))
            yield graph
            del graph

    join(one_by_one(), [1 / 3] * 3, Weighing())
    assert len(held) == 3
