"""Turns that do not go straight: nobody speaks, a turn goes on, detection is switched off, an answer is stopped."""

from __future__ import annotations

from typing import Any

import pytest

from tests.serve.fakes import FakeWorker, Script, silence, speech
from tests.serve.harness import Line, house, talking

pytestmark = pytest.mark.unit


def configure(line: Line, **detection: Any) -> None:
    detection = {"type": "server_vad", "silence_duration_ms": 300, **detection}
    source = {"turn_detection": detection, "transcription": {"model": "any"}}
    line.say("session.update", session={"type": "realtime", "audio": {"input": source}})


async def test_who_says_nothing_for_long_is_asked_whether_he_is_there() -> None:
    worker = FakeWorker(Script(turns=["good morning to you"], replies={"good morning to you": "Yes."}))
    async with talking(given=house(worker)) as line:
        configure(line, idle_timeout_ms=1000)
        line.sound(speech(1.2) + silence(0.5))
        await line.until("response.done")
        await line.until("input_audio_buffer.timeout_triggered")
        done = (await line.until("response.done"))["response"]
    assert done["output"][0]["content"][0]["transcript"] == "Still there?"
    assert worker.opened[0].completed == ["Yes."]  # the dialogue knows nothing of it
