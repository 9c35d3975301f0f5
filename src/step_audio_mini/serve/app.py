"""The server as an ASGI application: the WebSocket of the Realtime protocol and the HTTP faces beside it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from fastapi import FastAPI, WebSocket
from fastapi.staticfiles import StaticFiles
from starlette.websockets import WebSocketDisconnect

from step_audio_mini.serve.call import Call
from step_audio_mini.serve.limits import Limits
from step_audio_mini.serve.replies import Model, Tools
from step_audio_mini.serve.settings import Offer, Session

log = logging.getLogger(__name__)
WEB = Path(__file__).parent / "web"
MODEL = "step-audio-2-mini"


class Models(Protocol):
    """What the server needs of the worker (`serve.worker.Worker`)."""

    async def open(self, pack: Any, language: Any = "auto") -> Model:
        """A call's model state."""


@dataclass(frozen=True)
class Options:
    """What a server is started with."""

    packs: tuple[str, ...] = ("home", "clock-weather")
    voices: tuple[str, ...] = ("default",)
    limits: Limits = field(default_factory=Limits)


class WebSocketFrames:
    """A starlette WebSocket as the call sees it."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def receive(self) -> str | bytes | None:
        """The next frame."""
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            return None
        text: str | None = message.get("text")
        return text if text is not None else message.get("bytes")

    async def send(self, frame: str) -> None:
        """Send a frame."""
        try:
            await self._socket.send_text(frame)
        except (WebSocketDisconnect, RuntimeError) as error:
            raise ConnectionError("the client has gone") from error


def make_app(
    worker: AbstractAsyncContextManager[Models], tools: Callable[[], Tools], options: Options | None = None
) -> FastAPI:
    """The application; it starts and ends the worker with itself."""
    chosen = options or Options()

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        async with worker as models:
            app.state.models = models
            yield

    app = FastAPI(title="step-audio-mini", lifespan=life, openapi_url=None)

    async def realtime(socket: WebSocket) -> None:
        offered = socket.scope.get("subprotocols", [])
        await socket.accept(subprotocol="realtime" if "realtime" in offered else None)
        model = await app.state.models.open(list(chosen.packs))
        offer = Offer(chosen.voices, chosen.packs)
        name = socket.query_params.get("model") or MODEL
        kind: Any = "transcription" if socket.query_params.get("intent") == "transcription" else "realtime"
        call = Call(
            WebSocketFrames(socket),
            lambda session_id: Session(session_id, name, offer, kind),
            model,
            tools(),
            chosen.limits,
        )
        closed = await call.run()
        with suppress(WebSocketDisconnect, RuntimeError):
            await socket.close(closed.code, closed.reason)

    app.add_api_websocket_route("/v1/realtime", realtime)
    if WEB.is_dir() and (WEB / "index.html").exists():
        app.mount("/", StaticFiles(directory=WEB, html=True))
    return app
