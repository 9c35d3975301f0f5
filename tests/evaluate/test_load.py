"""Many calls at once, with a worker that takes known times."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from step_audio_mini.evaluate import load
from step_audio_mini.evaluate.load import Answer, Rung, climb, idle_megabytes, load_rows
from step_audio_mini.serve.worker import Heard
from step_audio_mini.types import (
    Attributes,
    AudioChunk,
    Decision,
    DialogueState,
    Hearing,
    Language,
    Samples,
    Style,
)

pytestmark = pytest.mark.unit


class TimedCall:
    """A turn is over 0.1 s after its last loud piece; hearing, deciding and speaking take what they are told."""

    def __init__(self, worker: TimedWorker) -> None:
        self._worker, self._quiet, self._ms = worker, 0, 0

    async def hear(self, samples: Samples) -> Heard:
        self._ms += 20
        self._quiet = 0 if samples.any() else self._quiet + 20
        return Heard(self._ms, 0.0, float(self._quiet >= 100), 300 if self._quiet else 0, "")

    async def reset(self, keep_ms: int = 0) -> None:
        self._worker.turns += 1

    async def hearing(self) -> Hearing:
        await asyncio.sleep(self._worker.seconds)
        return Hearing((), Attributes(0.0, 0.0, None), np.zeros((0, 3), np.float32))

    async def decide(self, hearing: Hearing) -> Decision:
        return Decision("inform", DialogueState(), (), "yes", "en", Style(), 1.0)

    async def speak(self, text: str, language: Language, style: Style | None = None) -> AsyncIterator[AudioChunk]:
        yield AudioChunk(np.zeros(800, np.float32))
        await asyncio.sleep(0.15)  # the first piece lasts 0.05 s
        yield AudioChunk(np.zeros(800, np.float32))

    async def close(self) -> None:
        self._worker.open_calls -= 1


class TimedWorker:
    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.open_calls, self.turns = seconds, 0, 0

    async def __aenter__(self) -> TimedWorker:
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.open_calls == 0

    async def open(self, pack: Any, language: Any = "auto") -> TimedCall:
        self.open_calls += 1
        return TimedCall(self)


def test_calls_talk_in_real_time_and_waits_and_gaps_are_told() -> None:
    worker = TimedWorker(0.05)
    (made,) = asyncio.run(climb(lambda: worker, [np.ones(1_600, np.float32)], "home", [2], 0.1))
    assert made.calls == 2
    assert worker.turns == len(made.answers) >= 2
    for answer in made.answers:
        assert 50 <= answer.hearing <= answer.decided <= answer.sound
        assert (answer.pieces, answer.gaps) == (2, 1)
    assert len(made.late) >= 2 * (5 + 6)
    assert made.processor < 1.0


def test_the_ladder_ends_where_answers_come_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "LIMIT_MS", 1.0)
    rungs = asyncio.run(climb(lambda: TimedWorker(0.01), [np.ones(1_600, np.float32)], "home", [1, 2], 0.1))
    assert [made.calls for made in rungs] == [1]
    assert not rungs[0].held


def test_rows_name_the_greatest_number_that_was_held() -> None:
    def made(calls: int, sound: float) -> Rung:
        return Rung(calls, [Answer(10.0, 20.0, sound, 3, 1)] * 4, 0.05, [1.0] * 9)

    rows = {(row.measure, row.data.split(",")[0]): row for row in load_rows([made(1, 50.0), made(4, 400.0)], 2.5, "x")}
    assert rows["calls at once with p95 within 300 ms", "x"].value == 1
    assert rows["end of turn to first sound, p95", "4 calls"].value == 400
    assert rows["of it voice, p50", "1 calls"].value == 30
    assert rows["late pieces of answers", "1 calls"].value == 50
    assert rows["memory of a silent call", "500 open calls"].value == 2.5
    assert rows["processor time of a call", "1 calls"].value == pytest.approx(5)


def test_silent_calls_are_weighed() -> None:
    assert abs(asyncio.run(idle_megabytes(TimedWorker, "home"))) < 1
