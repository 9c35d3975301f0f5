"""Streaming state of an exported graph: its `in_cache_*` inputs, made, stacked for a batch, and taken apart again.

The first axis of every state tensor is the stream, so many calls share one run of the graph: `stack` their states,
run, `unstack`. `out_cache_x` of one step is `in_cache_x` of the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

State = dict[str, NDArray[Any]]
"""`in_cache_*` name to tensor; first axis is the stream."""

INPUT, OUTPUT = "in_cache_", "out_cache_"


class Runnable(Protocol):
    """What is needed of a graph."""

    @property
    def inputs(self) -> Mapping[str, tuple[tuple[int | str, ...], type[np.generic]]]:
        """Name to shape and dtype of each input."""

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs by name."""


def init(graph: Runnable, streams: int = 1) -> State:
    """Zero state of fresh streams."""
    state: State = {}
    for name, (shape, dtype) in graph.inputs.items():
        if name.startswith(INPUT):
            state[name] = np.zeros((streams, *(int(size) for size in shape[1:])), dtype)
    return state


def stack(states: Sequence[State]) -> State:
    """One state of many streams, in order."""
    return {name: np.concatenate([state[name] for state in states]) for name in states[0]}


def unstack(state: State) -> list[State]:
    """The inverse of `stack` for states of one stream each."""
    streams = len(next(iter(state.values())))
    return [{name: tensor[i : i + 1] for name, tensor in state.items()} for i in range(streams)]


def step(graph: Runnable, feeds: Mapping[str, NDArray[Any]], state: State) -> tuple[dict[str, NDArray[Any]], State]:
    """Run once: the outputs that are not state, and the next state."""
    out = graph.run({**feeds, **state})
    following = {INPUT + name[len(OUTPUT) :]: out.pop(name) for name in list(out) if name.startswith(OUTPUT)}
    return out, following
