"""Promises of a call that no single event shows: stages that add up, silence after so much sound, tools that run once.

Numbers in the names are those of the list of invariants that realtime voice protocols live by.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from step_audio_mini.think.plan import Plan
from tests.serve.fakes import FakeCall, FakeTools, FakeWorker, Script, silence, speech
from tests.serve.harness import Event, Line, house, talking

pytestmark = pytest.mark.unit

LIGHT = {"type": "function", "name": "HassTurnOn", "parameters": {}}
STAGES = ("listen", "think", "tools", "speak_first")
QUICK = {"type": "server_vad", "silence_duration_ms": 300}


def configure(line: Line, detection: Any = None, **session: Any) -> None:
    source = {"turn_detection": detection, "transcription": {"model": "any"}}
    line.say("session.update", session={"type": "realtime", "audio": {"input": source}, **session})


def write(line: Line, text: str) -> None:
    content = [{"type": "input_text", "text": text}]
    line.say("conversation.item.create", item={"type": "message", "role": "user", "content": content})


def told(done: Event) -> list[str]:
    """The words of a response."""
    messages = [item for item in done["response"]["output"] if item["type"] == "message"]
    return [part.get("transcript") or part.get("text") for item in messages for part in item["content"]]


async def heard_by(line: Line, name: str) -> None:
    """All that was sent so far was taken by the server."""
    line.say("nothing", event_id=name)
    await line.until("error", lambda event: event["error"]["event_id"] == name)


async def test_9_no_stage_is_negative_and_together_they_are_no_more_than_the_whole() -> None:
    script = Script(turns=["turn on the light", "good morning to you my friend"], think_s=0.02, speak_s=0.01)
    async with talking(script, tools=FakeTools(0.05)) as line:
        for detection in (QUICK, {"type": "semantic_vad"}):
            configure(line, detection)
            for _ in range(2):
                line.sound(speech(1.4) + silence(0.9))
                await line.until("response.done")
        write(line, "turn on the light")
        line.say("response.create", response={"output_modalities": ["text"]})
        await line.until("response.done")
    for done in line.of("response.done"):
        stages = done["response"]["step_audio"]["timings_ms"]
        assert stages and min(stages.values()) >= 0, stages
        assert sum(stages.get(stage, 0.0) for stage in STAGES) <= stages["total"] + 0.5, stages
    assert {stage for done in line.of("response.done") for stage in done["response"]["step_audio"]["timings_ms"]} >= {
        *STAGES,
        "end_of_turn",
        "ahead",
    }


STORY = " ".join(["once"] * 60)


@asynccontextmanager
async def story(second: str) -> AsyncIterator[Line]:
    """A long answer of which some was sent; the person says `second` over it."""
    script = Script(turns=["tell me a story please", second], replies={"tell me a story please": STORY}, speak_s=0.01)
    async with talking(script) as line:
        configure(line, {"type": "semantic_vad"})
        line.sound(speech(1.4) + silence(0.7))
        for _ in range(5):
            await line.until("response.output_audio.delta")
        yield line


async def sound_until_quiet(line: Line, most_ms: int) -> int:
    """Speech frame by frame, each taken before the next; milliseconds of it until no more of the answer is sent."""
    for frame in range(most_ms // 20):
        before = len(line.of("response.output_audio.delta"))
        line.sound(speech(0.02))
        await heard_by(line, f"frame_{frame}")
        await asyncio.sleep(0.04)  # time for four words of the answer
        if len(line.of("response.output_audio.delta")) == before:
            return 20 * (frame + 1)
    raise AssertionError(f"the answer goes on after {most_ms} ms of speech")


async def test_10_an_answer_falls_silent_within_150_ms_of_speech_over_it_and_for_good() -> None:
    async with story("no stop it now please") as line:
        assert await sound_until_quiet(line, 400) <= 150
        sent = len(line.of("response.output_audio.delta"))
        line.sound(speech(1.6))
        done = (await line.until("response.done"))["response"]
        assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        await asyncio.sleep(0.1)
        assert len(line.of("response.output_audio.delta")) == sent


async def test_10_what_waits_for_a_slow_reader_is_not_sent_once_its_answer_is_cancelled() -> None:
    async with talking(Script(replies={"a story": STORY}, speak_s=0.05)) as line:
        configure(line)
        write(line, "a story")
        line.say("response.create")
        await line.until("response.output_audio.delta")
        line.stuck = True
        await asyncio.sleep(0.3)  # more of it is made, by far not all
        line.say("response.cancel")
        await asyncio.sleep(0.05)
        sent = len(line.of("response.output_audio.delta"))
        line.wake()
        done = (await line.until("response.done"))["response"]
        await line.settle()
    assert done["status"] == "cancelled"
    assert len(line.of("response.output_audio.delta")) <= sent + 1, "one frame may be on its way"


async def test_an_answer_goes_on_at_the_sample_after_an_acknowledgement() -> None:
    async with story("mhm") as line:
        await sound_until_quiet(line, 400)
        line.sound(speech(0.25) + silence(1.0))
        done = await line.until("response.done")
    sound = b"".join(base64.b64decode(event["delta"]) for event in line.of("response.output_audio.delta"))
    assert done["response"]["status"] == "completed"
    assert told(done) == [STORY]
    assert abs(len(sound) - 60 * 250 * 48) <= 48
    assert len(line.of("input_audio_buffer.speech_started")) == 1


async def test_14_16_a_result_that_comes_while_the_person_speaks_is_held_and_told_once() -> None:
    tools = FakeTools(0.25)
    async with talking(Script(turns=["turn on the light", "and good evening to you"]), tools=tools) as line:
        configure(line, QUICK)
        line.sound(speech(1.1) + silence(0.5))
        await line.until("response.created")
        line.sound(silence(1.5) + speech(1.6))  # too late to go on with the turn before
        done = (await line.until("response.done"))["response"]
        assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        await asyncio.sleep(0.4)
        assert len(tools.ran) == 1, "interrupting it does not stop the tool"
        assert len(line.of("response.created")) == 1, "nothing new is said while the person has the turn"
        line.sound(silence(1.0))
        words = told(await line.until("response.done")) + told(await line.until("response.done"))
        await line.settle()
    assert sorted(words) == ["Well, HassTurnOn is done.", "You said and good evening to you."]
    assert len(tools.ran) == 1


async def test_a_client_that_cancels_hears_nothing_new_before_it_asks() -> None:
    async with talking(Script(turns=["turn on the light"]), tools=(tools := FakeTools(0.15))) as line:
        configure(line, QUICK)
        line.sound(speech(1.1) + silence(0.5))
        await line.until("response.created")
        await asyncio.sleep(0.05)
        line.say("response.cancel")
        await line.until("response.done")
        await asyncio.sleep(0.3)
        line.sound(silence(0.4))
        await line.settle()
        assert (len(tools.ran), len(line.of("response.created"))) == (1, 1)
        line.say("response.create")
        assert told(await line.until("response.done")) == ["Well, HassTurnOn is done."]


class Thoughtful(FakeCall):
    """Takes its time to accept a plan, as a model thread with other work does."""

    async def accept(self, plan: Plan) -> None:
        await asyncio.sleep(0.05)


class Loaded(FakeWorker):
    """Opens calls on a busy machine."""

    async def open(self, pack: Any, language: Any = "auto") -> FakeCall:
        self.calls += 1
        self.opened.append(Thoughtful(self.script, self))
        return self.opened[-1]


async def test_a_client_may_answer_as_soon_as_its_function_is_called() -> None:
    async with talking(given=house(Loaded(Script(turns=["turn on the light"])))) as line:
        configure(line, QUICK, tools=[LIGHT])
        line.sound(speech(1.1) + silence(0.5))
        call = await line.until("response.output_item.done")
        item = {"type": "function_call_output", "call_id": call["item"]["call_id"], "output": json.dumps({"on": 1})}
        line.say("conversation.item.create", item=item)
        line.say("response.create")
        await line.until("response.done")
        assert told(await line.until("response.done")) == ["Well, HassTurnOn is done."]
        assert not line.of("error")


async def test_a_function_that_its_client_never_answers_keeps_no_later_question_waiting() -> None:
    async with talking(Script()) as line:
        configure(line, tools=[LIGHT])
        for text in ("turn on the light", "good morning to you"):
            write(line, text)
            line.say("response.create")
            done = await line.until("response.done")
    assert told(done) == ["You said good morning to you."]


async def test_what_was_decided_is_told_of_a_reply_that_was_ready_before_its_turn_was_over() -> None:
    async with talking(Script(turns=["good morning to you"])) as line:
        configure(line, {"type": "semantic_vad"})
        line.sound(speech(1.2) + silence(0.2))
        await heard_by(line, "paused")
        await asyncio.sleep(0.1)
        line.sound(silence(0.8))
        done = (await line.until("response.done"))["response"]
    assert done["step_audio"]["timings_ms"]["ahead"] > 50
    assert (done["step_audio"]["act"], done["step_audio"]["confidence"]) == ("request", 0.9)
