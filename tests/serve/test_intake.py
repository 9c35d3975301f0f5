"""A client that sends faster than is heard: it may still say stop, is not hung up on, and fills no memory."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest

from step_audio_mini.serve.intake import Intake
from step_audio_mini.serve.limits import Limits
from step_audio_mini.serve.service import Options
from tests.conformance.serving import calling, serving
from tests.serve.fakes import FakeWorker, Script, silence
from tests.serve.harness import talking

pytestmark = pytest.mark.unit

USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "tell me a long long story"}]}
SECOND = base64.b64encode(silence(1.0)).decode()


async def test_stop_goes_before_sound_that_was_not_heard() -> None:
    async with talking(Script(hear_s=0.02, speak_s=0.05)) as line:
        line.say("conversation.item.create", item=USER)
        line.say("response.create")
        item = (await line.until("response.output_audio.delta"))["item_id"]
        line.sound(silence(60.0))
        line.say("response.cancel")
        async with asyncio.timeout(2):
            assert (await line.until("response.done"))["response"]["status"] == "cancelled"
        line.say("conversation.item.retrieve", item_id=item)
        async with asyncio.timeout(2):
            await line.until("conversation.item.retrieved")


async def test_what_waits_for_another_event_keeps_its_place() -> None:
    mine = {**USER, "id": "mine"}
    async with talking(Script(hear_s=0.01)) as line:
        line.sound(silence(0.6))
        line.say("conversation.item.create", item=mine)
        line.say("conversation.item.retrieve", item_id="mine")
        reference = {"type": "item_reference", "id": "mine"}
        line.say(
            "response.create", response={"conversation": "none", "input": [reference], "output_modalities": ["text"]}
        )
        done = (await line.until("response.done"))["response"]
        line.raw("{")
        await line.until("error")
    assert done["output"][0]["content"][0]["text"] == "You said tell me a long long story."
    assert [event["item"]["id"] for event in line.of("conversation.item.retrieved")] == ["mine"]
    assert len(line.of("error")) == 1


async def test_who_waits_for_the_ears_is_not_hung_up_on() -> None:
    limits = Limits(unheard_bytes=100_000)
    worker = FakeWorker(Script(hear_s=0.02))
    async with serving(worker, options=Options(limits=limits), heartbeat=0.5) as served, calling(served.url) as caller:
        await caller.until("session.created")
        for _ in range(4):  # four seconds of sound, of which a tenth of one may be behind a ping
            await caller.send("input_audio_buffer.append", audio=SECOND)
        await asyncio.sleep(2.5)
        await caller.raw(json.dumps({"type": "nothing"}))
        await caller.until("error")


async def test_the_queue_is_bounded() -> None:
    class Sound:
        type = "input_audio_buffer.append"

    intake, put = Intake(100), list[int]()

    async def sender() -> None:
        for number in range(10):
            await intake.put(Sound(), 40)
            put.append(number)

    task = asyncio.ensure_future(sender())
    await asyncio.sleep(0.01)
    assert put == [0, 1]  # the third waits within
    await intake.take()
    await asyncio.sleep(0.01)
    assert put == [0, 1, 2]
    while not task.done():
        await intake.take()
        await asyncio.sleep(0)
