"""Functions that the client runs: at once, late or never, the call goes on."""

from __future__ import annotations

from typing import Any

import pytest

from step_audio_mini.serve import maker
from tests.serve.fakes import Script, silence, speech
from tests.serve.harness import Event, Line, talking

pytestmark = pytest.mark.unit

WEATHER = {"type": "function", "name": "get_weather", "parameters": {}}


def write(line: Line, text: str, **response: Any) -> None:
    """Write something, and ask for the response to it."""
    line.say(
        "conversation.item.create",
        item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]},
    )
    line.say("response.create", response=response)


def configure(line: Line) -> None:
    line.say("session.update", session={"type": "realtime", "tools": [WEATHER], "output_modalities": ["text"]})


def said(done: Event) -> list[str]:
    items = done["response"]["output"]
    return [part["text"] for item in items if item["type"] == "message" for part in item["content"]]


async def asked(line: Line) -> str:
    """The id of the call that a question about the weather makes."""
    write(line, "what is the weather in paris")
    call = await line.until("response.output_item.done", lambda event: event["item"]["type"] == "function_call")
    return str(call["item"]["call_id"])


async def test_a_client_may_answer_as_soon_as_it_has_the_call() -> None:
    async with talking(Script(think_s=0.05)) as line:
        configure(line)
        item = {"type": "function_call_output", "call_id": await asked(line), "output": "rain"}
        line.say("conversation.item.create", item=item)
        line.say("response.create")
        await line.until("response.done")
        assert said(await line.until("response.done")) == ["Well, get_weather is done."]
    assert not line.of("error")


async def test_a_function_that_never_answers_does_not_stand_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    async with talking() as line:
        configure(line)
        call_id = await asked(line)
        await line.until("response.done")
        line.say("response.create")
        assert said(await line.until("response.done")) == []
        write(line, "good morning to you")
        assert said(await line.until("response.done")) == ["You said good morning to you."]
        monkeypatch.setattr(maker, "CLIENT_SECONDS", 0.0)
        line.say("response.create")
        assert said(await line.until("response.done")) == ["Well, get_weather is timeout."]
        late = {"type": "function_call_output", "call_id": call_id, "output": "rain"}
        line.say("conversation.item.create", item=late)
        write(line, "good night to you")
        assert said(await line.until("response.done")) == ["You said good night to you."]


async def test_a_late_result_is_told_when_it_comes() -> None:
    async with talking() as line:
        configure(line)
        call_id = await asked(line)
        await line.until("response.done")
        write(line, "good morning to you")
        assert said(await line.until("response.done")) == ["You said good morning to you."]
        line.say(
            "conversation.item.create", item={"type": "function_call_output", "call_id": call_id, "output": "rain"}
        )
        line.say("response.create")
        assert said(await line.until("response.done")) == ["Well, get_weather is done."]


async def test_results_and_what_was_asked_since_are_told_together() -> None:
    async with talking() as line:
        configure(line)
        call_id = await asked(line)
        await line.until("response.done")
        line.say(
            "conversation.item.create", item={"type": "function_call_output", "call_id": call_id, "output": "rain"}
        )
        write(line, "good morning to you")
        told = said(await line.until("response.done"))
        assert told == ["Well, get_weather is done. You said good morning to you."]
        line.say("response.create")
        assert said(await line.until("response.done")) == []


async def test_out_of_band_half_a_reply_is_not_said() -> None:
    async with talking(Script(opening="It is ")) as line:
        write(line, "turn on the light", conversation="none", output_modalities=["text"])
        assert said(await line.until("response.done")) == []


async def test_what_was_decided_is_told_of_a_reply_that_was_made_ahead() -> None:
    async with talking(Script(turns=["good morning to you"])) as line:
        detection = {"type": "server_vad", "silence_duration_ms": 400}
        line.say("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": detection}}})
        line.sound(speech(1.2) + silence(0.3))
        await line.settle()
        line.sound(silence(0.4))
        told = (await line.until("response.done"))["response"]["step_audio"]
    assert told["timings_ms"]["ahead"] > 0
    assert told["act"] == "request"
    assert told["language"] == "en"
