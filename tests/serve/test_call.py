"""Calls on a worker without weights: what each client event does, in what order it is answered."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from step_audio_mini.serve.codec import FORMATS
from tests.serve.fakes import FakeTools, Script, silence, speech
from tests.serve.harness import Event, Line, talking

pytestmark = pytest.mark.unit

WEATHER = {"type": "function", "name": "get_weather", "parameters": {}}
USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello you there"}]}


def configure(line: Line, detection: Any = None, **session: Any) -> None:
    source = {"turn_detection": detection, "transcription": {"model": "any"}}
    line.say("session.update", session={"type": "realtime", "audio": {"input": source}, **session})


def sound_of(events: list[Event]) -> bytes:
    return b"".join(base64.b64decode(e["delta"]) for e in events if e["type"] == "response.output_audio.delta")


async def test_a_spoken_turn_is_answered_in_the_order_that_clients_rely_on() -> None:
    async with talking(Script(turns=["good morning to you"])) as line:
        configure(line, {"type": "server_vad", "silence_duration_ms": 300})
        line.sound(silence(0.4) + speech(1.2) + silence(0.6))
        done = await line.until("response.done")
    kinds = [kind for kind in line.kinds() if not kind.endswith(".delta")]
    assert kinds[:4] == [
        "session.created",
        "conversation.created",
        "session.updated",
        "input_audio_buffer.speech_started",
    ]
    order = [
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]
    aside = ("rate_limits.updated", "conversation.item.input_audio_transcription.completed")
    assert [kind for kind in kinds[4:] if kind not in aside] == order
    item = done["response"]["output"][0]
    assert item["content"] == [{"type": "output_audio", "transcript": "You said good morning to you."}]
    started, stopped = line.of("input_audio_buffer.speech_started")[0], line.of("input_audio_buffer.speech_stopped")[0]
    assert started["audio_start_ms"] <= 400 < 1600 <= stopped["audio_end_ms"]
    heard = line.of("conversation.item.input_audio_transcription.completed")[0]
    assert heard["transcript"] == "good morning to you"
    assert heard["step_audio"]["language"] == "en"
    stages = done["response"]["step_audio"]["timings_ms"]
    assert stages["end_of_turn"] >= 300
    assert stages["total"] >= sum(stages.get(stage, 0.0) for stage in ("listen", "think", "speak_first")) - 0.5


@pytest.mark.parametrize("size", [17 * 2, 960, 96_000])
async def test_how_the_sound_is_cut_changes_nothing(size: int) -> None:
    async with talking(Script(turns=["good morning to you"])) as line:
        configure(line, {"type": "server_vad", "silence_duration_ms": 300})
        line.sound(silence(0.4) + speech(1.2) + silence(0.6), size)
        await line.until("response.done")
    spans = [
        (event["type"], event.get("audio_start_ms"), event.get("audio_end_ms"))
        for event in line.events
        if event["type"].startswith("input_audio_buffer.")
    ]
    assert spans == [
        ("input_audio_buffer.speech_started", 100, None),
        ("input_audio_buffer.speech_stopped", None, 1900),
        ("input_audio_buffer.committed", None, None),
    ]


async def test_the_item_holds_exactly_the_sound_of_its_turn() -> None:
    sent = silence(0.4) + speech(1.2) + silence(0.6)
    async with talking(Script(turns=["good morning to you"])) as line:
        configure(line, {"type": "server_vad", "silence_duration_ms": 300})
        line.sound(sent)
        item = (await line.until("input_audio_buffer.committed"))["item_id"]
        line.say("conversation.item.retrieve", item_id=item)
        told = (await line.until("conversation.item.retrieved"))["item"]
        await line.settle()
    assert base64.b64decode(told["content"][0]["audio"]) == sent[100 * 48 : 1900 * 48]


async def test_by_hand_sound_is_committed_and_answered_when_the_client_says() -> None:
    async with talking(Script(turns=["good morning to you"])) as line:
        configure(line)
        line.say("input_audio_buffer.commit", event_id="early")
        line.sound(speech(1.2) + silence(0.3))
        line.say("input_audio_buffer.commit")
        await line.until("conversation.item.input_audio_transcription.completed")
        assert "response.created" not in line.kinds()
        line.say("response.create", response={"metadata": {"client_event_id": "x"}})
        created = await line.until("response.created")
        await line.until("response.done")
        assert created["response"]["metadata"] == {"client_event_id": "x"}
    error = line.of("error")[0]["error"]
    assert (error["code"], error["event_id"]) == ("input_audio_buffer_commit_empty", "early")


@pytest.mark.parametrize("name", list(FORMATS))
async def test_every_format_there_and_back(name: str) -> None:
    wire = FORMATS[name]
    async with talking(Script(turns=["good morning to you"])) as line:
        audio = {"input": {"format": {"type": name}, "turn_detection": None}, "output": {"format": {"type": name}}}
        line.say("session.update", session={"type": "realtime", "audio": audio})
        told = (await line.until("session.updated"))["session"]["audio"]
        assert (
            told["input"]["format"]
            == told["output"]["format"]
            == ({"type": name} | ({"rate": 24000} if name == "audio/pcm" else {}))
        )
        line.sound(wire.encode(FORMATS["audio/pcm"].decode(speech(1.2, wire.rate))))
        line.say("input_audio_buffer.commit")
        line.say("response.create")
        done = (await line.until("response.done"))["response"]
        line.say("conversation.item.retrieve", item_id=done["output"][0]["id"])
        item = (await line.until("conversation.item.retrieved"))["item"]
    sound = sound_of(line.events)
    words = len(done["output"][0]["content"][0]["transcript"].split())
    assert abs(wire.milliseconds(len(sound)) - 250 * words) <= 1
    assert base64.b64decode(item["content"][0]["audio"]) == sound


async def test_a_clients_function_is_called_once_and_its_result_is_told() -> None:
    async with talking(Script(turns=["what is the weather in paris"])) as line:
        configure(line, tools=[WEATHER])
        line.sound(speech(1.6))
        line.say("input_audio_buffer.commit")
        line.say("response.create")
        done = (await line.until("response.done"))["response"]
        call = done["output"][0]
        assert (call["type"], call["name"], json.loads(call["arguments"])) == (
            "function_call",
            "get_weather",
            {"city": "paris"},
        )
        line.say("response.create")  # too early: nothing to say yet
        assert (await line.until("response.done"))["response"]["output"] == []
        line.say(
            "conversation.item.create",
            item={"type": "function_call_output", "call_id": call["call_id"], "output": "12"},
        )
        line.say("response.create")
        done = (await line.until("response.done"))["response"]
        assert done["output"][0]["content"][0]["transcript"] == "Well, get_weather is done."
    mine = [event["type"] for event in line.events if event.get("item", {}).get("type") == "function_call"]
    assert mine == [
        "response.output_item.added",
        "conversation.item.added",
        "response.output_item.done",
        "conversation.item.done",
    ]


async def test_our_own_tools_run_beside_the_call_and_fill_the_time() -> None:
    async with talking(Script(turns=["turn on the light"]), tools=(tools := FakeTools(1.2))) as line:
        configure(line)
        line.sound(speech(1.2))
        line.say("input_audio_buffer.commit")
        line.say("response.create")
        await line.until("response.created")
        line.say("session.update", session={"type": "realtime"})
        await line.until("session.updated")  # the call goes on meanwhile
        assert "response.done" not in line.kinds()
        done = (await line.until("response.done"))["response"]
    assert done["output"][0]["content"][0]["transcript"] == "One moment. Well, HassTurnOn is done."
    assert done["step_audio"]["tool_calls"][0]["result"] == {"outcome": "done"}
    assert len(tools.ran) == 1


async def test_a_result_that_came_after_the_reply_was_cancelled_is_told_with_the_next() -> None:
    async with talking(Script(turns=["turn on the light"]), tools=(tools := FakeTools(0.3))) as line:
        configure(line)
        line.sound(speech(1.2))
        line.say("input_audio_buffer.commit")
        line.say("response.create")
        await line.until("response.created")
        await asyncio.sleep(0.1)
        line.say("response.cancel")
        done = (await line.until("response.done"))["response"]
        assert done["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
        await asyncio.sleep(0.4)
        line.say("response.create")
        done = (await line.until("response.done"))["response"]
    assert done["output"][0]["content"][0]["transcript"] == "Well, HassTurnOn is done."
    assert len(tools.ran) == 1


async def test_cancel_stops_the_sound_and_leaves_what_was_sent() -> None:
    async with talking(Script(turns=["good morning to you"], speak_s=0.05)) as line:
        configure(line)
        line.say("conversation.item.create", item=USER)
        line.say("response.create")
        await line.until("response.output_audio.delta")
        line.say("response.cancel", event_id="stop")
        done = (await line.until("response.done"))["response"]
        line.say("response.cancel", event_id="again")
        error = (await line.until("error"))["error"]
        await asyncio.sleep(0.2)
    assert done["status"] == "cancelled"
    assert done["output"][0]["status"] == "incomplete"
    assert (error["code"], error["event_id"]) == ("response_cancel_not_active", "again")
    assert error["message"].startswith("Cancellation failed")
    after = line.kinds()[line.kinds().index("response.done") :]
    assert not [kind for kind in after if kind.endswith(".delta")]


async def test_speech_over_the_answer_stops_it_and_cuts_it_to_what_was_heard() -> None:
    script = Script(
        turns=["tell me a story please", "no stop it now please"],
        replies={"tell me a story please": " ".join(["once"] * 40)},
    )
    async with talking(script) as line:
        configure(line, {"type": "semantic_vad"})
        line.sound(speech(1.4) + silence(0.7))
        await line.until("response.output_audio.delta")
        await asyncio.sleep(0.6)  # played meanwhile, by our estimate
        line.sound(speech(1.6))
        item = (await line.until("conversation.item.truncated"))["item_id"]
        line.say("conversation.item.retrieve", item_id=item)
        kept = (await line.until("conversation.item.retrieved"))["item"]
        line.sound(silence(0.8))
        await line.until("response.done")
    cut = line.of("conversation.item.truncated")[0]["audio_end_ms"]
    assert line.call._stage.model.cuts[0].split() == ["once"] * (cut // 250)  # the mind knows what was not heard
    assert 300 <= cut <= 3000
    assert kept["content"][0]["transcript"].split() == ["once"] * (cut // 250)
    assert len(base64.b64decode(kept["content"][0]["audio"])) == cut * 48
    first = next(e["response"] for e in line.of("response.done"))
    assert first["status_details"] in ({"type": "cancelled", "reason": "turn_detected"}, {"type": "completed"})


async def test_an_answer_that_is_deleted_while_it_is_played_is_not_truncated() -> None:
    script = Script(
        turns=["tell me a story please", "no stop it now please"],
        replies={"tell me a story please": " ".join(["once"] * 40)},
    )
    async with talking(script) as line:
        configure(line, {"type": "semantic_vad"})
        line.sound(speech(1.4) + silence(0.7))
        item = (await line.until("response.done"))["response"]["output"][0]["id"]
        await asyncio.sleep(0.4)  # played meanwhile, by our estimate
        line.say("conversation.item.delete", item_id=item)
        await line.until("conversation.item.deleted")
        line.sound(speech(1.6) + silence(0.8))
        await line.until("response.done")
    assert len(line.of("input_audio_buffer.committed")) == 2
    assert not line.of("conversation.item.truncated")


async def test_truncating() -> None:
    async with talking(Script()) as line:
        configure(line)
        line.say("conversation.item.create", item=USER)
        line.say("response.create")
        item = (await line.until("response.done"))["response"]["output"][0]
        sent = len(sound_of(line.events)) // 48
        cases = {"beyond": sent + 50, "whole": sent, "part": 600, "same": 600, "none": 0}
        for name, end in cases.items():
            line.say("conversation.item.truncate", event_id=name, item_id=item["id"], content_index=0, audio_end_ms=end)
        line.say("conversation.item.retrieve", item_id=item["id"])
        kept = (await line.until("conversation.item.retrieved"))["item"]["content"][0]
        line.say("conversation.item.truncate", event_id="lost", item_id="nobody", content_index=0, audio_end_ms=0)
        line.say("conversation.item.truncate", event_id="part2", item_id=item["id"], content_index=1, audio_end_ms=0)
        users = line.of("conversation.item.added")[0]["item"]["id"]
        line.say("conversation.item.truncate", event_id="user", item_id=users, content_index=0, audio_end_ms=0)
        await line.settle()
    assert kept["transcript"] == ""
    codes = {event["error"]["event_id"]: event["error"]["code"] for event in line.of("error")}
    assert codes["beyond"] == "item_truncate_invalid_audio_end_ms"
    assert codes["lost"] == "item_truncate_invalid_item_id"
    assert codes["part2"] == "item_truncate_invalid_content_index"
    assert codes["user"] == "unsupported_content_type"
    assert [event["audio_end_ms"] for event in line.of("conversation.item.truncated")] == [sent, 600, 600, 0]


async def test_items_are_a_chain() -> None:
    async with talking() as line:
        for name, after in (("a", None), ("b", None), ("front", "root"), ("mid", "a")):
            line.say(
                "conversation.item.create", item={**USER, "id": name}, **({"previous_item_id": after} if after else {})
            )
        line.say("conversation.item.create", event_id="twice", item={**USER, "id": "a"})
        line.say("conversation.item.create", event_id="where", item={**USER, "id": "w"}, previous_item_id="nobody")
        line.say("conversation.item.delete", item_id="a")
        line.say("conversation.item.delete", event_id="gone", item_id="a")
        line.say("conversation.item.retrieve", event_id="rci_a", item_id="a")
        line.say("conversation.item.create", item={**USER, "id": "last"})
        await line.settle()
    assert [event["previous_item_id"] for event in line.of("conversation.item.added")] == [None, "a", None, "a", "b"]
    codes = {event["error"]["event_id"]: event["error"]["code"] for event in line.of("error")}
    assert codes["twice"] == "item_create_duplicate_item_id"
    assert codes["gone"] == "item_delete_invalid_item_id"
    assert codes["rci_a"] == "item_retrieve_invalid_item_id"
    assert "where" in codes


async def test_text_in_and_text_out() -> None:
    async with talking() as line:
        line.say("session.update", session={"type": "realtime", "output_modalities": ["text"]})
        line.say("conversation.item.create", item=USER)
        line.say("response.create")
        done = (await line.until("response.done"))["response"]
        line.say("response.create")
        assert (await line.until("response.done"))["response"]["output"] == []  # answered already: no tool runs twice
    assert done["output"][0]["content"] == [{"type": "output_text", "text": "You said hello you there."}]
    assert "response.output_audio.delta" not in line.kinds()


async def test_a_transcription_session_answers_nothing() -> None:
    async with talking(Script(turns=["good morning to you"]), kind="transcription") as line:
        session = {"type": "transcription", "audio": {"input": {"transcription": {"model": "any"}}}}
        line.say("session.update", session=session)
        line.sound(speech(1.2) + silence(0.9))
        done = await line.until("conversation.item.input_audio_transcription.completed")
        line.say("response.create", event_id="no")
        line.say("session.update", event_id="kind", session={"type": "realtime"})
        await line.settle()
    assert done["transcript"] == "good morning to you"
    codes = {event["error"]["event_id"]: event["error"]["code"] for event in line.of("error")}
    assert codes["no"] == codes["kind"] == "invalid_session_type"
    assert "response.created" not in line.kinds()


async def test_sound_in_an_item_is_heard_apart() -> None:
    async with talking(Script(turns=["good morning to you"])) as line:
        configure(line)
        part = {"type": "input_audio", "audio": base64.b64encode(speech(1.2) + silence(0.3)).decode()}
        line.say("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
        line.say("response.create")
        done = (await line.until("response.done"))["response"]
    assert done["output"][0]["content"][0]["transcript"] == "You said good morning to you."


async def test_our_extras_only_for_who_asks() -> None:
    async with talking(Script(turns=["good morning to you"]), strict=False) as line:
        configure(line, {"type": "semantic_vad"}, step_audio={"partials": True, "other": 1})
        told = (await line.until("session.updated"))["session"]
        assert told["step_audio"] == {"partials": True}
        line.sound(speech(1.2) + silence(0.9))
        await line.until("response.done")
    partial = [
        e["step_audio"]["text"]
        for e in line.of("conversation.item.input_audio_transcription.delta")
        if "step_audio" in e
    ]
    assert partial[-1] == "good morning to you"
    assert len(partial) > 2


async def test_max_output_tokens_and_the_voice_that_stays() -> None:
    async with talking() as line:
        configure(line, max_output_tokens=2)
        line.say("conversation.item.create", item=USER)
        line.say("response.create")
        done = (await line.until("response.done"))["response"]
        for name, voice in (("same", "marin"), ("other", "lin")):
            line.say(
                "session.update", event_id=name, session={"type": "realtime", "audio": {"output": {"voice": voice}}}
            )
        await line.settle()
    assert (done["status"], done["status_details"]["reason"]) == ("incomplete", "max_output_tokens")
    assert done["output"][0]["content"][0]["transcript"] == "You said "
    assert line.of("error")[0]["error"]["code"] == "cannot_update_voice"
