"""Sockets of uvicorn with habits of our own: who does not read is closed all the same, who waits for us is not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from starlette.websockets import WebSocket, WebSocketDisconnect
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from step_audio_mini.serve.tls import Certificate

LARGEST_FRAME = 24 * 2**20
"""Bytes of one frame; 15 MiB of sound are 20 MiB of base64. A larger one closes the connection with 1009."""
PATIENCE = 2.0
"""Seconds that a close frame waits for a client that does not read."""


class RealtimeSocket(WebSocketsSansIOProtocol):
    """uvicorn waits for a slow reader for ever before it sends a close frame; this one does not."""

    async def run_asgi(self) -> None:
        """Tell the application how to cut the line."""
        self.scope["state"]["cut"] = self.cut
        await super().run_asgi()

    def keepalive_timeout(self) -> None:
        """A pong may lie in what we do not read, because the ears are behind: that is no reason to hang up."""
        if not self.read_paused:
            super().keepalive_timeout()
            return
        self.pong_timer = self.pending_ping_payload = None
        self.schedule_ping()

    def cut(self, code: int, reason: str) -> None:
        """Send a close frame behind what waits, and end the connection soon, read or not."""
        if not self.close_sent and not self.transport.is_closing():
            self.conn.send_close(code, reason)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
            self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.loop.call_later(PATIENCE, self.transport.abort)


class Frames:
    """A starlette WebSocket as a call sees it."""

    def __init__(self, web: WebSocket) -> None:
        self._web = web

    async def receive(self) -> str | bytes | None:
        """The next frame; None when the client has gone."""
        message = await self._web.receive()
        if message["type"] == "websocket.disconnect":
            return None
        text: str | None = message.get("text")
        return text if text is not None else message.get("bytes")

    async def send(self, frame: str) -> None:
        """Send a frame; waits while the client does not read."""
        try:
            await self._web.send_text(frame)
        except (WebSocketDisconnect, RuntimeError) as error:
            raise ConnectionError("the client has gone") from error

    async def close(self, code: int, reason: str) -> None:
        """Close, whatever the client does."""
        if cut := getattr(self._web.state, "cut", None):
            cut(code, reason)
            return
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._web.close(code, reason)


class DrainingServer(uvicorn.Server):
    """Lets calls come to an end before it stops; who asks for a connection meanwhile is told to try elsewhere."""

    def __init__(
        self, config: uvicorn.Config, drain: Callable[[], Awaitable[None]], ready: Callable[[], None] | None
    ) -> None:
        super().__init__(config)
        self._drain, self._ready = drain, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        if self.started and self._ready is not None:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, then stop."""
        if not self.force_exit:
            await self._drain()
        await super().shutdown(sockets)


def server_of(
    app: Any,
    host: str = "127.0.0.1",
    port: int = 0,
    ready: Callable[[], None] | None = None,
    certificate: Certificate | None = None,
) -> uvicorn.Server:
    """A server for the application, with the limits and the heartbeat that calls need. `ready`: called once it is.

    With a certificate it speaks https and wss, and nothing else.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        ws=RealtimeSocket,
        ws_max_size=LARGEST_FRAME,
        ws_ping_interval=20.0,
        ws_ping_timeout=20.0,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=5,
        log_config=None,
        access_log=False,
        ssl_certfile=certificate.cert if certificate else None,
        ssl_keyfile=certificate.key if certificate else None,
    )
    return DrainingServer(config, app.state.drain, ready)
