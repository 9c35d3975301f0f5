"""What a session chooses of the model: the voice of its replies, and the language that its ears keep to."""

from __future__ import annotations

from typing import Any

import pytest

from step_audio_mini.cli.serve import SHIPPED_PACKS
from step_audio_mini.serve.about import about
from step_audio_mini.think.pack_file import load_pack
from tests.conformance.serving import calling, serving
from tests.serve.fakes import FakeCall, FakeWorker, Script, silence, speech
from tests.serve.harness import Line, house, talking

pytestmark = pytest.mark.unit

USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello you there"}]}


def configure(line: Line, *, language: str | None = None, **output: Any) -> None:
    transcription = {"model": "any", **({"language": language} if language else {})}
    source = {"turn_detection": {"type": "server_vad", "silence_duration_ms": 300}, "transcription": transcription}
    line.say("session.update", session={"type": "realtime", "audio": {"input": source, "output": output}})


async def answered(line: Line, **response: Any) -> str:
    """The voice that is told of a response to something written."""
    line.say("conversation.item.create", item=USER)
    line.say("response.create", response=response)
    done = await line.until("response.done")
    return str(done["response"]["audio"]["output"]["voice"])


async def test_replies_are_spoken_by_the_voice_of_the_session() -> None:
    worker = FakeWorker()
    async with talking(given=house(worker)) as line:
        configure(line, voice="lin")
        line.sound(speech(1.2) + silence(0.7))
        await line.until("response.done")
    assert worker.opened[0].voices == ["lin"]


async def test_a_response_may_have_a_voice_of_its_own_and_names_of_other_services_mean_the_usual_one() -> None:
    worker = FakeWorker()
    async with talking(given=house(worker)) as line:
        told = [await answered(line, audio={"output": {"voice": name}}) for name in ("lin", "alloy", "marin")]
        apart = await answered(line, conversation="none", audio={"output": {"voice": "lin"}})
    assert [*told, apart] == ["lin", "ada", "ada", "lin"]
    assert worker.opened[0].voices == ["lin", "ada", "ada", "lin"]


async def test_a_server_offers_the_voices_of_its_worker() -> None:
    async with serving() as served, calling(served.url) as caller:
        voice = (await caller.until("session.created"))["session"]["audio"]["output"]["voice"]
        await caller.send("session.update", session={"type": "realtime", "audio": {"output": {"voice": "li"}}})
        chosen = (await caller.until("session.updated"))["session"]["audio"]["output"]["voice"]
    assert (voice, chosen) == ("ann", "li")


async def test_the_language_may_change_at_any_time() -> None:
    worker = FakeWorker(Script(turns=["good morning to you"]))
    async with talking(given=house(worker)) as line:
        configure(line, language="zh-CN")
        line.sound(speech(1.2) + silence(0.7))
        await line.until("response.done")
        configure(line, language="zh")
        configure(line, language="en")
        configure(line)
        await line.settle()
        heard: FakeCall = worker.opened[0]
        assert heard.languages == ["zh", "en", "auto"]
        assert len(worker.opened) == 1  # what was said so far stays
        line.sound(speech(1.2) + silence(0.7))
        assert (await line.until("response.done"))["response"]["status"] == "completed"


def test_a_name_tells_what_its_packs_can_do_in_both_languages() -> None:
    told = about([load_pack("home"), load_pack("clock-weather")], examples=False)
    assert told["languages"] == ["en", "zh"]
    assert told["about"]["en"].startswith("lights, switches")
    assert "；时间" in told["about"]["zh"]
    assert "set an alarm to wake up" in told["can"]["en"] and "下一首歌" in told["can"]["zh"]
    assert "examples" not in told
    coffee = about([load_pack("coffee")], examples=False)
    assert coffee["languages"] == ["en"] and set(coffee["about"]) == {"en", "zh"}


@pytest.mark.parametrize("name", SHIPPED_PACKS)
def test_examples_of_a_pack_are_sentences_of_it(name: str) -> None:
    pack = load_pack(name)
    told = about([pack], examples=True)["examples"]
    assert set(told) == set(pack.languages)
    for sentences in told.values():
        assert len(sentences) == min(4, len(pack.intents)) and all(sentences)
    assert told == about([pack], examples=True)["examples"]
