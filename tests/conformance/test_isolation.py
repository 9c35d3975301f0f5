"""What a server keeps apart: calls from each other, models from the event loop, the machine from the rest of the world.

Numbers in the names are those of the list of invariants that realtime voice protocols live by.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import connect

from step_audio_mini.audio import file
from step_audio_mini.audio.resample import Resampler
from step_audio_mini.serve.worker import Worker
from tests.conformance.serving import Caller, calling, serving
from tests.serve.fakes import FakeCall, FakeWorker, Script, silence, speech
from tests.serve.worker_fakes import CHUNK, Rooms, Steps
from tests.shipped import needs_weights

QUICK = {"type": "server_vad", "silence_duration_ms": 300}
ORDER = Path(__file__).resolve().parents[1] / "fixtures" / "order.opus"


@pytest.mark.unit
async def test_22_many_calls_at_once_are_each_as_alone() -> None:
    async def one(url: str, place: int) -> dict[str, list[Any]]:
        """What each kind of event told; kinds may interleave as they like."""
        async with calling(url) as caller:
            # what was played when is a matter of the clock: an answer is not to be spoken over
            source = {"turn_detection": {**QUICK, "interrupt_response": False}, "transcription": {"model": "any"}}
            await caller.send("session.update", session={"type": "realtime", "audio": {"input": source}})
            for seconds in (0.8 + 0.25 * place, 2.0 - 0.25 * place):
                await caller.speak(silence(1.5) + speech(seconds) + silence(0.6))
                await caller.until("response.done")
        facts: dict[str, list[Any]] = {}
        names = ("delta", "transcript", "audio_start_ms", "audio_end_ms")
        for event in caller.events:
            if event["type"] != "rate_limits.updated":
                facts.setdefault(event["type"], []).append([event.get(name) for name in names])
        return facts

    async with serving(FakeWorker(Script(speak_s=0.002))) as served:
        together = await asyncio.gather(*(one(served.url, place) for place in range(5)))
        assert together == [await one(served.url, place) for place in range(5)]
    assert len({str(facts["input_audio_buffer.speech_stopped"]) for facts in together}) == 5, (
        "each spoke for a while of its own"
    )


STEP_S = 0.2
LAG_S = 0.1  # half a step: a loop that waits for a model is late by a whole one


@pytest.mark.unit
async def test_21_no_model_holds_up_the_event_loop() -> None:
    late = [0.0]

    async def watch() -> None:
        while True:
            asked = time.perf_counter()
            await asyncio.sleep(0.005)
            late.append(time.perf_counter() - asked - 0.005)

    steps = Steps(STEP_S)
    async with (
        serving(Worker(Rooms(), 10.0, steps)) as served,
        calling(served.url) as talker,
        calling(served.url) as other,
    ):
        watching = asyncio.ensure_future(watch())
        for _ in range(4):
            await talker.speak(bytes(3 * CHUNK))
        for _ in range(20):
            await other.send("session.update", session={"type": "realtime"})
            await other.until("session.updated")
        while len(steps.sizes) < 3:
            await asyncio.sleep(0.01)
        watching.cancel()
    assert sorted(late)[int(len(late) * 0.99)] < LAG_S


class Slow(FakeCall):
    """Ears that take ten times as long as the sound."""

    async def hear(self, samples: Any) -> Any:
        await asyncio.sleep(10 * len(samples) / 16_000)
        return await super().hear(samples)


class Overrun(FakeWorker):
    """Opens calls that hear too slowly."""

    async def open(self, pack: Any, language: Any = "auto") -> FakeCall:
        self.calls += 1
        self.opened.append(Slow(self.script, self))
        return self.opened[-1]


@pytest.mark.unit
async def test_who_sends_faster_than_is_heard_is_not_taken_for_dead() -> None:
    async with serving(Overrun(), heartbeat=0.2) as served, calling(served.url, settled=False) as caller:
        await caller.until("session.created")
        await caller.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": QUICK}}})
        await caller.until("session.updated")
        await asyncio.wait_for(caller.speak(silence(0.2), pace=0.1), 5)
        flood = asyncio.ensure_future(caller.speak(silence(2.0)))
        await asyncio.sleep(1.5)
        assert caller.socket.close_code is None
        flood.cancel()


@pytest.mark.unit
async def test_what_needs_no_sound_does_not_wait_until_all_sound_was_heard() -> None:
    async with serving(Overrun(Script(speak_s=0.1))) as served, calling(served.url, settled=False) as caller:
        await caller.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": QUICK}}})
        content = [{"type": "input_text", "text": "good morning to you"}]
        await caller.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})
        await caller.send("response.create")
        await caller.until("response.output_audio.delta")
        await caller.speak(silence(0.5))  # heard in five seconds
        await caller.send("response.cancel")
        async with asyncio.timeout(0.6):
            done = await caller.until("response.done")
        assert done["response"]["status"] == "cancelled"


HOOKED = """
import os, sys
places = set()
def hook(event, args):
    if event in ("socket.connect", "socket.sendto"):
        places.add(f"{event} {args[1]}")
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        places.add(f"{event} {args[0]}")
    elif event == "open" and isinstance(args[0], (str, bytes)):
        mode, flags = args[1:]
        if set(mode) & set("wax+") if mode else flags & (os.O_WRONLY | os.O_RDWR):
            places.add(f"write {args[0]}")
