"""What one call may take of the memory and the time that all share."""

from __future__ import annotations

import asyncio
import base64

import pytest
from openai.types.realtime import RealtimeConversationItemFunctionCallOutput

from step_audio_mini.serve import conversation
from step_audio_mini.serve.conversation import Conversation, Entry
from step_audio_mini.serve.items import MOST_RECORDINGS
from tests.serve.fakes import FakeWorker, Script, silence
from tests.serve.harness import house, talking

pytestmark = pytest.mark.unit


def recording(seconds: float) -> dict[str, object]:
    sound = base64.b64encode(silence(seconds)).decode()
    return {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": sound}]}


async def test_recordings_are_heard_one_after_the_other_and_only_so_many_wait() -> None:
    worker = FakeWorker(Script(hear_s=0.01))
    async with talking(given=house(worker)) as line:
        for number in range(MOST_RECORDINGS + 3):
            line.say("conversation.item.create", event_id=f"e{number}", item=recording(1.0))
        await line.settle()
        refused = line.of("error")
        assert worker.calls <= 2  # the call itself, and the ears of one recording
        async with asyncio.timeout(10):
            while sum(call.closed for call in worker.opened) < MOST_RECORDINGS:
                await asyncio.sleep(0.01)
        line.say("conversation.item.create", event_id="again", item=recording(0.1))
        await line.settle()
    codes = [event["error"]["code"] for event in refused if event["error"]["event_id"].startswith("e")]
    assert codes == ["rate_limit_exceeded"] * 3
    assert "again" not in [event["error"]["event_id"] for event in line.of("error")]


def test_the_oldest_items_go_where_text_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "MOST_TEXT", 100)
    kept = Conversation()
    for number in range(4):
        item = RealtimeConversationItemFunctionCallOutput(
            type="function_call_output", id=f"i{number}", call_id="c", output="x" * 45
        )
        kept.add(Entry(item))
    assert kept.overflow() == ["i0", "i1"]
    long = RealtimeConversationItemFunctionCallOutput(
        type="function_call_output", id="long", call_id="c", output="x" * 500
    )
    kept.add(Entry(long))
    assert kept.overflow() == ["i0", "i1", "i2", "i3"]  # the newest stays


async def test_a_session_is_not_larger_than_it_may_be() -> None:
    tools = [{"type": "function", "name": "f", "description": "x" * 600_000}] * 2
    async with talking() as line:
        line.say("session.update", event_id="large", session={"type": "realtime", "tools": tools})
        error = (await line.until("error"))["error"]
    assert (error["code"], error["event_id"]) == ("invalid_value", "large")
    assert "KiB" in error["message"]


async def test_minutes_of_sound_at_once_are_heard_bit_by_bit() -> None:
    worker = FakeWorker()
    async with talking(given=house(worker)) as line:
        line.say("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        line.say("input_audio_buffer.append", audio=base64.b64encode(silence(60.0)).decode())
        await line.settle()
        line.say("conversation.item.create", item=recording(60.0))
        async with asyncio.timeout(10):
            while len(worker.opened) < 2 or not worker.opened[1].closed:
                await asyncio.sleep(0.01)
    assert all(0 < call.longest <= 17_000 for call in worker.opened)  # about a second: others wait no longer
