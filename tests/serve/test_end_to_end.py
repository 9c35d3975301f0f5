"""The whole server over a real socket of the loopback: the stock client, who is let in, slow readers, leaks, drain."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from step_audio_mini.serve.app import make_app
from step_audio_mini.serve.keys import Allowance, Keys
from step_audio_mini.serve.limits import Limits
from step_audio_mini.serve.service import Options
from step_audio_mini.serve.sockets import server_of
from tests.serve.fakes import FakeTools, FakeWorker, Script, silence, speech

pytestmark = pytest.mark.unit

KEY = "0123456789abcdef"
WEATHER: Any = {"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}}


@asynccontextmanager
async def served(options: Options | None = None, script: Script | None = None) -> AsyncIterator[tuple[str, FakeWorker]]:
    """A server in this loop; its address without the scheme, and the worker behind it."""
    worker = FakeWorker(script)
    server = server_of(make_app(worker, lambda _: FakeTools(), options))
    task = asyncio.ensure_future(server._serve())  # `serve` would take over the signals of the test run
    while not server.started:
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"127.0.0.1:{port}", worker
    finally:
        server.should_exit = True
        async with asyncio.timeout(20):
            await task


def pieces(sound: bytes, size: int = 4800) -> list[str]:
    return [base64.b64encode(sound[start : start + size]).decode() for start in range(0, len(sound), size)]


async def test_the_stock_client_holds_a_call_with_a_tool() -> None:
    script = Script(turns=["what is the weather in paris"])
    async with served(Options(keys=Keys({"ada": KEY})), script) as (address, _):
        client = AsyncOpenAI(api_key=KEY, base_url=f"http://{address}/v1", websocket_base_url=f"ws://{address}/v1")
        assert [model.id async for model in await client.models.list()] == ["step-audio-2-mini"]
        secret = await client.realtime.client_secrets.create(session={"type": "realtime", "tools": [WEATHER]})
        browser = client.with_options(api_key=secret.value)
        said, heard = "", 0
        async with asyncio.timeout(20), browser.realtime.connect(model="gpt-realtime") as connection:
            for piece in pieces(silence(0.3) + speech(1.6) + silence(0.8)):
                await connection.input_audio_buffer.append(audio=piece)
            async for event in connection:
                if event.type == "response.function_call_arguments.done":
                    assert json.loads(event.arguments) == {"city": "paris"}
                    item: Any = {"type": "function_call_output", "call_id": event.call_id, "output": "12"}
                    await connection.conversation.item.create(item=item)
                elif event.type == "response.output_audio.delta":
                    heard += len(base64.b64decode(event.delta))
                elif event.type == "response.output_audio_transcript.done":
                    said = event.transcript
                elif event.type == "response.done":
                    if said:
                        break
                    await connection.response.create()
        await client.close()
    assert said == "Well, get_weather is done."
    assert heard == 4 * 250 * 48


async def refused(address: str, path: str = "/v1/realtime", **how: Any) -> int:
    """The status that a handshake is answered with."""
    with pytest.raises(InvalidStatus) as error:
        await connect(f"ws://{address}{path}", **how)
    return int(error.value.response.status_code)


async def test_who_is_let_in() -> None:
    keys = Keys({"ada": KEY}, allowances={"ada": Allowance(calls=1)})
    options = Options(keys=keys, origins=("https://friend.example",))
    async with served(options) as (address, worker):
        mine = {"Authorization": f"Bearer {KEY}", "OpenAI-Beta": "realtime=v1"}
        assert await refused(address) == 401
        assert await refused(address, additional_headers={"Authorization": "Bearer no"}) == 401
        assert await refused(address, additional_headers=mine, origin="https://evil.example") == 403
        assert await refused(address, "/v1/realtime?model=step-audio-2-mini:none", additional_headers=mine) == 404
        assert await refused(address, "/elsewhere", additional_headers=mine) == 404
        offered: Any = ["realtime", f"openai-insecure-api-key.{KEY}"]
        friend: Any = "https://friend.example"
        async with connect(f"ws://{address}/v1/realtime", subprotocols=offered, origin=friend) as web:
            assert web.subprotocol == "realtime"
            assert json.loads(await web.recv())["type"] == "session.created"
            assert await refused(address, additional_headers=mine) == 429
        while worker.calls:
            await asyncio.sleep(0.01)
        async with connect(f"ws://{address}/v1/realtime", additional_headers=mine) as web:
            assert web.subprotocol is None
            told = json.loads(await web.recv())["session"]
            assert (told["type"], told["model"]) == ("realtime", "step-audio-2-mini")


async def test_a_client_that_does_not_read_loses_its_connection_and_nobody_elses() -> None:
    async with served(Options(limits=Limits(unread_bytes=100_000))) as (address, worker):
        host, _, port = address.partition(":")
        thin = socket.socket()
        thin.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        thin.setblocking(False)
        await asyncio.get_running_loop().sock_connect(thin, (host, int(port)))
        async with connect(f"ws://{address}/v1/realtime", sock=thin, max_queue=1, ping_interval=None) as slow:
            slow.transport.pause_reading()
            item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x" * 20_000}]}
            frame = json.dumps({"type": "conversation.item.create", "item": item})
            sending = asyncio.ensure_future(_flood(slow, frame))
            async with asyncio.timeout(15):
                while not worker.opened[-1].closed:
                    await asyncio.sleep(0.02)
            sending.cancel()
            async with connect(f"ws://{address}/v1/realtime") as other:
                assert json.loads(await other.recv())["type"] == "session.created"
            slow.transport.abort()


async def _flood(socket: Any, frame: str) -> None:
    while True:
        await socket.send(frame)


async def test_too_large_a_frame() -> None:
    async with served() as (address, _), connect(f"ws://{address}/v1/realtime", max_size=None) as web:
        with pytest.raises(ConnectionClosed) as closed:
            await web.send("x" * (25 * 2**20))
            while True:
                await web.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


async def test_calls_that_come_and_go_leave_nothing() -> None:
    async with served(script=Script(speak_s=0.002)) as (address, worker):
        await _churn(address, 4)
        before = len(asyncio.all_tasks()), len(list(Path("/proc/self/fd").iterdir()))
        await _churn(address, 32)
        async with asyncio.timeout(10):
            while worker.calls or len(asyncio.all_tasks()) > before[0]:
                await asyncio.sleep(0.02)
        gc.collect()
        assert len(list(Path("/proc/self/fd").iterdir())) <= before[1]


async def _churn(address: str, count: int) -> None:
    """Calls that end at every moment, half of them without a word."""
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "the light"}]}
    for number in range(count):
        socket = await connect(f"ws://{address}/v1/realtime")
        await socket.send(json.dumps({"type": "conversation.item.create", "item": item}))
        await socket.send(json.dumps({"type": "response.create"}))
        for _ in range(number % 9):
            await socket.recv()
        if number % 2:
            socket.transport.abort()
        await socket.close()


async def test_a_server_that_stops_says_1012_after_the_reply() -> None:
    kinds = []
    async with served(Options(limits=Limits(drain_seconds=5)), Script(speak_s=0.05)) as (address, _):
        web = await connect(f"ws://{address}/v1/realtime")
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
        await web.send(json.dumps({"type": "conversation.item.create", "item": item}))
        await web.send(json.dumps({"type": "response.create"}))
        while "response.created" not in kinds:
            kinds.append(json.loads(await web.recv())["type"])
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            kinds.append(json.loads(await web.recv())["type"])
    assert kinds[-1] == "response.done"
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