sys.addaudithook(hook)
import atexit, json
atexit.register(lambda: print("PLACES " + json.dumps(sorted(places)), flush=True))
from step_audio_mini.cli.main import main
sys.exit(main(["serve", "--port", "0", "--pack", "coffee"]))
"""
NEAR = re.compile(r"(127\.0\.0\.1|localhost|::1|None)")


@pytest.mark.golden
@needs_weights
def test_24_a_call_reaches_nobody_and_writes_nothing_down(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    environment["STEP_AUDIO_STATE"] = str(tmp_path / "state.sqlite")
    command = [sys.executable, "-c", HOOKED]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert server.stdout is not None
        address = re.search(r"http://(\S+)/", server.stdout.readline())
        assert address is not None
        turns, said = asyncio.run(noise_and_then_an_order(address[1]))
    finally:
        server.send_signal(signal.SIGINT)
        told, logged = server.communicate(timeout=60)
    assert (turns, said[:9]) == (1, "One small"), "17: silence, noise and a chord are no turn"
    places = json.loads(told.partition("PLACES ")[2])
    reached = [place for place in places if not place.startswith("write") and not NEAR.search(place)]
    assert not reached
    written = [place for place in places if place.startswith("write") and str(tmp_path) not in place]
    assert [place for place in written if not place.endswith("/dev/null")] == []
    assert "coffee" not in logged and "brown" not in logged


def unspoken() -> np.ndarray[Any, np.dtype[np.float32]]:
    """Twelve seconds of what is no speech: nothing, noise, a chord that swells."""
    times = np.arange(4 * 16_000) / 16_000
    noise = 0.05 * np.random.default_rng(5).standard_normal(len(times))
    chord = sum(np.sin(2 * np.pi * pitch * times) for pitch in (220.0, 277.2, 329.6)) * 0.05 * np.abs(np.sin(times))
    return np.concatenate([np.zeros(len(times)), noise, chord]).astype(np.float32)


async def noise_and_then_an_order(address: str) -> tuple[int, str]:
    """Turns that were committed, and the answer."""
    resampler = Resampler(16_000, 24_000)
    parts = [unspoken(), file.read(ORDER), np.zeros(16_000, np.float32)]
    samples = np.concatenate([*(resampler.push(part) for part in parts), resampler.finish()])
    sound = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
    async with asyncio.timeout(120), connect(f"ws://{address}/v1/realtime", max_size=None, ping_timeout=None) as web:
        caller = Caller(web)
        detection = {"audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}}
        await caller.send("session.update", session={"type": "realtime", **detection})
        for start in range(0, len(sound), 9600):
            await caller.send("input_audio_buffer.append", audio=base64.b64encode(sound[start : start + 9600]).decode())
        said = (await caller.until("response.output_audio_transcript.done"))["transcript"]
        await caller.until("response.done")
        await caller.settle(0.5)
    return len(caller.of("input_audio_buffer.committed")), said
