"""Calls without a network: a socket in memory, and the strict oracle beside it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from step_audio_mini.serve.call import Call, Closed, House
from step_audio_mini.serve.limits import Limits, Quota
from step_audio_mini.serve.maker import Chat
from step_audio_mini.serve.metrics import Metrics
from step_audio_mini.serve.settings import Offer, Session
from tests.conformance.oracle import Oracle
from tests.serve.fakes import FakeTools, FakeWorker, Script

Event = dict[str, Any]
PATIENCE_S = 20.0
"""For what must come; only a failure waits so long."""
FRAME = 960
"""Bytes of 20 ms."""


@dataclass
class Line:
    """A socket in memory; what went over it, in order."""

    oracle: Oracle = field(default_factory=Oracle)
    events: list[Event] = field(default_factory=list)
    closed: Closed | None = None
    stuck: bool = False
    """The client does not read."""
    call: Any = None

    def __post_init__(self) -> None:
        self._inbound: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._news, self._unstuck = asyncio.Event(), asyncio.Event()
        self._read = 0

    # the server's side

    async def receive(self) -> str | bytes | None:
        return await self._inbound.get()

    def wake(self) -> None:
        """The client reads again."""
        self.stuck = False
        self._unstuck.set()

    async def send(self, frame: str) -> None:
        if self.stuck:
            await self._unstuck.wait()
        self.events.append(self.oracle.received(frame) or json.loads(frame))
        self._news.set()

    # the client's side

    def say(self, kind: str, /, **fields: Any) -> None:
        self.raw(json.dumps({"type": kind, **fields}))

    def raw(self, frame: str | bytes | None, judged: bool = True) -> None:
        if frame is not None and judged:
            self.oracle.sent(frame)
        self._inbound.put_nowait(frame)

    def sound(self, data: bytes, size: int = 10 * FRAME) -> None:
        for start in range(0, len(data), size):
            self.say("input_audio_buffer.append", audio=base64.b64encode(data[start : start + size]).decode())

    async def until(self, kind: str, check: Callable[[Event], bool] = lambda event: True) -> Event:
        """The next event of a type, and of what `check` wants, after the last that was asked for."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                while self._read < len(self.events):
                    self._read += 1
                    event = self.events[self._read - 1]
                    if event["type"] == kind and check(event):
                        return event
                self._news.clear()
                await self._news.wait()

    async def settle(self) -> None:
        """Everything that was sent was answered: an invalid event is answered last."""
        name = f"settle_{len(self.events)}_{self._inbound.qsize()}"
        self.say("nothing", event_id=name)
        await self.until("error", lambda event: event["error"]["event_id"] == name)
        while self.oracle.responses.open:
            await self.until("response.done")

    def kinds(self) -> list[str]:
        return [event["type"] for event in self.events]

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["type"] == kind]


def house(
    worker: FakeWorker, tools: FakeTools | None = None, limits: Limits | None = None, chat: Chat | None = None
) -> House:
    """What a server would give its calls."""
    limits = limits or Limits()
    own = tools or FakeTools()
    return House(
        open=lambda language: worker.open("fake", language), tools=lambda _: own, limits=limits, metrics=Metrics(),
        quota=Quota(limits.responses_a_minute), chat=chat,
    )  # fmt: skip


@asynccontextmanager
async def talking(
    script: Script | None = None,
    *,
    tools: FakeTools | None = None,
    limits: Limits | None = None,
    chat: Chat | None = None,
    kind: Any = "realtime",
    given: House | None = None,
    strict: bool = True,
) -> AsyncIterator[Line]:
    """A call; when it is over the oracle is content (not `strict`: our extras are beyond it) and no task is left."""
    line, worker = Line(), FakeWorker(script)
    offer = Offer(("ada", "lin"))
    call = Call(line, lambda name: Session(name, "fake", offer, kind), given or house(worker, tools, limits, chat))
    before = asyncio.all_tasks()
    task = asyncio.ensure_future(call.run())
    line.call = call
    try:
        yield line
    finally:
        line.raw(None)
        async with asyncio.timeout(PATIENCE_S):
            line.closed = await task
    await asyncio.sleep(0)
    assert asyncio.all_tasks() - before - {task} == set()
    assert worker.calls == 0
    line.oracle.finish(settled=False)
    if strict:
        line.oracle.check()
