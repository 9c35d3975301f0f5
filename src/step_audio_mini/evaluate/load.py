"""How many people can talk to one machine at once: recorded turns sent in real time into many calls of one worker.

Every call says a turn, waits for the answer, listens to it to its end with the microphone open, and says the next. All
calls begin at their own moments. A turn is over when the ears hold it for likely (`END`) after a short silence; from
then on the time runs until the first sound of the answer. A later piece that comes after the sound before it has been
played is a gap that a person would hear.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from step_audio_mini.evaluate.background import background
from step_audio_mini.evaluate.intervals import Figure, percentile
from step_audio_mini.evaluate.results import Row, row
from step_audio_mini.types import SAMPLE_RATE, AudioChunk, Decision, Hearing, Language, Samples, Style

PIECE = SAMPLE_RATE // 50
"""Samples a client sends at a time: 20 ms."""
END, LEAST_SILENCE_MS = 0.55, 240
"""A turn is over from this probability on, after so much silence: the balanced rules of a call."""
LONGEST_WAIT = 5.0
"""Seconds of silence after which a turn is over whatever the ears say."""
SILENT_CALLS = 500
"""Calls that are held open, to weigh them."""
LIMIT_MS = 300.0
"""95 % of the answers must begin within this for a number of calls to count as held."""


class TalkCall(Protocol):
    """What is needed of a call (`serve.worker.Call`)."""

    async def hear(self, samples: Samples) -> Any:
        """Take sound; what the ears know."""

    async def reset(self, keep_ms: int = 0) -> None:
        """A new turn."""

    async def hearing(self) -> Hearing:
        """What was understood."""

    async def decide(self, hearing: Hearing) -> Decision:
        """What to do about it."""

    def speak(self, text: str, language: Language, style: Style | None = None) -> AsyncIterator[AudioChunk]:
        """Say it."""

    async def close(self) -> None:
        """Forget the call."""


class TalkWorker(Protocol):
    """What is needed of a worker (`serve.worker.Worker`)."""

    async def open(self, pack: Any, language: Any = "auto") -> TalkCall:
        """A new call."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answered turn; milliseconds from the decision that it was over."""

    hearing: float
    decided: float
    sound: float
    """To the first sound: what a person waits."""
    pieces: int
    gaps: int
    """Pieces after the first that came too late."""


@dataclass
class Rung:
    """What so many calls at once came to."""

    calls: int
    answers: list[Answer] = field(default_factory=list)
    processor: float = 0.0
    """Processor seconds a second of a call."""
    late: list[float] = field(default_factory=list)
    """Milliseconds after which what the ears knew of a piece of sound was told."""

    @property
    def p95(self) -> float:
        """Milliseconds to the first sound, of 95 % of the answers."""
        return percentile([answer.sound for answer in self.answers], 95).value

    @property
    def held(self) -> bool:
        """Whether so many calls are served in time."""
        return bool(self.answers) and self.p95 <= LIMIT_MS


MakeWorker = Callable[[], AbstractAsyncContextManager[TalkWorker]]


async def climb(
    make: MakeWorker, sounds: Sequence[Samples], pack: Any, counts: Sequence[int], seconds: float
) -> list[Rung]:
    """A rung for each number of calls, upwards, to the first that is not held."""
    rungs: list[Rung] = []
    async with make() as worker:
        await (await worker.open(pack)).close()  # what is loaded once is not measured
        for count in counts:
            rungs.append(await rung(worker, sounds, pack, count, seconds))
            if not rungs[-1].held:
                break
    return rungs


