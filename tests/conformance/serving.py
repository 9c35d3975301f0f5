"""The real server on loopback without weights, and a caller whose every frame the oracle sees."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from step_audio_mini.serve.app import make_app
from step_audio_mini.serve.service import Options
from step_audio_mini.serve.sockets import server_of
from tests.conformance.oracle import Oracle
from tests.serve.fakes import FakeTools, FakeWorker

Event = dict[str, Any]
PATIENCE_S = 20.0  # for what must come; only a failure waits so long
FRAME_MS = 20
BYTES_A_MS = 48


@dataclass
class Served:
    """A running server and what stands behind it."""

    url: str
    worker: Any
    tools: FakeTools
    server: uvicorn.Server


@asynccontextmanager
async def serving(
    worker: Any = None,
    *,
    tools: FakeTools | None = None,
    options: Options | None = None,
    heartbeat: float | None = None,
) -> AsyncIterator[Served]:
    """A server in this event loop, on a free port of the loopback; a fake worker unless told; `heartbeat`: seconds."""
    worker, own = worker or FakeWorker(), tools or FakeTools(0.02)
    server = server_of(make_app(worker, lambda _: own, options))
    if heartbeat is not None:
        server.config.ws_ping_interval = server.config.ws_ping_timeout = heartbeat
    task = asyncio.ensure_future(server._serve())  # `serve` would take over the signals of the test run
    while not server.started:
        if task.done():
            task.result()
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Served(f"ws://127.0.0.1:{port}/v1/realtime?model=step-audio-2-mini", worker, own, server)
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, PATIENCE_S)


class Caller:
    """One call to the server: what it sends and receives goes through the oracle."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.oracle = Oracle()
        self.events: list[Event] = []
        self._read = 0
        self._number = 0

    async def send(self, kind: str, /, **fields: Any) -> str:
        """Send an event; its event_id."""
        self._number += 1
        name = f"c_{self._number}"
        await self.raw(json.dumps({"type": kind, "event_id": name, **fields}))
        return name

    async def raw(self, frame: str | bytes) -> None:
        """Send a frame as it is."""
        self.oracle.sent(frame)
        await self.socket.send(frame)

    async def speak(self, sound: bytes, *, pace: float = 0.0) -> None:
        """Append sound frame by frame; `pace` 1.0 is real time, 0.0 as fast as it goes."""
        step = BYTES_A_MS * FRAME_MS
        for start in range(0, len(sound), step):
            await self.send("input_audio_buffer.append", audio=base64.b64encode(sound[start : start + step]).decode())
            await asyncio.sleep(FRAME_MS / 1000 * pace)

    async def next(self) -> Event:
        """The next server event."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                frame = await self.socket.recv()
        except TimeoutError:
            raise AssertionError(f"nothing came after {self.kinds()[-12:]}") from None
        event = self.oracle.received(frame)
        self.oracle.check()
        assert event is not None
        self.events.append(event)
        return event

    async def until(self, kind: str, check: Callable[[Event], bool] = lambda event: True) -> Event:
        """The next event of a type, and of what `check` wants."""
        while True:
            event = await self.next()
            if event["type"] == kind and check(event):
                return event

    async def settle(self, seconds: float = 0.15) -> None:
        """Take what still comes until it is quiet for so long."""
        while True:
            try:
                async with asyncio.timeout(seconds):
                    frame = await self.socket.recv()
            except TimeoutError:
                return
            event = self.oracle.received(frame)
            if event is not None:
                self.events.append(event)

    async def closed(self) -> int:
        """The close code, when the server ends the call."""
        with suppress(ConnectionClosed):
            while True:
                await self.next()
        return self.socket.close_code or 1006

    def kinds(self) -> Sequence[str]:
        """Types of what came, in order."""
        return [event["type"] for event in self.events]

    def of(self, kind: str) -> list[Event]:
        """What came of a type."""
        return [event for event in self.events if event["type"] == kind]


@asynccontextmanager
async def calling(url: str, *, settled: bool = True, **how: Any) -> AsyncIterator[Caller]:
    """A call; when it is over the oracle must be content."""
    async with connect(url, compression=None, max_size=None, **how) as socket:
        caller = Caller(socket)
        yield caller
        if settled:
            await caller.settle()
    caller.oracle.finish(settled=settled)
    caller.oracle.check()
