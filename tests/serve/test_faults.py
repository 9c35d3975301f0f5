"""What goes wrong stays with whom it goes wrong: an error, a failed response or a close code, never a broken server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from step_audio_mini.serve.limits import Limits
from step_audio_mini.types import Hearing
from tests.serve.fakes import FakeTools, Script, silence, speech
from tests.serve.harness import talking

pytestmark = pytest.mark.unit

HELLO = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello you there"}]}
MANUAL = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
WRONG: dict[str, tuple[str | bytes, str]] = {
    "no json": ("{", "unknown_or_invalid_event"),
    "deep": ("[" * 100_000, "unknown_or_invalid_event"),
    "not a number": ('{"type": "response.create", "response": {"max_output_tokens": NaN}}', "unknown_or_invalid_event"),
    "a list": ("[]", "unknown_or_invalid_event"),
    "binary": (b"\x00\x01", "unknown_or_invalid_event"),
    "half a surrogate": ('{"type": "input_audio_buffer.commit", "more": "\\ud800"}', "unknown_or_invalid_event"),
    "no type": ("{}", "unknown_or_invalid_event"),
    "a type of the past": ('{"type": "transcription_session.update"}', "unknown_or_invalid_event"),
    "nothing of WebSockets": ('{"type": "output_audio_buffer.clear"}', "unknown_or_invalid_event"),
}
INVALID: dict[str, dict[str, Any]] = {
    "no base64": {"type": "input_audio_buffer.append", "audio": "?"},
    "half a sample": {"type": "input_audio_buffer.append", "audio": "AA=="},
    "too much audio": {"type": "input_audio_buffer.append", "audio": "A" * (21 * 2**20)},
    "part of a millisecond": {
        "type": "conversation.item.truncate",
        "item_id": "a",
        "content_index": 0,
        "audio_end_ms": 1.5,
    },
    "16 kHz": {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}},
    "both modalities": {"output_modalities": ["text", "audio"]},
    "a threshold of 2": {"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 2}}}},
    "another detector": {"audio": {"input": {"turn_detection": {"type": "psychic"}}}},
    "a speed of 9": {"audio": {"output": {"speed": 9}}},
    "an image": {"role": "user", "content": [{"type": "input_image", "image_url": "data:"}]},
    "assistant audio": {"role": "assistant", "content": [{"type": "output_audio", "audio": "AAAA"}]},
    "too much metadata": {"type": "response.create", "response": {"metadata": {"k" * 65: "v"}}},
    "another conversation": {"type": "response.create", "response": {"conversation": "conv_1"}},
}


def frame_of(fields: dict[str, Any]) -> str:
    if "role" in fields:
        fields = {"type": "conversation.item.create", "item": {"type": "message", **fields}}
    elif "type" not in fields:
        fields = {"type": "session.update", "session": {"type": "realtime", **fields}}
    return json.dumps(fields)


WRONG |= {name: (frame_of(fields), "invalid_value") for name, fields in INVALID.items()}
WRONG["no audio"] = ('{"type": "input_audio_buffer.append"}', "missing_required_parameter")


async def test_what_is_wrong_is_told_and_changes_nothing() -> None:
    async with talking(strict=False) as line:
        for frame, _ in WRONG.values():
            line.raw(frame, judged=False)
        await line.settle()
        codes = [event["error"]["code"] for event in line.of("error")]
        assert dict(zip(WRONG, codes, strict=False)) == {name: code for name, (_, code) in WRONG.items()}
        assert set(line.kinds()) == {"session.created", "conversation.created", "error"}
        line.say("session.update", session={"type": "realtime"})
        updated = await line.until("session.updated")
    assert updated["session"] == line.events[0]["session"]


@pytest.mark.parametrize("method", ["plan", "speak", "complete"])
async def test_a_model_that_fails_fails_one_response(method: str) -> None:
    script = Script(fails={method})
    async with talking(script) as line:
        line.say("conversation.item.create", item=HELLO)
        line.say("response.create")
        failed = (await line.until("response.done"))["response"]
        script.fails.clear()
        line.say("conversation.item.create", item=HELLO)
        line.say("response.create")
        done = (await line.until("response.done"))["response"]
    assert failed["status"] == ("completed" if method == "complete" else "failed")
    assert done["status"] == "completed"


async def test_ears_that_fail_tell_it_in_the_place_of_the_transcript() -> None:
    async with talking(Script(fails={"hearing"})) as line:
        line.say(
            "session.update",
            session={"type": "realtime", "audio": {"input": {"turn_detection": None, "transcription": {}}}},
        )
        line.sound(speech(1.0))
        line.say("input_audio_buffer.commit")
        line.say("response.create")
        failed = await line.until("conversation.item.input_audio_transcription.failed")
        await line.settle()
    assert failed["error"]["code"] == "transcription_failed"
    assert line.of("response.done")[0]["response"]["status"] == "failed"


async def test_a_call_whose_ears_die_ends_with_1011() -> None:
    async with talking(Script(fails={"hear"})) as line:
        line.sound(speech(0.2))
        await asyncio.sleep(0.05)
    assert line.closed is not None
    assert line.closed.code == 1011


async def test_a_hanging_tool_leaves_the_call_responsive() -> None:
    async with talking(Script(turns=["turn on the light"]), tools=FakeTools(3600.0)) as line:
        line.say("session.update", session=MANUAL)
        line.sound(speech(1.0))
        line.say("input_audio_buffer.commit")
        line.say("response.create")
        await line.until("response.created")
        line.say("response.cancel")
        await line.until("response.done")
        line.say("conversation.item.create", item=HELLO)
        line.say("response.create")
        done = (await line.until("response.done"))["response"]
    assert done["output"][0]["content"][0]["transcript"] == "You said hello you there."


async def test_who_does_not_read_is_closed_with_1013() -> None:
    async with talking(limits=Limits(unread_bytes=20_000)) as line:
        line.stuck = True
        for number in range(200):
            line.say("conversation.item.create", item={**HELLO, "id": f"i{number}"})
        async with asyncio.timeout(10):
            while not line.call.outbox.overflowing:
                await asyncio.sleep(0.01)
        line.wake()
        await asyncio.sleep(0.05)
    assert line.closed is not None
    assert line.closed.code == 1013


async def test_a_session_ends_when_its_time_is_over() -> None:
    async with talking(limits=Limits(session_seconds=0.1)) as line:
        error = (await line.until("error"))["error"]
        await asyncio.sleep(0.05)
    assert error["code"] == "session_expired"
    assert line.closed is not None
    assert line.closed.code == 1001


async def test_a_drain_lets_the_reply_end() -> None:
    async with talking(Script(speak_s=0.03), limits=Limits(drain_seconds=5)) as line:
        line.say("conversation.item.create", item=HELLO)
        line.say("response.create")
        await line.until("response.created")
        line.call.closing.set()
        done = (await line.until("response.done"))["response"]
        await asyncio.sleep(0.2)
    assert done["status"] == "completed"
    assert line.closed is not None
    assert line.closed.code == 1012


@pytest.mark.parametrize(
    "moment", ["response.created", "response.output_audio.delta", "input_audio_buffer.speech_started"]
)
async def test_a_client_gone_mid_anything_leaves_nothing(moment: str) -> None:
    async with talking(Script(speak_s=0.05)) as line:
        line.sound(speech(1.0) + silence(0.9))
        line.say("conversation.item.create", item=HELLO)
        line.say("response.create")
        await line.until(moment)


async def test_too_many_responses_a_minute() -> None:
    async with talking(limits=Limits(responses_a_minute=1)) as line:
        line.say("conversation.item.create", item=HELLO)
        line.say("response.create")
        await line.until("response.done")
        line.say("conversation.item.create", item=HELLO)
        line.say("response.create", event_id="more")
        error = (await line.until("error"))["error"]
        line.sound(speech(1.2) + silence(0.9))  # turns by voice count too
        failed = (await line.until("response.done"))["response"]
    assert (error["code"], error["event_id"]) == ("rate_limit_exceeded", "more")
    assert failed["status_details"]["error"]["code"] == "rate_limit_exceeded"


class Oracle42:
    """A chat endpoint that knows one thing."""

    asked: Sequence[Any] = ()

    def wants(self, plan: Any, hearing: Hearing) -> bool:
        return "meaning" in hearing.best.text

    async def clauses(self, question: str, history: Sequence[Any], language: str) -> AsyncIterator[str]:
        self.asked = [*history, question]
        yield "It is"
        yield "forty two."

    async def close(self) -> None:
        """Nothing is open."""


async def test_an_open_question_is_handed_over() -> None:
    chat = Oracle42()
    async with talking(chat=chat) as line:
        for text in ("hello you there", "what is the meaning of life"):
            line.say("conversation.item.create", item={**HELLO, "content": [{"type": "input_text", "text": text}]})
            line.say("response.create")
            done = (await line.until("response.done"))["response"]
    assert done["output"][0]["content"][0]["transcript"] == "It is forty two."
    assert chat.asked == [
        ("user", "hello you there"),
        ("assistant", "You said hello you there."),
        "what is the meaning of life",
    ]
