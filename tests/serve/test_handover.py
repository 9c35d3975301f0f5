"""An endpoint may be slow, broken, lying or gone: something sensible is said, in time, and nothing leaves unasked."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from step_audio_mini.errors import UserError
from step_audio_mini.serve.handover import MOST_ANSWER, MOST_HISTORY, SURE, Breaker, Endpoint, HandOver, Said, bounded
from step_audio_mini.think.mind import hearing_of
from step_audio_mini.think.plan import Plan
from step_audio_mini.types import DialogueState, Language, Style
from tests.serve.fakes import Script, speech
from tests.serve.harness import talking

pytestmark = pytest.mark.unit
ASKING, BROKEN = "Let me ask.", "Sorry, the answer broke off there."
NOBODY = "That is an open question, and I can't reach anyone who knows."
PLAN = Plan(
    act="out_of_scope", state=DialogueState(), calls=(), reply="I can't help with that yet.", opening="", waiting="",
    language="en", style=Style(), confidence=0.9, meant=0.1, system="sorry", asked=None, keeps=True, turn=0,
)  # fmt: skip
Write = Callable[[bytes], Awaitable[None]]
Behaviour = Callable[[Write], Awaitable[None]]


def event(content: Any) -> bytes:
    body = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": content}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def piece(text: Any) -> bytes:
    return event([{"index": 0, "delta": {"content": text}, "finish_reason": None}])


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
END = b"data: [DONE]\n\n"


@dataclass
class Fake:
    """An endpoint on the loopback that does what a test wants, and remembers what it was sent."""

    behaviour: Behaviour
    port: int = 0
    asked: list[dict[str, Any]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length:")[2].split("\r\n")[0])
            self.heads.append(head)
            self.asked.append(json.loads(await reader.readexactly(length)))

            async def write(data: bytes) -> None:
                writer.write(data)
                await writer.drain()

            await self.behaviour(write)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(f"http://127.0.0.1:{self.port}/v1", "m", "k", first_s=5.0, pause_s=0.5, total_s=6.0)


@asynccontextmanager
async def fake(behaviour: Behaviour) -> AsyncIterator[Fake]:
    one = Fake(behaviour)
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()


async def told(
    over: HandOver, question: str = "why is the sky blue", history: Sequence[Said] = (), language: Language = "en"
) -> list[str]:
    return [clause async for clause in over.clauses(question, history, language)]


async def answer(behaviour: Behaviour, language: Language = "en", first_s: float = 5.0) -> list[str]:
    async with fake(behaviour) as one:
        over = HandOver(replace(one.endpoint, first_s=first_s))
        try:
            return await told(over, language=language)
        finally:
            await over.close()


async def test_the_first_clause_is_spoken_while_the_endpoint_still_writes() -> None:
    heard = asyncio.Event()

    async def stream(write: Write) -> None:
        await write(HEAD + piece("Light scat") + piece("ters in the air. Blu"))
        await heard.wait()
        await write(piece("e most of all.") + END)

    async with fake(stream) as one:
        over = HandOver(one.endpoint)
        clauses = over.clauses("why is the sky blue", [("user", "hello"), ("assistant", "Hello.")], "en")
        assert [await anext(clauses), await anext(clauses)] == [ASKING, "Light scatters in the air."]
        heard.set()
        assert [clause async for clause in clauses] == ["Blue most of all."]
        await over.close()
        sent = one.asked[0]
        assert [m["role"] for m in sent["messages"]] == ["system", "user", "assistant", "user"]
        assert sent["messages"][-1]["content"] == "why is the sky blue"
        assert set(sent) == {"model", "messages", "stream", "max_tokens"}
        assert "authorization: bearer k" in one.heads[0]


async def test_a_slow_endpoint_is_left_in_time() -> None:
    async def never(write: Write) -> None:
        await asyncio.sleep(5)

    began = time.monotonic()
    assert await answer(never, "en", 0.3) == [ASKING, NOBODY]
    assert await answer(never, "zh", 0.3) == ["我问一下。", "这个问题要问别人，可是我现在联系不上。"]
    assert time.monotonic() - began < 3


async def test_an_endpoint_that_falls_silent_is_left_with_a_word() -> None:
    async def stalls(write: Write) -> None:
        await write(HEAD + piece("It is so. And"))
        await asyncio.sleep(5)

    assert await answer(stalls) == [ASKING, "It is so.", BROKEN]


async def test_an_endpoint_that_drips_for_ever_ends() -> None:
    async def drips(write: Write) -> None:
        await write(HEAD)
        while True:
            await write(piece("a "))
            await asyncio.sleep(0.1)

    async with fake(drips) as one:
        over = HandOver(replace(one.endpoint, total_s=1.5))
        began = time.monotonic()
        clauses = await told(over)
        assert time.monotonic() - began < 4
        assert clauses[-1] in (BROKEN, NOBODY)
        await over.close()


@pytest.mark.parametrize(
    "said",
    [
        b"", b"nonsense", b"HTTP/1.1 500 no\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 401 no\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n",
        b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}', HEAD, HEAD + END,
        HEAD + b"data: {broken\n\n", HEAD + b"data: 7\n\n" + END, HEAD + event([]) + END, HEAD + event("lie") + END,
        HEAD + piece(None) + piece(7) + piece({"a": 1}) + piece([1]) + END, HEAD + piece("\x00 *** []") + END,
    ],
)  # fmt: skip
async def test_a_broken_or_lying_endpoint_is_told_as_one(said: bytes) -> None:
    assert await answer(lambda write: write(said)) == [ASKING, NOBODY]


async def test_an_endpoint_that_breaks_off_is_told_as_one() -> None:
    async def breaks(write: Write) -> None:
        await write(HEAD + piece("It is so. And") + b"data: {")

    assert (await answer(breaks))[:2] == [ASKING, "It is so."]


async def test_an_answer_is_bounded_plain_text() -> None:
    async def floods(write: Write) -> None:
        await write(HEAD)
        for _ in range(200):
            await write(piece("Ignore [[all]] **orders** \x1b[31m now. " * 5))

    clauses = await answer(floods)
    assert sum(map(len, clauses)) <= MOST_ANSWER + len(ASKING)
    assert not any(set("[]*\x1b") & set(clause) for clause in clauses)


async def test_one_endless_line_fills_no_memory() -> None:
    async def endless(write: Write) -> None:
        await write(HEAD + b"data: ")
        for _ in range(4096):
            await write(b"x" * 65_536)

    sent = 0

    async def counted(write: Write) -> None:
        async def count(data: bytes) -> None:
            nonlocal sent
            await write(data)
            sent += len(data)

        await endless(count)

    assert await answer(counted) == [ASKING, NOBODY]
    assert sent < 32 * 2**20


async def test_a_listener_who_goes_ends_the_question() -> None:
    gone = asyncio.Event()

    async def talks(write: Write) -> None:
        await write(HEAD + piece("One. Two. "))
        try:
            while True:
                await write(piece(" "))
                await asyncio.sleep(0.02)
        except ConnectionError:
            gone.set()
            raise

    async with fake(talks) as one:
        over = HandOver(one.endpoint)
        clauses = over.clauses("count", [], "en")
        assert [await anext(clauses), await anext(clauses)] == [ASKING, "One."]
        await clauses.aclose()
        await asyncio.wait_for(gone.wait(), 2)
        assert over._open == 0
        await over.close()


class Always(HandOver):
    """Takes every turn for an open question."""

    def wants(self, plan: Any, hearing: Any) -> bool:
        return True


async def test_a_call_speaks_the_answer_and_an_interrupted_one_is_read_no_further() -> None:
    ended: list[bool] = []

    async def talks(write: Write) -> None:
        await write(HEAD + piece("Light scatters. Blue most."))
        try:
            while len(one.asked) > 1:
                await write(piece(" "))
                await asyncio.sleep(0.02)
            await write(END)
        finally:
            ended.append(True)

    question = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "why is the sky blue"}]}
    async with fake(talks) as one:
        over = Always(replace(one.endpoint, pause_s=20.0, total_s=30.0))
        async with talking(chat=over) as line:
            line.say("conversation.item.create", item=question)
            line.say("response.create")
            done = (await line.until("response.done"))["response"]
            assert done["output"][0]["content"][0]["transcript"] == "Let me ask. Light scatters. Blue most."
            line.say("conversation.item.create", item=question)
            line.say("response.create")
            await line.until("response.output_audio_transcript.delta", lambda event: "scatters" in event["delta"])
            assert over._open == 1
            line.say("response.cancel")
            assert (await line.until("response.done"))["response"]["status"] == "cancelled"
            async with asyncio.timeout(5):
                while len(ended) < 2:
                    await asyncio.sleep(0.02)
            assert over._open == 0
            await over.close()
            await asyncio.sleep(0.05)


async def test_an_endpoint_that_is_down_is_left_alone_for_a_while_and_then_tried_once() -> None:
    now = [0.0]
    async with fake(lambda write: write(HEAD + piece("Yes.") + END)) as up:
        good = up.endpoint
        over = HandOver(replace(good, base_url="http://127.0.0.1:9/v1"), breaker=Breaker(lambda: now[0]))
        for _ in range(3):
            assert await told(over) == [ASKING, NOBODY]
        assert await told(over) == [NOBODY]
        await over.close()
        over = HandOver(good, breaker=over._breaker)
        assert await told(over) == [NOBODY]
        now[0] = 31.0
        assert await told(over) == [ASKING, "Yes."]
        assert await told(over) == [ASKING, "Yes."]
        await over.close()


def test_after_a_rest_only_one_tries() -> None:
    now = [0.0]
    breaker = Breaker(lambda: now[0])
    for _ in range(3):
        assert breaker.admits()
        breaker.note(worked=False)
    assert not breaker.admits()
    now[0] = 30.0
    assert [breaker.admits(), breaker.admits()] == [True, False]
    breaker.note(worked=True)
    assert [breaker.admits(), breaker.admits()] == [True, True]


@pytest.mark.parametrize(
    ("changed", "words", "wanted"),
    [
        ({}, "why is the sky blue", True),
        ({}, "", False),
        ({"meant": 0.9}, "turn it on", False),
        ({"act": "not_understood", "meant": 0.2}, "who was newton", True),
        ({"act": "deny", "meant": 0.2}, "no", False),
        ({"act": "repeat", "meant": 0.2}, "again", False),
    ],
)
def test_what_is_an_open_question(changed: dict[str, Any], words: str, wanted: bool) -> None:
    over = HandOver(Endpoint("http://localhost/v1", "m"))
    assert over.wants(replace(PLAN, **changed), hearing_of(words)) is wanted


@pytest.mark.parametrize(("sure", "wanted"), [(0.2, False), (SURE - 0.01, False), (SURE, True), (0.8, True)])
async def test_what_was_hardly_heard_is_answered_as_without_an_endpoint(sure: float, wanted: bool) -> None:
    script = Script(turns=["why is the sky blue"], sure=sure, meant=0.1)
    async with fake(lambda write: write(HEAD + piece("It scatters.") + END)) as one:
        over = HandOver(one.endpoint)
        async with talking(script, chat=over) as line:
            line.say("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
            line.sound(speech(1.4))
            line.say("input_audio_buffer.commit")
            line.say("response.create")
            done = (await line.until("response.done"))["response"]
            await over.close()
            await asyncio.sleep(0.05)
    assert bool(one.asked) is wanted
    told = done["output"][0]["content"][0]["transcript"]
    assert told == ("Let me ask. It scatters." if wanted else "You said why is the sky blue.")


def test_history_is_bounded_and_newest() -> None:
    said: list[Said] = [("user", f"{i} " + "x" * 300) for i in range(50)]
    kept = bounded(said)
    assert kept == said[-len(kept) :]
    assert sum(len(text) for _, text in kept) <= MOST_HISTORY
    assert bounded([("user", "y" * 9999)]) == [("user", "y" * MOST_HISTORY)]


def test_nothing_is_configured_unless_told() -> None:
    assert Endpoint.from_environment({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://x/v1"}) is None
    one = Endpoint.from_environment(
        {"STEP_AUDIO_CHAT_URL": "http://localhost:1/v1", "STEP_AUDIO_CHAT_MODEL": "m", "STEP_AUDIO_CHAT_KEY": "secret"}
    )
    assert one is not None
    assert "secret" not in repr(one)


@pytest.mark.parametrize(("url", "model"), [("localhost:8080", "m"), ("ftp://x", "m"), ("http://x/v1", "")])
def test_a_bad_configuration_is_named(url: str, model: str) -> None:
    with pytest.raises(UserError, match="chat endpoint"):
        Endpoint(url, model)
