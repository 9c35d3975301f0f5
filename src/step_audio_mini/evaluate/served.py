"""One call as a client has it: recordings said to a running server in real time, turn after turn, and what each waits.

The microphone stays open. A turn counts from the server's word that it is over (`input_audio_buffer.committed`) to the
first sound of the answer; the client listens to the beginning of it, stops it, and says the next turn. A turn that was
over while the recording still spoke is not counted, but told: what follows it would be a barge-in. Processor time is
that of the whole process without the client's own thread; where the server runs elsewhere it means nothing.
"""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64encode
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from step_audio_mini.audio.resample import Resampler
from step_audio_mini.errors import UserError
from step_audio_mini.evaluate.background import background
from step_audio_mini.evaluate.intervals import Count, Figure, percentile, rate
from step_audio_mini.evaluate.results import Row, row
from step_audio_mini.types import Samples

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

RATE, FRAME_S = 24_000, 0.02
"""Sound of the protocol, and how much of it goes into an event."""
LISTENED_MS = 450
"""Of an answer, before it is stopped: more than the 300 ms below which the server takes more speech for the same
turn."""
PAUSE_S = 0.3
"""From there to the next turn."""
PATIENCE_S = 10.0
"""Silence after a recording in which the server must have answered."""
LOUD = 0.05
"""Part of a recording's greatest amplitude above which it still speaks."""

Ending = Literal["answered", "cut off", "unanswered"]


@dataclass(frozen=True, slots=True)
class Moment:
    """Seconds of the clock and of the processor."""

    wall: float
    processor: float

    @classmethod
    def now(cls) -> Moment:
        """From the thread of the client only; the two clocks of the processor are read microseconds apart."""
        return cls(time.perf_counter(), time.process_time() - time.thread_time())


@dataclass(frozen=True, slots=True)
class Wait:
    """One answered turn, in milliseconds."""

    wall: float
    """From the word that the turn is over to the first sound of the answer."""
    processor: float
    bound: float
    """To the same sound from the last frame of the microphone before that word: no decision can have been earlier."""
    work: float
    """Processor time from where the server began to make the answer, which may be before the turn was over."""
    stages: Mapping[str, float]
    """The server's own account, `step_audio.timings_ms`."""


@dataclass
class Talk:
    """What a call came to."""

    waits: list[Wait] = field(default_factory=list)
    endings: Counter[Ending] = field(default_factory=Counter)
    seconds: float = 0.0
    processor: float = 0.0
    """Processor seconds a second of the call."""