async def rung(worker: TalkWorker, sounds: Sequence[Samples], pack: Any, count: int, seconds: float) -> Rung:
    """So many calls at once, for so long."""
    made = Rung(count)
    calls = [await worker.open(pack) for _ in range(count)]
    began, used = time.monotonic(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for number, call in enumerate(calls):
            mixed = [sounds[(number + turn) % len(sounds)] for turn in range(len(sounds))]
            group.create_task(_caller(call, mixed, began + 2.0 * number / count, began + seconds, made))
    made.processor = (time.process_time() - used) / (time.monotonic() - began) / count
    for call in calls:
        await call.close()
    return made


async def _caller(call: TalkCall, sounds: Sequence[Samples], begin: float, end: float, made: Rung) -> None:
    """Turn after turn, the first one at `begin`; one that began before `end` is finished."""
    clock = _Clock(begin)
    quiet = cycle(background(sounds, SAMPLE_RATE).reshape(-1, PIECE))
    turn = 0
    while clock.now < end or turn == 0:
        await _say(call, sounds[turn % len(sounds)], quiet, clock, made)
        decided = time.monotonic()
        hearing = await call.hearing()
        heard = time.monotonic()
        decision = await call.decide(hearing)
        thought = time.monotonic()
        playing = asyncio.ensure_future(_listen(call.speak(decision.reply, decision.language, decision.style)))
        while not playing.done():  # the microphone stays open
            await _send(call, next(quiet), clock, made)
        first, pieces, gaps = playing.result()
        hearing_ms, decided_ms, sound_ms = (1000 * (moment - decided) for moment in (heard, thought, first))
        made.answers.append(Answer(hearing_ms, decided_ms, sound_ms, pieces, gaps))
        await call.reset()
        turn += 1


@dataclass
class _Clock:
    """When the next piece of a call's sound is complete."""

    now: float


async def _say(call: TalkCall, sound: Samples, quiet: Iterator[Samples], clock: _Clock, made: Rung) -> None:
    """Send a turn, then its background until it is over."""
    told = None
    for begin in range(0, len(sound) + int(LONGEST_WAIT * SAMPLE_RATE), PIECE):
        piece = np.copy(next(quiet))
        piece[: max(0, len(sound) - begin)] = sound[begin : begin + PIECE]
        told = await _send(call, piece, clock, made)
        if begin > len(sound) and told.end >= END and told.silence_ms >= LEAST_SILENCE_MS:
            return


async def _send(call: TalkCall, piece: Samples, clock: _Clock, made: Rung) -> Any:
    """A piece when its sound is complete; what was lost by waiting is caught up."""
    clock.now += len(piece) / SAMPLE_RATE
    await asyncio.sleep(max(0.0, clock.now - time.monotonic()))
    told = await call.hear(piece)
    made.late.append(1000 * (time.monotonic() - clock.now))
    return told


async def _listen(speaking: AsyncIterator[AudioChunk]) -> tuple[float, int, int]:
    """When the first sound came, and how many pieces and gaps there were; returns when the last one is played."""
    first, upto, pieces, gaps = 0.0, 0.0, 0, 0
    async for chunk in speaking:
        now = time.monotonic()
        if not pieces:
            first = upto = now
        elif now > upto:
            gaps, upto = gaps + 1, now
        pieces, upto = pieces + 1, upto + len(chunk.samples) / SAMPLE_RATE
    await asyncio.sleep(max(0.0, upto - time.monotonic()))
    return first, pieces, gaps


async def idle_megabytes(make: MakeWorker, pack: Any) -> float:
    """Megabytes of a call that is open and silent, having heard a second of silence: of so many, each."""
    async with make() as worker:
        first = await worker.open(pack)
        await first.hear(np.zeros(SAMPLE_RATE, np.float32))
        before = _resident_megabytes()
        calls = [await worker.open(pack) for _ in range(SILENT_CALLS)]
        for call in calls:
            await call.hear(np.zeros(SAMPLE_RATE, np.float32))
        held = _resident_megabytes() - before
        for call in [first, *calls]:
            await call.close()
    return held / SILENT_CALLS


def _resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def load_rows(rungs: Sequence[Rung], silent: float, data: str) -> list[Row]:
    """The figures of all rungs, and the greatest number of calls that was held."""
    rows = []
    for made in rungs:
        what = f"{made.calls} calls, {data}"
        for q in (50, 95, 99):
            waits = percentile([answer.sound for answer in made.answers], q, items="turns")
            rows.append(row(f"end of turn to first sound, p{q}", what, waits, "real", "ms"))
        for part, times in (
            ("hearing", [answer.hearing for answer in made.answers]),
            ("decision", [answer.decided - answer.hearing for answer in made.answers]),
            ("voice", [answer.sound - answer.decided for answer in made.answers]),
        ):
            rows.append(row(f"of it {part}, p50", what, percentile(times, 50, items="turns"), "real", "ms"))
        rows.append(row("ears behind the sound, p95", what, percentile(made.late, 95, items="pieces"), "real", "ms"))
        gaps, pieces = sum(a.gaps for a in made.answers), sum(a.pieces - 1 for a in made.answers)
        rows.append(row("late pieces of answers", what, _plain(gaps / max(1, pieces), pieces, "pieces"), "real"))
        rows.append(row("processor time of a call", what, _plain(made.processor, 1, "runs"), "real"))
    held = max((made.calls for made in rungs if made.held), default=0)
    most = _plain(float(held), len(rungs), "numbers of calls")
    rows.append(row(f"calls at once with p95 within {LIMIT_MS:.0f} ms", data, most, "real", "calls"))
    memory = _plain(silent, SILENT_CALLS, "calls")
    return [*rows, row("memory of a silent call", f"{SILENT_CALLS} open calls", memory, "real", "MB")]


def _plain(value: float, n: int, over: str) -> Figure:
    return Figure(value, value, value, n, over)
