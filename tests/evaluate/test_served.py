"""A call as a client has it, with a server that hears by loudness: what is counted as a turn, and what is not."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np
import pytest

from step_audio_mini.errors import UserError
from step_audio_mini.evaluate.served import Talk, Wait, converse, frame_seconds, talk_rows
from step_audio_mini.types import Samples
from tests.conformance.serving import serving
from tests.serve.fakes import FakeWorker, Script

pytestmark = pytest.mark.unit


def said(*seconds: float) -> Samples:
    """A tone for some seconds, silence for some, and so on."""
    pieces = [
        np.sin(np.arange(int(16_000 * length)) / 9) * (0.3 if place % 2 == 0 else 0.0)
        for place, length in enumerate(seconds)
    ]
    return np.concatenate(pieces).astype(np.float32)


async def test_turns_are_waited_for_in_real_time() -> None:
    told: list[str] = []
    async with serving(FakeWorker(Script(speak_s=0.05))) as server:
        began = time.monotonic()
        talk = await converse(server.url, [said(0.8, 0.3), said(0.6)], 2, told.append)
        assert time.monotonic() - began > 0.8 + 0.6 + 2 * 0.45
        call = server.worker.opened[-1]
        assert len(call.completed) == 2
    assert talk.endings == {"answered": 2}
    for wait in talk.waits:
        assert 0 <= wait.wall <= wait.bound < 2_000
        assert 0 <= wait.processor <= 2 * wait.wall + 20
        assert wait.work >= wait.processor - 1
        assert wait.stages["end_of_turn"] >= 240
    assert talk.waits[0].stages["ahead"] > 20, "the reply is begun before the turn is over"
    assert told[0].startswith("turn 1 of 2: answered after")


async def test_a_turn_that_is_over_too_soon_is_told_and_not_counted() -> None:
    async with serving() as server:
        talk = await converse(server.url, [said(0.7, 0.9, 0.7), said(0.8)], 2, lambda _: None)
    assert talk.endings == {"cut off": 1, "answered": 1}
    assert len(talk.waits) == 1


async def test_a_turn_without_an_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("step_audio_mini.evaluate.served.PATIENCE_S", 0.5)
    async with serving() as server:
        talk = await converse(server.url, [np.zeros(1_600, np.float32)], 2, lambda _: None)
    assert talk.endings == {"unanswered": 2}
    with pytest.raises(UserError, match="no turn was answered"):
        talk_rows(talk, "x")


async def test_a_server_that_ends_the_call_ends_the_measurement() -> None:
    async with serving() as server:
        talking = asyncio.ensure_future(converse(server.url, [said(5.0)], 1, lambda _: None))
        await asyncio.sleep(0.3)
        app: Any = server.server.config.app
        for call in list(app.state.service._calls):
            call.closing.set()
        with pytest.raises(UserError, match="broke"):
            await asyncio.wait_for(talking, 10)


async def test_the_work_for_a_frame_is_that_of_the_server() -> None:
    async with serving() as server:
        began = time.monotonic()
        seconds = [await frame_seconds(server.url, said(0.5), 20, pause, time.process_time) for pause in (0.02, 0.0)]
        assert time.monotonic() - began > 0.4
    assert all(1e-6 < each < 0.02 for each in seconds)


def test_rows_tell_waits_and_what_was_not_counted() -> None:
    talk = Talk([Wait(100.0, 20.0, 110.0, 90.0, {"total": 99.0, "ahead": 0.0})] * 3)
    talk.endings.update({"answered": 3, "cut off": 1})
    rows = {row.measure: row for row in talk_rows(talk, "x")}
    assert rows["decision to first sound, p95"].value == 100
    assert rows["processor time in it, p99"].value == 20
    assert rows["server's own total, p50"].n == 3
    assert rows["turns cut off, not counted above"].value == 25
