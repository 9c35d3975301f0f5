"""A scripted Realtime server for tests of the page alone: hears loudness, answers with a tone, remembers what came."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

WEB = Path(__file__).resolve().parents[2] / "src/step_audio_mini/serve/web"
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
REPLY = "The floor lamp in the living room is on. Shall I dim the ceiling light as well? 客厅的灯也可以调暗。"
SECONDS = 12.0
RATE = 24_000
VOICES = [{"name": "kathleen", "language": "en"}, {"name": "meilin", "language": "zh"}]
HOME = {
    "packs": ["home"],
    "languages": ["en", "zh"],
    "about": {"en": "lights and covers of a home", "zh": "家里的灯和窗帘"},
    "can": {"en": ["turn things on", "open covers"], "zh": ["打开", "拉开窗帘"]},
}
COFFEE = {"packs": ["coffee"], "languages": ["en"], "about": {"en": "ordering a coffee drink at a counter"}}
MODELS = [
    {"id": "mock", "object": "model", "step_audio": {**HOME, "voices": VOICES}},
    {"id": "mock-home", "object": "model", "step_audio": {**HOME, "voices": VOICES}},
    {"id": "mock-coffee", "object": "model", "step_audio": {**COFFEE, "voices": VOICES}},
]


class Mock:
    """All sessions of one server; `events` is what clients sent, sound left out, in order."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.frames = 0
        self.port = 0
        self.refuse = HTTPStatus.OK
        self.sessions: set[Session] = set()
        self.loop = asyncio.new_event_loop()

    async def talk(self, socket: ServerConnection) -> None:
        session = Session(self, socket)
        self.sessions.add(session)
        try:
            await session.run()
        except ConnectionClosed:
            pass
        finally:
            session.stop()
            self.sessions.discard(session)

    def kick(self, code: int) -> None:
        """Close every connection with a code."""
        for session in list(self.sessions):
            asyncio.run_coroutine_threadsafe(session.socket.close(code), self.loop).result(5)

    def last(self, kind: str) -> dict[str, Any] | None:
        return next((event for event in reversed(self.events) if event["type"] == kind), None)

    def page(self, _socket: ServerConnection, request: Request) -> Response | None:
        path = request.path.split("?")[0]
        if path in ("/v1/realtime", "/readyz") and self.refuse != HTTPStatus.OK:
            return answer(self.refuse, "text/plain", b"")
        if path == "/v1/realtime":
            return None
        if path == "/readyz":
            return answer(HTTPStatus.OK, "text/plain", b"ok")
        if path == "/v1/models":
            return answer(HTTPStatus.OK, "application/json", json.dumps({"object": "list", "data": MODELS}).encode())
        file = WEB / (path.strip("/") or "index.html")
        if file.suffix not in KINDS or not file.is_file():
            return answer(HTTPStatus.NOT_FOUND, "text/plain", b"")
        return answer(HTTPStatus.OK, KINDS[file.suffix], file.read_bytes())


def answer(status: HTTPStatus, kind: str, body: bytes) -> Response:
    headers = Headers({"Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": "max-age=600"})
    return Response(status.value, status.phrase, headers, body)


