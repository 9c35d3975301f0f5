"""What every stock client must live through: a spoken order that calls a function, its answer heard, a barge-in.

Runs in the clients' own environment; nothing of the project is imported here. Usage of each client beside this file:
`python openai_client.py --url ws://127.0.0.1:PORT/v1/realtime --sound order.opus --out story.json`.
"""

# mypy: ignore-errors
# The packages of this client are in an environment of their own; mypy does not see them.

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import soundfile
import soxr

RATE = 24_000
FRAME_MS = 20
MODEL = "step-audio-2-mini"
FUNCTION = "orderDrink"
RESULT = {"order": 42}
PARAMETERS = {
    "type": "object",
    "properties": {
        "coffeeDrink": {"type": "string"},
        "size": {"type": "string"},
        "roast": {"type": "string"},
        "numberOfShots": {"type": "string"},
        "milkAmount": {"type": "string"},
        "sugarAmount": {"type": "string"},
    },
}
DESCRIPTION = "Order a drink"
PATIENCE_S = 30.0  # for each thing that must come


@dataclass
class Story:
    """What the client saw; all of `held` must be true in the end."""

    client: str
    version: str
    transcripts: list[str] = field(default_factory=list)
    calls: list[dict[str, object]] = field(default_factory=list)
    answer_bytes: int = 0
    answers: list[str] = field(default_factory=list)
    interruptions: int = 0
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0
    held: dict[str, bool] = field(default_factory=dict)
    last_sound: float = 0.0

    def sound(self, data: bytes) -> None:
        """A piece of the answer was heard."""
        self.answer_bytes += len(data)
        self.last_sound = time.monotonic()


@dataclass
class Options:
    """The command line of a client."""

    url: str
    sound: Path
    out: Path

    @property
    def http(self) -> str:
        """The base for clients that want http."""
        return self.url.replace("ws", "http", 1).removesuffix("/realtime")


class Microphone:
    """Sends a recording in real time, and silence while nobody speaks, as a microphone does."""

    def __init__(self, sound: Path, send: Callable[[bytes], Awaitable[None]]) -> None:
        samples, rate = soundfile.read(sound, dtype="float32", always_2d=True)
        wide = soxr.resample(samples.mean(axis=1), rate, RATE)
        loud = np.flatnonzero(np.abs(wide) > 0.05 * np.abs(wide).max())
        wide = wide[max(0, loud[0] - RATE // 5) : loud[-1] + RATE // 5]  # what is still around it is sent as silence
        self.recording = (np.clip(wide, -1, 1) * 32767).astype("<i2").tobytes()
        self._send = send
        self._queue = bytearray()
        self.spoken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Microphone:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def speak(self) -> None:
        """Begin to speak."""
        self.spoken.clear()
        self._queue[:] = self.recording

    async def _run(self) -> None:
        step = RATE * 2 * FRAME_MS // 1000
        due = time.monotonic()
        while True:
            frame = bytes(self._queue[:step]).ljust(step, b"\0")
            del self._queue[:step]
            if not self._queue:
                self.spoken.set()
            await self._send(frame)
            due += FRAME_MS / 1000
            await asyncio.sleep(max(0.0, due - time.monotonic()))


def waits(story: Story, name: str, condition: Callable[[], bool]) -> Awaitable[None]:
    """Wait until something has happened; the story remembers whether it did."""

    async def wait() -> None:
        end = time.monotonic() + PATIENCE_S
        while not condition() and time.monotonic() < end:
            await asyncio.sleep(0.02)
        story.held[name] = condition()
        if not story.held[name]:
            raise TimeoutError(name)

    return wait()


async def converse(story: Story, microphone: Microphone, interruptions: Callable[[], int]) -> None:
    """Speak an order, hear the answer, order again and speak over the answer."""
    began = time.monotonic()
    microphone.speak()
    await waits(story, "function called", lambda: bool(story.calls))
    await microphone.spoken.wait()
    await waits(story, "answer heard", lambda: story.answer_bytes > RATE)
    await waits(story, "answer over", lambda: time.monotonic() - story.last_sound > 1.5)
    heard = story.answer_bytes
    microphone.speak()
    await microphone.spoken.wait()
    await waits(story, "second answer heard", lambda: story.answer_bytes > heard + RATE // 4)
    before = interruptions()
    microphone.speak()
    await waits(story, "interrupted", lambda: interruptions() > before)
    heard = story.answer_bytes
    await microphone.spoken.wait()
    await waits(story, "answered after the interruption", lambda: story.answer_bytes > heard + RATE)
    await waits(story, "quiet at the end", lambda: time.monotonic() - story.last_sound > 1.5)
    story.seconds = round(time.monotonic() - began, 1)


def play(client: str, package: str, run: Callable[[Story, Options], Awaitable[None]]) -> None:
    """The command line of a client: run its story, write what it saw."""
    from importlib.metadata import version

    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--sound", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = Options(**vars(parser.parse_args()))
    story = Story(client, version(package))
    asyncio.run(_told(story, run(story, options), options.out))


async def _told(story: Story, run: Awaitable[None], out: Path) -> None:
    try:
        await asyncio.wait_for(run, 6 * PATIENCE_S)
    except Exception as error:
        story.errors.append(f"{type(error).__name__}: {error}")
    told = asdict(story)
    del told["last_sound"]
    out.write_text(json.dumps(told, ensure_ascii=False, indent=1), "utf-8")
    if story.errors:  # what is left of a client that broke need not come to its end
        os._exit(1)