async def converse(url: str, sounds: Sequence[Samples], turns: int, tell: Callable[[str], None]) -> Talk:
    """So many turns, of recordings at 16 kHz said one after the other, in a call at the address of a server."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import WebSocketException

    said = [_Said.of(sound) for sound in sounds]
    talk = Talk()
    try:
        async with connect(url, compression=None, max_size=None) as socket:
            began = Moment.now()
            client = _Client(socket, _pause(sounds))
            await client.run(said, turns, talk, tell)
            ended = Moment.now()
    except (OSError, WebSocketException) as error:
        raise UserError(f"the call to {url} broke ({error}); look at the server's log") from None
    talk.seconds = ended.wall - began.wall
    talk.processor = (ended.processor - began.processor) / talk.seconds
    return talk


def _shown(waits: Sequence[Wait]) -> str:
    return f" after {waits[-1].wall:.0f} ms ({waits[-1].processor:.0f} ms of processor)" if waits else ""


@dataclass(frozen=True)
class _Said:
    """A recording as the client sends it."""

    frames: Sequence[str]
    """Events."""
    quiet: int
    """How many of them come after the last loud one."""

    @classmethod
    def of(cls, sound: Samples) -> _Said:
        resampler = Resampler(16_000, RATE)
        samples = np.concatenate([resampler.push(sound), resampler.finish()])
        size = int(RATE * FRAME_S)
        samples = np.concatenate([samples, np.zeros(-len(samples) % size, np.float32)])
        loud = np.flatnonzero(np.abs(samples) > LOUD * np.abs(samples).max(initial=1e-9))
        last = int(loud[-1]) // size + 1 if len(loud) else 0
        pieces = np.clip(samples * 32768, -32768, 32767).astype("<i2").reshape(-1, size)
        return cls([_append(piece.tobytes()) for piece in pieces], len(pieces) - last)


def _append(data: bytes) -> str:
    return json.dumps({"type": "input_audio_buffer.append", "audio": b64encode(data).decode()})


def _pause(sounds: Sequence[Samples]) -> Sequence[str]:
    """A second of what is behind the recordings."""
    pieces = np.clip(background(sounds, RATE) * 32768, -32768, 32767).astype("<i2").reshape(-1, int(RATE * FRAME_S))
    return [_append(piece.tobytes()) for piece in pieces]


class _Client:
    """A microphone that never closes, and what the server told."""

    def __init__(self, socket: ClientConnection, pause: Sequence[str]) -> None:
        self._socket, self._pause = socket, cycle(pause)
        self._to_say: deque[str] = deque()
        self._sent: deque[Moment] = deque(maxlen=int(20.0 / FRAME_S))
        self._told: asyncio.Queue[tuple[Moment, dict[str, Any]]] = asyncio.Queue()

    async def run(self, said: Sequence[_Said], turns: int, talk: Talk, tell: Callable[[str], None]) -> None:
        """So many turns; ends at once where the connection does."""
        parts = [self._turns(said, turns, talk, tell), self._microphone(), self._read()]
        tasks = [asyncio.ensure_future(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _turns(self, said: Sequence[_Said], turns: int, talk: Talk, tell: Callable[[str], None]) -> None:
        detection = {"type": "semantic_vad", "eagerness": "auto"}
        session = {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
        await self._send("session.update", session=session)
        await self._until("session.updated")
        for number in range(turns):
            ending = await self._turn(said[number % len(said)], talk)
            talk.endings[ending] += 1
            tell(f"turn {number + 1} of {turns}: {ending}{_shown(talk.waits) if ending == 'answered' else ''}")
            await asyncio.sleep(PAUSE_S)
            while not self._told.empty():
                self._told.get_nowait()

    async def _microphone(self) -> None:
        """A frame every 20 ms; what was lost by waiting is caught up."""
        due = time.monotonic()
        while True:
            due += FRAME_S
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await self._socket.send(self._to_say.popleft() if self._to_say else next(self._pause))
            self._sent.append(Moment.now())

    async def _read(self) -> None:
        async for frame in self._socket:
            self._told.put_nowait((Moment.now(), json.loads(frame)))
        raise ConnectionError("the server ended the call")

    async def _send(self, kind: str, **fields: Any) -> None:
        await self._socket.send(json.dumps({"type": kind, **fields}))

    async def _until(self, kind: str) -> tuple[Moment, dict[str, Any]]:
        while True:
            moment, event = await self._told.get()
            if event["type"] == kind and event.get("delta") != "":
                return moment, event

    async def _turn(self, said: _Said, talk: Talk) -> Ending:
        """Say a recording, and hear the beginning of the answer."""
        self._to_say.extend(said.frames)
        try:
            async with asyncio.timeout(len(said.frames) * FRAME_S + PATIENCE_S):
                over, _ = await self._until("input_audio_buffer.committed")
                early = len(self._to_say) > said.quiet
                self._to_say.clear()
                before = [sent for sent in self._sent if sent.wall <= over.wall]
                first, delta = await self._until("response.output_audio.delta")
                await asyncio.sleep(LISTENED_MS / 1000)
                await self._stop(delta["item_id"])
                _, done = await self._until("response.done")
        except TimeoutError:
            self._to_say.clear()
            await self._send("response.cancel")
            return "unanswered"
        if early:
            return "cut off"
        stages = done["response"]["step_audio"]["timings_ms"]
        begun = over.wall - stages.get("ahead", 0.0) / 1000
        work = next((sent for sent in reversed(before) if sent.wall <= begun), before[0])
        talk.waits.append(
            Wait(
                wall=1000 * (first.wall - over.wall),
                processor=1000 * max(0.0, first.processor - over.processor),
                bound=1000 * (first.wall - before[-1].wall),
                work=1000 * max(0.0, first.processor - work.processor),
                stages=stages,
            )
        )
        return "answered"

    async def _stop(self, item_id: str) -> None:
        """Stop an answer as a client does that is done with it."""
        await self._send("response.cancel")
        place = {"item_id": item_id, "content_index": 0}
        await self._send("conversation.item.truncate", **place, audio_end_ms=LISTENED_MS)


def talk_rows(talk: Talk, data: str) -> list[Row]:
    """The figures of a call."""
    waits = talk.waits
    if not waits:
        raise UserError("no turn was answered; give recordings that say something to the pack")

    def line(measure: str, times: Sequence[float], q: float) -> Row:
        return row(f"{measure}, p{q:g}", data, percentile(times, q, items="turns"), "real", "ms")

    rows = []
    for measure, times in (
        ("decision to first sound", [wait.wall for wait in waits]),
        ("processor time in it", [wait.processor for wait in waits]),
        ("last frame before the decision to first sound", [wait.bound for wait in waits]),
        ("processor time of an answer's beginning, what was made ahead included", [wait.work for wait in waits]),
    ):
        rows += [line(measure, times, q) for q in (50, 95, 99)]
    for stage in ("end_of_turn", "ahead", "listen", "think", "tools", "speak_first", "total"):
        if times := [wait.stages[stage] for wait in waits if stage in wait.stages]:
            rows += [line(f"server's own {stage}", times, q) for q in (50, 95)]
    for ending in ("cut off", "unanswered"):
        counts = [Count(float(place < talk.endings[ending]), 1, str(place)) for place in range(talk.endings.total())]
        rows.append(row(f"turns {ending}, not counted above", data, rate(counts, groups="turns"), "real"))
    used = Figure(talk.processor, talk.processor, talk.processor, 1, "runs")
    return [*rows, row("processor time of the call", data, used, "real")]


def frame_rows(paced: float, packed: float) -> list[Row]:
    """The server's own processor time for a frame: of `frame_seconds` in real time, and without pauses."""
    rows = []
    for data, ms in (("no models, a call in real time", 1000 * paced), ("no models, no pauses", 1000 * packed)):
        figure = Figure(ms, ms, ms, 1, "runs")
        rows.append(row("server's processor time for 20 ms of sound", data, figure, "real", "ms"))
    return rows


async def frame_seconds(url: str, sound: Samples, count: int, pause: float, clock: Callable[[], float]) -> float:
    """Seconds by `clock` that a server takes for a frame of a recording, said again and again, frame by frame.

    With a `pause` of 20 ms each frame wakes a machine that sleeps; with none they come as those of many calls do.
    """
    from websockets.asyncio.client import connect

    frames = _Said.of(sound).frames
    async with connect(url, compression=None, max_size=None) as socket:
        await socket.recv()
        due, before = time.monotonic(), clock()
        for number in range(count):
            due += pause
            if pause:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            await socket.send(frames[number % len(frames)])
        await socket.send(json.dumps({"type": "input_audio_buffer.clear"}))
        while json.loads(await socket.recv())["type"] != "input_audio_buffer.cleared":
            pass
        return (clock() - before) / count
