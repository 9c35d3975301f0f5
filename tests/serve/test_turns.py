"""Turns that do not go straight: nobody speaks, a turn goes on, detection is switched off, an answer is stopped."""

from __future__ import annotations

import base64
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


ON = speech(1.2) + silence(0.45)


async def test_who_goes_on_after_a_pause_is_answered_to_all_he_said() -> None:
    worker = FakeWorker(Script(turns=["set a timer", "for five minutes please"], speak_s=0.05))
    async with talking(given=house(worker)) as line:
        configure(line)
        line.sound(ON)
        first = (await line.until("input_audio_buffer.committed"))["item_id"]
        await line.until("response.output_audio.delta")
        line.sound(silence(0.1) + speech(1.2) + silence(0.45))
        assert (await line.until("response.done"))["response"]["status"] == "cancelled"
        second = await line.until("input_audio_buffer.committed")
        done = (await line.until("response.done"))["response"]
    assert done["output"][0]["content"][0]["transcript"] == "You said set a timer for five minutes please."
    assert second["step_audio"] == {"continues": first}
    told = [event["transcript"] for event in line.of("conversation.item.input_audio_transcription.completed")]
    assert told == ["set a timer", "for five minutes please"]  # each item holds its own sound and words
    assert worker.opened[0].taken_back == 1


async def test_a_new_turn_after_an_answer_was_heard_stands_for_itself() -> None:
    worker = FakeWorker(Script(turns=["set a timer", "for five minutes please"], speak_s=0.05))
    async with talking(given=house(worker)) as line:
        configure(line)
        line.sound(ON)
        await line.until("response.done")
        line.sound(silence(1.5) + speech(1.2) + silence(0.45))
        second = await line.until("input_audio_buffer.committed")
        done = (await line.until("response.done"))["response"]
    assert done["output"][0]["content"][0]["transcript"] == "You said for five minutes please."
    assert "step_audio" not in second
    assert worker.opened[0].taken_back == 0


async def test_a_call_that_was_cancelled_while_it_told_a_result_begins_no_empty_response() -> None:
    script = Script(turns=["turn on the kitchen light"], speak_s=0.05)
    async with talking(script) as line:
        configure(line)
        line.sound(speech(1.5) + silence(0.5))
        await line.until("response.output_audio.delta")
        line.say("response.cancel")
        await line.until("response.done")
        line.sound(silence(2.0))
        await line.settle()
    assert len(line.of("response.created")) == 1


async def test_a_result_that_was_not_heard_is_told_again() -> None:
    script = Script(turns=["turn on the kitchen light", "good morning to you"], speak_s=0.05)
    worker = FakeWorker(script)
    async with talking(given=house(worker)) as line:
        configure(line)
        line.sound(speech(1.5) + silence(0.5))
        await line.until("response.output_audio.delta")
        line.sound(speech(1.2) + silence(0.5))
        told = [(await line.until("response.done"))["response"] for _ in range(3)]
    texts = [response["output"][0]["content"][0]["transcript"] for response in told[1:]]
    assert told[0]["status"] == "cancelled"
    assert texts[0].startswith("You said ") and texts[1] == "Well, HassTurnOn is done."
    assert worker.opened[0].completed.count("Well, HassTurnOn is done.") == 1  # told twice, noted once


async def test_detection_switched_off_in_mid_speech_ends_that_turn_and_leaves_its_sound_to_the_client() -> None:
    async with talking(Script(turns=["good morning to you"])) as line:
        configure(line)
        line.sound(speech(1.2))
        begun = (await line.until("input_audio_buffer.speech_started"))["item_id"]
        source = {"turn_detection": None}
        line.say("session.update", session={"type": "realtime", "audio": {"input": source}})
        stopped = await line.until("input_audio_buffer.speech_stopped")
        line.sound(speech(0.4) + silence(0.2))
        line.say("input_audio_buffer.commit")
        item = (await line.until("input_audio_buffer.committed"))["item_id"]
        line.say("conversation.item.retrieve", item_id=item)
        told = await line.until("conversation.item.retrieved")
        await line.settle()
    assert stopped["item_id"] == begun != item
    assert len(base64.b64decode(told["item"]["content"][0]["audio"])) == 1800 * 48