class Session:
    """One call."""

    def __init__(self, mock: Mock, socket: ServerConnection) -> None:
        self.mock, self.socket = mock, socket
        self.count = itertools.count(1)
        self.settings: dict[str, Any] = {
            "type": "realtime",
            "id": "sess",
            "object": "realtime.session",
            "model": "mock",
        }
        self.heard_ms, self.loud_ms, self.silence_ms, self.speech = 0, 0, 0, ""
        self.reply: asyncio.Task[None] | None = None
        self.turns = 0
        self.cut: dict[str, int] = {}

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, "event_id": f"event_{next(self.count)}", **fields}))

    async def run(self) -> None:
        await self.send("session.created", session=self.settings)
        async for frame in self.socket:
            event = json.loads(frame)
            if event["type"] == "input_audio_buffer.append":
                self.mock.frames += 1
                await self.hear(np.frombuffer(base64.b64decode(event["audio"]), "<i2"))
                continue
            self.mock.events.append(event)
            await self.told(event)

    def stop(self) -> None:
        if self.reply:
            self.reply.cancel()

    async def told(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "session.update":
                self.settings |= event["session"]
                await self.send("session.updated", session=self.settings)
            case "conversation.item.create":
                item = {"status": "completed", "object": "realtime.item", **event["item"]}
                await self.send("conversation.item.added", item=item, previous_item_id=None)
                await self.send("conversation.item.done", item=item, previous_item_id=None)
            case "input_audio_buffer.commit":
                await self.committed(f"item_pressed_{next(self.count)}")
            case "response.create":
                await self.respond()
            case "response.cancel":
                self.stop()
            case "conversation.item.truncate":
                self.cut[event["item_id"]] = event["audio_end_ms"]
                fields = {key: event[key] for key in ("item_id", "content_index", "audio_end_ms")}
                await self.send("conversation.item.truncated", **fields)
            case "conversation.item.retrieve":
                words = REPLY[: int(len(REPLY) * self.cut.get(event["item_id"], 0) / (1000 * SECONDS))]
                content = [{"type": "output_audio", "transcript": words}]
                item = {"id": event["item_id"], "type": "message", "role": "assistant", "content": content}
                await self.send("conversation.item.retrieved", item=item)

    async def hear(self, samples: np.ndarray[Any, np.dtype[np.int16]]) -> None:
        self.heard_ms += len(samples) * 1000 // RATE
        if self.settings.get("audio", {}).get("input", {}).get("turn_detection") is None:
            return
        loud = float(np.sqrt(np.mean((samples / 32768.0) ** 2))) > 0.02
        self.loud_ms = self.loud_ms + 20 if loud else max(0, self.loud_ms - 10)
        self.silence_ms = 0 if loud else self.silence_ms + 20
        if not self.speech and self.loud_ms > 100:
            self.speech = f"item_{next(self.count)}"
            start = max(0, self.heard_ms - 300)
            await self.send("input_audio_buffer.speech_started", item_id=self.speech, audio_start_ms=start)
            self.stop()
        elif self.speech and self.silence_ms >= 600:
            item, self.speech, self.loud_ms = self.speech, "", 0
            await self.send("input_audio_buffer.speech_stopped", item_id=item, audio_end_ms=self.heard_ms - 500)
            await self.committed(item)
            await self.respond()

    async def committed(self, item_id: str) -> None:
        await self.send("input_audio_buffer.committed", item_id=item_id, previous_item_id=None)
        item = {"id": item_id, "type": "message", "role": "user", "status": "completed", "content": []}
        await self.send("conversation.item.added", item=item, previous_item_id=None)
        await self.send("conversation.item.done", item=item, previous_item_id=None)
        kind = "conversation.item.input_audio_transcription"
        extra = {"language": "mixed", "confidence": 0.93, "snr_db": 17.2}
        await self.send(f"{kind}.delta", item_id=item_id, content_index=0, delta="turn on the ")
        text, usage = "turn on the floor lamp 在客厅", {"type": "duration", "seconds": 1}
        fields = {"item_id": item_id, "content_index": 0, "transcript": text, "usage": usage, "step_audio": extra}
        await self.send(f"{kind}.completed", **fields)

    async def respond(self) -> None:
        self.stop()
        self.turns += 1
        self.reply = asyncio.create_task(self.speak(f"resp_{next(self.count)}", self.turns % 2 == 1))

    async def speak(self, response: str, with_tool: bool) -> None:
        body: dict[str, Any] = {"id": response, "object": "realtime.response", "output": []}
        await self.send("response.created", response={**body, "status": "in_progress"})
        try:
            if with_tool:
                await self.tool(response)
            await self.say(response)
        except asyncio.CancelledError:
            reason = {"type": "cancelled", "reason": "turn_detected"}
            with suppress(ConnectionClosed):
                await self.send("response.done", response={**body, "status": "cancelled", "status_details": reason})
            return
        timings = {"end_of_turn": 600, "listen": 31, "think": 22, "speak_first": 44, "total": 97}
        done = {**body, "status": "completed", "step_audio": {"timings_ms": timings}}
        await self.send("response.done", response=done)

    async def tool(self, response: str) -> None:
        call = f"call_{next(self.count)}"
        item = {"id": f"fc_{call}", "type": "function_call", "call_id": call, "name": "HassTurnOn"}
        arguments = json.dumps({"name": "floor lamp", "area": "客厅"}, ensure_ascii=False)
        at = {"response_id": response, "output_index": 0}
        empty = {**item, "arguments": "", "status": "in_progress"}
        await self.send("response.output_item.added", item=empty, **at)
        await self.send("conversation.item.added", item=empty)
        await asyncio.sleep(0.1)
        full = {**item, "arguments": arguments, "status": "completed"}
        await self.send("response.output_item.done", item=full, **at)
        output = json.dumps({"speech": "on", "brightness": 80})
        result = {"id": f"out_{call}", "type": "function_call_output", "call_id": call, "output": output}
        await self.send("conversation.item.added", item=result)
        await self.send("conversation.item.done", item=result)

    async def say(self, response: str) -> None:
        aloud = self.settings.get("output_modalities", ["audio"]) == ["audio"]
        item = {"id": f"msg_{next(self.count)}", "type": "message", "role": "assistant", "content": []}
        await self.send("response.output_item.added", response_id=response, output_index=1, item=item)
        await self.send("conversation.item.added", item=item)
        at = {"response_id": response, "item_id": item["id"], "output_index": 1, "content_index": 0}
        kind = "output_audio_transcript" if aloud else "output_text"
        for word in REPLY.split(" "):
            await self.send(
                f"response.{kind}.delta", delta=word if word == REPLY.rsplit(" ", maxsplit=1)[-1] else f"{word} ", **at
            )
        for start in np.arange(0, SECONDS, 0.1) if aloud else []:
            time = start + np.arange(RATE // 10) / RATE
            tone = 0.2 * np.sin(2 * np.pi * 330 * time) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))
            sound = base64.b64encode((tone * 32767).astype("<i2").tobytes()).decode()
            await self.send("response.output_audio.delta", delta=sound, **at)
            await asyncio.sleep(0.05)
        if aloud:
            await self.send("response.output_audio.done", **at)
        name = "transcript" if aloud else "text"
        await self.send(f"response.{kind}.done", **{name: REPLY}, **at)
        await self.send("response.output_item.done", response_id=response, output_index=1, item=item)


@contextmanager
def running(port: int = 0) -> Iterator[Mock]:
    """The mock in a thread of its own, on a free port of this machine."""
    mock, up, stop = Mock(), threading.Event(), asyncio.Event()

    async def main() -> None:
        options = {"process_request": mock.page, "subprotocols": ["realtime"], "ping_interval": None}
        async with serve(mock.talk, "127.0.0.1", port, **options) as server:  # type: ignore[arg-type]
            mock.port = next(iter(server.sockets)).getsockname()[1]
            up.set()
            await stop.wait()

    thread = threading.Thread(target=mock.loop.run_until_complete, args=(main(),), daemon=True)
    thread.start()
    if not up.wait(10):
        raise RuntimeError("the mock did not come up")
    try:
        yield mock
    finally:
        mock.loop.call_soon_threadsafe(stop.set)
        thread.join(20)
