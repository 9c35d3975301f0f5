"""Callers come and go for half an hour in every way there is; memory, tasks and handles stay where they were.

`CHURN_SECONDS=60 python -m pytest -m slow tests/conformance/test_churn.py -s` is the short one. What it saw is printed
and, where `CHURN_REPORT` names a file, written there.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from step_audio_mini.evaluate.intervals import Figure
from step_audio_mini.evaluate.results import Results, row
from tests.conformance.serving import Caller, Served, serving
from tests.serve.fakes import FakeTools, FakeWorker, Script, silence, speech

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("CHURN_SECONDS", "1800"))
CALLERS = 6
MEASURES = 12
WARM = 1 / 3  # of the time; allocators and caches fill meanwhile
GROWTH_MB = 8.0
WAYS = (
    "politely",
    "abruptly",
    "half way through a frame",
    "in the answer",
    "in a function",
    "with nonsense",
    "silently",
)
FILE = "tests/conformance/test_churn.py"
WEATHER = {"type": "function", "name": "get_weather", "parameters": {}}


@dataclass(frozen=True)
class Measure:
    """The process while nobody calls."""

    seconds: float
    calls: int
    memory_mb: float
    tasks: int
    handles: int


def memory_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def visit(url: str, way: str, dice: random.Random) -> None:
    """One call that ends in one of the ways."""
    async with connect(url, compression=None, max_size=None) as socket:
        caller = Caller(socket)
        await caller.until("session.created")
        detection = {"type": "server_vad", "silence_duration_ms": 300}
        source = {"turn_detection": detection, "transcription": {"model": "any"}}
        session: dict[str, Any] = {"type": "realtime", "audio": {"input": source}}
        session["tools"] = [WEATHER] if way == "in a function" else []
        await caller.send("session.update", session=session)
        if way == "with nonsense":
            for _ in range(20):
                await caller.raw("".join(chr(dice.randrange(32, 127)) for _ in range(50)))
            await caller.until("error")
        await caller.speak(speech(dice.uniform(0.3, 1.8)) + silence(0.8 * dice.random()))
        if way == "half way through a frame":
            socket.transport.write(b"\x81\xfe\x10\x00abcd")
        elif way in ("politely", "in the answer", "in a function"):
            await caller.speak(speech(1.6) + silence(0.8))
            await caller.until("response.done" if way == "politely" else "response.created")
        if way == "silently":
            await asyncio.sleep(0.2)
        elif way != "politely":
            socket.transport.abort()


async def callers(served: Served, end: float, dice: random.Random, reports: dict[str, int]) -> None:
    """Call after call until it is time."""
    while time.monotonic() < end:
        way = dice.choice(WAYS)
        with suppress(ConnectionClosed):
            await visit(served.url, way, dice)
        reports[way] = reports.get(way, 0) + 1


async def quiet(served: Served, began: float, calls: int) -> Measure:
    """Wait until the last call is over, then measure."""
    async with asyncio.timeout(30):
        while served.worker.calls:
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    served.worker.opened.clear()
    gc.collect()
    handles = len(list(Path("/proc/self/fd").iterdir()))
    return Measure(round(time.monotonic() - began, 1), calls, round(memory_mb(), 1), len(asyncio.all_tasks()), handles)


def results(calls: int, warm: Sequence[Measure]) -> Results:
    """What is reported: the least and the most of everything after the warm-up, as ends of the interval."""
    command = f"CHURN_SECONDS={SECONDS:g} CHURN_REPORT=docs/results/churn.json python -m pytest -m slow {FILE}"
    data = f"{calls} calls in {warm[-1].seconds / 60:.0f} minutes, {CALLERS} at once, {len(WAYS)} ways to leave"
    rows = []
    for measure, unit, values in (
        ("memory of the server between calls", "MB", [one.memory_mb for one in warm]),
        ("tasks left", "x", [float(one.tasks) for one in warm]),
        ("open handles", "x", [float(one.handles) for one in warm]),
    ):
        figure = Figure(values[-1], min(values), max(values), len(values), "measures after the warm-up")
        rows.append(row(measure, data, figure, "text", unit, note="scripted ears and voice; no models"))
    return Results("churn", command, tuple(rows))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="measures by /proc")
async def test_churn_leaves_nothing_behind() -> None:
    dice = random.Random(7)
    reports: dict[str, int] = {}
    measures: list[Measure] = []
    worker = FakeWorker(Script(turns=("what is the weather in paris", "good morning to you"), speak_s=0.01))
    async with serving(worker, tools=FakeTools(0.1)) as served:
        began = time.monotonic()
        for _ in range(MEASURES):
            end = time.monotonic() + SECONDS / MEASURES
            await asyncio.gather(*(callers(served, end, dice, reports) for _ in range(CALLERS)))
            measures.append(await quiet(served, began, sum(reports.values())))
    warm = measures[int(MEASURES * WARM) :]
    told = results(sum(reports.values()), warm)
    print(json.dumps(told.to_json() | {"ways": reports, "measures": [asdict(one) for one in measures]}, indent=1))
    if report := os.environ.get("CHURN_REPORT"):
        told.write(Path(report))
    assert set(reports) == set(WAYS)
    assert {one.tasks for one in warm} == {warm[0].tasks}
    assert max(one.handles for one in warm) <= warm[0].handles
    assert warm[-1].memory_mb - warm[0].memory_mb < GROWTH_MB
