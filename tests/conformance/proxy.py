"""A proxy between a stock client and the server; it changes nothing and shows every frame to the oracle."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.conformance.oracle import Oracle

HANDSHAKE = ("authorization", "openai-beta", "origin", "user-agent")  # headers that a server may act on


class Proxy:
    """Relays calls to a server; `oracles` has one judge per call, in the order of connecting."""

    def __init__(self, upstream: str, record: Path | None = None) -> None:
        """`upstream`: ws://host:port of the server. `record`: a folder for what went over each call, as JSON lines."""
        self.upstream = upstream.rstrip("/")
        self.record = record
        self.oracles: list[Oracle] = []
        self.port = 0

    async def handle(self, client: ServerConnection) -> None:
        """One call, until one of the two ends it."""
        assert client.request is not None
        headers = {name: client.request.headers[name] for name in HANDSHAKE if name in client.request.headers}
        agent = headers.pop("user-agent", None)
        async with connect(
            self.upstream + client.request.path,
            additional_headers=headers,
            user_agent_header=agent,
            subprotocols=[client.subprotocol] if client.subprotocol else None,
            max_size=None,
            compression=None,
        ) as server:
            oracle = Oracle()
            self.oracles.append(oracle)
            lines: list[tuple[str, str | bytes]] = []
            both = (self._up(client, server, oracle, lines), self._down(server, client, oracle, lines))
            tasks = [asyncio.ensure_future(way) for way in both]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        oracle.finish(settled=False)  # a client hangs up when it has heard enough
        if self.record:
            path = self.record / f"call-{len(self.oracles)}.jsonl"
            path.write_text("".join(json.dumps([side, str(frame)]) + "\n" for side, frame in lines), "utf-8")

    async def _up(self, client: Any, server: ClientConnection, oracle: Oracle, lines: list[Any]) -> None:
        with suppress(ConnectionClosed):
            async for frame in client:
                oracle.sent(frame)  # before the server can answer it
                lines.append(("client", frame))
                await server.send(frame)

    async def _down(self, server: ClientConnection, client: Any, oracle: Oracle, lines: list[Any]) -> None:
        with suppress(ConnectionClosed):
            async for frame in server:
                oracle.received(frame)
                lines.append(("server", frame))
                await client.send(frame)
        if server.close_code is not None and server.close_code != 1006:
            await client.close(server.close_code, server.close_reason or "")


@asynccontextmanager
async def proxying(upstream: str, record: Path | None = None) -> AsyncIterator[Proxy]:
    """A proxy on a free port of the loopback."""
    proxy = Proxy(upstream, record)
    host = urlsplit(upstream)
    assert host.hostname
    async with serve(
        proxy.handle, "127.0.0.1", 0, max_size=None, compression=None, select_subprotocol=_realtime
    ) as server:
        proxy.port = next(iter(server.sockets)).getsockname()[1]
        yield proxy


def _realtime(connection: ServerConnection, offered: Any) -> Any:
    return "realtime" if "realtime" in offered else None
