"""Weighted graphs as plain arrays: they store compactly, scale and join by arithmetic, and turn into OpenFst files.

kaldifst, which makes graphs, takes and gives files of OpenFst's const format, whose records are arrays. So nothing here
walks a graph arc by arc in Python except the renumbering before storage.
"""

from __future__ import annotations

import io
import struct
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

INFINITE = np.float32(np.inf)
"""Final cost of a state where no path ends."""

_COST_STEP = 0.08
"""Step of a stored cost, so that it fits a byte: up to 20.3; 255 is infinite."""

CONST_ARC = np.dtype([("unit", "<i4"), ("word", "<i4"), ("cost", "<f4"), ("target", "<i4")])
CONST_STATE = np.dtype(
    [("final", "<f4"), ("first", "<u4"), ("arcs", "<u4"), ("in_epsilons", "<u4"), ("out_epsilons", "<u4")]
)
"""Records of OpenFst's const format."""
_BLOCK = 65_536
"""Arcs written at a time: a megabyte."""


@dataclass(frozen=True)
class Arcs:
    """A graph over arrays. State s has the arcs `first[s]:first[s + 1]`; its start state is 0.

    unit (A,), word (A,) int32: labels, 0 is none; cost (A,) float32: -log probability; target (A,) int32;
    first (S + 1,) int64; final (S,) float32: cost of ending there, infinite where one cannot.
    """

    unit: NDArray[np.int32]
    word: NDArray[np.int32]
    cost: NDArray[np.float32]
    target: NDArray[np.int32]
    first: NDArray[np.int64]
    final: NDArray[np.float32]

    @property
    def states(self) -> int:
        """Number of states."""
        return len(self.final)

    @property
    def source(self) -> NDArray[np.int32]:
        """State each arc leaves, (A,)."""
        return np.repeat(np.arange(self.states, dtype=np.int32), np.diff(self.first))

    @classmethod
    def gathered(cls, source: NDArray[Any], columns: Sequence[NDArray[Any]], final: NDArray[np.float32]) -> Arcs:
        """Graph from arcs in any order; `columns` are unit, word, cost, target."""
        order = np.argsort(source, kind="stable")
        unit, word, cost, target = (column[order] for column in columns)
        first = np.concatenate([[0], np.cumsum(np.bincount(source, minlength=len(final)))])
        # no copy where the type is right already: of a graph of two million arcs each column weighs 8 MB
        return cls(
            unit.astype(np.int32, copy=False), word.astype(np.int32, copy=False), cost.astype(np.float32, copy=False),
            target.astype(np.int32, copy=False), first.astype(np.int64), final.astype(np.float32, copy=False),
        )  # fmt: skip


def to_bytes(arcs: Arcs) -> bytes:
    """Compressed form. Costs are rounded to 0.08; units must fit a byte; words take two, or four where they must."""
    ordered = _depth_first(arcs)
    wide = np.uint32 if ordered.word.max(initial=0) >= 1 << 16 else np.uint16
    out = io.BytesIO()
    np.savez_compressed(
        out,
        unit=ordered.unit.astype(np.uint8),
        word=ordered.word.astype(wide),
        cost=_quantise(ordered.cost),
        # Most arcs lead to the next state: the difference is nearly always zero.
        jump=(ordered.target - ordered.source - 1).astype(np.int32),
        degree=np.diff(ordered.first).astype(np.uint16),
        final=_quantise(ordered.final),
    )
    return out.getvalue()


def from_bytes(data: bytes) -> Arcs:
    """What `to_bytes` wrote."""
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        degree = stored["degree"].astype(np.int64)
        source = np.repeat(np.arange(len(degree), dtype=np.int32), degree)
        return Arcs(
            stored["unit"].astype(np.int32),
            stored["word"].astype(np.int32),
            _restore(stored["cost"]),
            source + 1 + stored["jump"],
            np.concatenate([[0], np.cumsum(degree)]),
            _restore(stored["final"]),
        )


def _quantise(costs: NDArray[np.float32]) -> NDArray[np.uint8]:
    steps = np.where(np.isfinite(costs), np.rint(costs / _COST_STEP), 255)
    return np.clip(steps, 0, np.where(np.isfinite(costs), 254, 255)).astype(np.uint8)


def _restore(steps: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.where(steps == 255, INFINITE, np.float32(_COST_STEP) * steps).astype(np.float32)


def _depth_first(arcs: Arcs) -> Arcs:
    """The same graph with states numbered as a walk in depth meets them."""
    number = np.full(arcs.states, -1, np.int32)
    first, target = arcs.first.tolist(), arcs.target.tolist()
    met, stack = 0, [0]
    while stack:
        state = stack.pop()
        if number[state] < 0:
            number[state] = met
            met += 1
            stack.extend(reversed(target[first[state] : first[state + 1]]))
    final = np.empty(met, np.float32)
    final[number[number >= 0]] = arcs.final[number >= 0]
    kept = number[arcs.source] >= 0
    columns = (arcs.unit[kept], arcs.word[kept], arcs.cost[kept], number[arcs.target[kept]])
    return Arcs.gathered(number[arcs.source[kept]], columns, final)


def to_fst(arcs: Arcs, path: Path | None = None) -> Any:
    """A kaldifst const graph of the arrays; through the file at `path`, which stays, or a passing one."""
    import kaldifst

    if path is None:
        with tempfile.TemporaryDirectory() as folder:
            return kaldifst.StdVectorFst(to_fst(arcs, Path(folder, "graph.fst")))
    write_const(arcs, path)
    return kaldifst.StdConstFst.read(str(path))


def write_const(arcs: Arcs, path: Path) -> None:
    """Write the graph in OpenFst's const format."""
    states = np.zeros(arcs.states, CONST_STATE)
    states["final"], states["first"], states["arcs"] = arcs.final, arcs.first[:-1], np.diff(arcs.first)
    counted = np.concatenate([[0], np.cumsum(arcs.unit == 0)])
    states["in_epsilons"] = counted[arcs.first[1:]] - counted[arcs.first[:-1]]
    counted = np.concatenate([[0], np.cumsum(arcs.word == 0)])
    states["out_epsilons"] = counted[arcs.first[1:]] - counted[arcs.first[:-1]]
    header = struct.pack("<i", 2125659606)
    for text in (b"const", b"standard"):
        header += struct.pack("<i", len(text)) + text
    header += struct.pack("<iiQqqq", 2, 0, 1, 0, arcs.states, len(arcs.unit))
    with path.open("wb") as out:
        out.write(header)
        states.tofile(out)
        for place in range(0, len(arcs.unit), _BLOCK):
            records = np.empty(min(_BLOCK, len(arcs.unit) - place), CONST_ARC)
            for name in ("unit", "word", "cost", "target"):
                records[name] = getattr(arcs, name)[place : place + _BLOCK]
            records.tofile(out)


def from_fst(graph: Any) -> Arcs:
    """The arrays of a kaldifst graph, renumbered so that its start is state 0."""
    import kaldifst

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "graph.fst")
        kaldifst.StdConstFst(graph).write(str(path))
        data = path.read_bytes()
    start, states, arcs = struct.unpack_from("<qqq", data, 41)
    table = np.frombuffer(data, CONST_STATE, states, 65)
    records = np.frombuffer(data, CONST_ARC, arcs, 65 + states * CONST_STATE.itemsize)
    number = np.arange(states, dtype=np.int32)
    number[[0, start]] = number[[start, 0]]
    source = np.repeat(number, table["arcs"])
    return Arcs.gathered(
        source, (records["unit"], records["word"], records["cost"], number[records["target"]]), table["final"][number]
    )
