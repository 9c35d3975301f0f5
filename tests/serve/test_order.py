"""Whatever a client sends, and whatever breaks behind it: the strict oracle has nothing to say, and nothing is left."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serve.fakes import FakeTools, Script, silence, speech
from tests.serve.harness import Line, talking

pytestmark = pytest.mark.unit

STEPS = st.sampled_from(
    ["speech", "pause", "commit", "clear", "text", "output", "response", "apart", "cancel", "truncate", "delete",
     "retrieve", "update", "manual", "tools", "wrong", "wait"]
)  # fmt: skip
FAILURES = st.sampled_from([set(), set(), {"plan"}, {"speak"}, {"complete"}, {"hearing"}])


def source(**fields: Any) -> dict[str, Any]:
    """A session of which only the client's sound is told."""
    return {"type": "realtime", "audio": {"input": fields}}


def frame(line: Line, name: str, number: int) -> tuple[str, dict[str, Any]]:
    """The event that a step sends."""
    items = [event["item"]["id"] for event in line.of("conversation.item.added")] or ["nobody"]
    one = items[number % len(items)]
    content = [{"type": "input_text", "text": ("the light", "hi")[number % 2]}]
    message = {"type": "message", "role": "user", "id": f"mine{number}", "content": content}
    calls = [event["call_id"] for event in line.of("response.function_call_arguments.done")] or ["call_none"]
    output = {"type": "function_call_output", "id": f"out{number}", "call_id": calls[-1], "output": "1"}
    vad = {"type": "server_vad", "silence_duration_ms": 200} if number % 2 else {"type": "semantic_vad"}
    events: dict[str, tuple[str, dict[str, Any]]] = {
        "commit": ("input_audio_buffer.commit", {}),
        "clear": ("input_audio_buffer.clear", {}),
        "text": ("conversation.item.create", {"item": message}),
        "output": ("conversation.item.create", {"item": output}),
        "response": ("response.create", {}),
        "apart": ("response.create", {"response": {"conversation": "none", "output_modalities": ["text"]}}),
        "cancel": ("response.cancel", {}),
        "truncate": ("conversation.item.truncate", {"item_id": one, "content_index": 0, "audio_end_ms": number % 9}),
        "delete": ("conversation.item.delete", {"item_id": one}),
        "retrieve": ("conversation.item.retrieve", {"item_id": one}),
        "update": ("session.update", {"session": source(turn_detection=vad, transcription={})}),
        "manual": ("session.update", {"session": source(turn_detection=None)}),
        "tools": ("session.update", {"session": {**source(), "tools": [{"type": "function", "name": "HassTurnOn"}]}}),
        "wrong": ("session.update", {"session": source(format={"type": "audio/pcm", "rate": 8000})}),
    }
    return events[name]


async def play(steps: list[str], fails: set[str], hangs: bool) -> None:
    script = Script(turns=["put on the light", "good evening to all"], fails=fails, speak_s=0.001)
    async with talking(script, tools=FakeTools(3600.0 if hangs else 0.004)) as line:
        line.say("session.update", session=source(transcription={}))
        for number, name in enumerate(steps):
            if name in ("speech", "pause"):
                line.sound(speech(0.9) if name == "speech" else silence(0.5))
            elif name == "wait":
                await asyncio.sleep(0.004 * (number % 4))
            else:
                kind, fields = frame(line, name, number)
                line.say(kind, event_id=f"e{number}", **fields)
        line.say("session.update", session=source(turn_detection=None))
        line.say("response.cancel")
        await line.settle()
        assert len(line.of("response.created")) == len(line.of("response.done"))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(STEPS, max_size=25), fails=FAILURES, hangs=st.booleans())
def test_any_order_of_events_keeps_every_promise(steps: list[str], fails: set[str], hangs: bool) -> None:
    asyncio.run(play(steps, fails, hangs))


async def test_the_same_call_twice_gives_the_same_events() -> None:
    async def once() -> list[Any]:
        async with talking(Script(turns=["good morning to you"])) as line:
            line.say("session.update", session=source(turn_detection={"type": "semantic_vad"}))
            line.sound(silence(0.3) + speech(1.2) + silence(0.8))
            await line.until("response.done")
        return [(event["type"], event.get("transcript")) for event in line.events]

    assert await once() == await once()
