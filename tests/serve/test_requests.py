"""Responses that a client asks for: one at a time in the conversation, any beside it."""

from __future__ import annotations

import json

import pytest

from tests.serve.fakes import FakeTools, Script
from tests.serve.harness import talking
from tests.serve.test_call import USER, WEATHER

pytestmark = pytest.mark.unit


async def test_one_active_response_and_any_out_of_band() -> None:
    async with talking(Script(speak_s=0.1)) as line:
        line.say("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        line.say("conversation.item.create", item=USER)
        line.say("response.create")
        await line.until("response.created")
        line.say("response.create", event_id="second")
        line.say(
            "response.create",
            response={
                "conversation": "none",
                "metadata": {"k": "v"},
                "output_modalities": ["text"],
                "input": [
                    {
                        "type": "message",
                        "role": "user",
                        "content": [{"type": "input_text", "text": "what is the weather in rome"}],
                    }
                ],
                "tools": [WEATHER],
            },
        )
        apart = (await line.until("response.done"))["response"]
        line.say("response.create", event_id="lost", response={"input": [{"type": "item_reference", "id": "nobody"}]})
        mine = {"type": "item_reference", "id": line.of("conversation.item.added")[0]["item"]["id"]}
        line.say("response.create", response={"conversation": "none", "output_modalities": ["text"], "input": [mine]})
        referred = (await line.until("response.done"))["response"]["output"][0]["content"][0]["text"]
        assert referred == "You said hello you there."
        line.say("response.create", response={"conversation": "none"})
        other = (await line.until("response.created"))["response"]["id"]
        line.say("response.cancel", response_id=other)
        cancelled = (await line.until("response.done"))["response"]
        await line.settle()
    codes = {event["error"]["event_id"]: event["error"]["code"] for event in line.of("error")}
    assert codes["second"] == "conversation_already_has_active_response"
    assert codes["lost"] == "item_reference_invalid_id"
    assert (apart["conversation_id"], apart["metadata"]) == (None, {"k": "v"})
    assert json.loads(apart["output"][0]["arguments"]) == {"city": "rome"}
    assert (cancelled["id"], cancelled["status"]) == (other, "cancelled")


async def test_while_a_tool_is_slow_the_reply_begins_with_what_is_certain() -> None:
    async with talking(Script(opening="Well,"), tools=FakeTools(1.2)) as line:
        line.say("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        line.say("conversation.item.create", item={**USER, "content": [{"type": "input_text", "text": "the light"}]})
        line.say("response.create")
        first = await line.until("response.output_audio_transcript.delta")
        done = (await line.until("response.done"))["response"]
    assert first["delta"] == "Well,"
    assert done["output"][0]["content"][0]["transcript"] == "Well, HassTurnOn is done."
