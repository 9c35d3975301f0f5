"""One thread runs all models for all calls; outside it everything is asyncio. What a call asks for is awaited here.

The worker knows calls, not protocols: sound in, what was heard, what to do about it, sound out. Steps wait for the
thread in order of their deadlines (`batch`), so that ears come before minds, minds before voices and the first sound of
a reply before the rest of another; a call that sends faster than real time is served when nothing else is due.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import numpy as np

from step_audio_mini.listen.stream import advance
from step_audio_mini.rooms import LanguageChoice, Packs
from step_audio_mini.serve.batch import WINDOW, CallClosedError, Lane, ModelThread, Task
from step_audio_mini.serve.model_parts import CallMind, CallRooms, CallVoice, Ears
from step_audio_mini.types import SAMPLE_RATE, AudioChunk, Decision, Hearing, Language, Samples, Style

__all__ = ["Call", "CallClosedError", "Heard", "Load", "Worker"]

T = TypeVar("T")
EARS, MIND, VOICE = 0.04, 0.08, 0.12
"""Seconds after which a step of each is due. What a reply has been given of sound already puts off its next piece."""
CHUNK_SECONDS = 0.32
"""Sound that a step of the ears takes, about: a long piece of sound falls due bit by bit."""
KEPT_SECONDS = 2.0
"""Sound that a new turn may begin with."""
UNSPOKEN_SECONDS = 20.0
"""Ears in which nothing was said for so long begin anew with the last second: silence may go on for ever."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the ears know after a piece of sound."""

    audio_ms: int
    """The call's clock: all sound it ever sent, whole milliseconds; a new turn does not set it back."""
    speech: float
    """Probability 0...1 that the person is speaking at the end of the sound that the network has taken."""
    end: float
    """Probability 0...1 that the person has finished (`Stream.end_probability`); 0 before speech."""
    silence_ms: int
    """Since the last unit of speech; since the turn began where nothing was said."""
    text: str
    """What was understood so far; its last words may still change."""
    confidence: float | None = None
    """How surely that was said, 0...1 (`Stream.sureness`); None: not measured."""


@dataclass(frozen=True, slots=True)
class Load:
    """How busy the worker is: what a server asks before it admits another call."""

    calls: int
    queued: int
    """Steps that wait for the thread."""
    lag_p95_ms: float
    """95 % of the latest steps began at most this long after they could have."""
    busy: float
    """Part 0...1 of the last seconds in which the thread worked."""
    missed: int
    """Steps that ended after their deadline, since the worker began."""


class Call:
    """One conversation's model state: ears and dialogue. Made by `Worker.open`; used from the worker's event loop.

    What is asked of its ears happens in the order it was asked, so with its mind; each reply is spoken by itself. After
    `close` everything raises `CallClosedError`.
    """

    def __init__(
        self, worker: Worker, packs: Packs, ears: Ears, mind: CallMind, voice: CallVoice, language: Language | None
    ) -> None:
        self._worker, self._packs, self._voice = worker, packs, voice
        self._ears = self._kind = ears
        """Those of the turn, and those that the next ones are like."""
        self.mind = mind
        """What its packs are and which tools they have; to be asked for plans through the call only."""
        self.dialogue = mind.dialogue(language)
        """What the conversation remembers."""
        self._listening, self._thinking = Lane(), Lane()
        self._lanes = {self._listening, self._thinking}
        self._samples = self._turn = 0
        self._told: tuple[Any, asyncio.Future[Hearing]] | None = None
        """The last hearing, and what had been said by then."""
        self._kept = np.zeros(0, np.float32)
        self._paced = 0.0

    async def hear(self, samples: Samples) -> Heard:
        """Take mono samples (n,) at 16 kHz, any n; what the ears know after them. Await it before sending much more.

        Sound that was handed over is heard, though the waiting be cancelled.
        """
        # a call that sends faster than sound lasts is due later and later
        self._paced = max(self._paced, time.monotonic())
        due = self._paced + EARS
        self._paced += len(samples) / SAMPLE_RATE
        if self._listening.idle and not self.closed:  # most pieces complete no chunk: the models need not be asked
            self._take(samples)
            if not self._ears.ready and not self._stale:
                return self._heard()
            samples = samples[:0]
        heard: Heard = await self._ask(self._listening, self._hear(samples), due, pace=CHUNK_SECONDS, kept=True)
        return heard

    def _hear(self, samples: Samples) -> Task:
        self._take(samples)
        while self._ears.ready:
            yield self._ears
        if self._stale:
            yield from self._begin(1.0)
        return self._heard()

    def _take(self, samples: Samples) -> None:
        self._ears.take(samples)
        self._samples += len(samples)
        self._kept = np.concatenate([self._kept, samples])[-round(KEPT_SECONDS * SAMPLE_RATE) :]

    @property
    def _stale(self) -> bool:
        return not self._ears.spoken and self._ears.seconds > UNSPOKEN_SECONDS

    def _heard(self) -> Heard:
        ears = self._ears
        return Heard(
            audio_ms=self._samples * 1000 // SAMPLE_RATE,
            speech=ears.speech,
            end=ears.end_probability,
            silence_ms=round(1000 * ears.silence),
            text=ears.partial().text,
            confidence=ears.sureness,
        )

    async def listen_to(self, language: LanguageChoice) -> None:
        """Keep to a language from the next turn on: from this one, where nothing was said in it yet.

        Other ears are loaded first, beside the models. What the conversation remembers stays; silence is answered in
        the language.
        """
        kind = await self._worker._load(lambda rooms: rooms.ears(self._packs, language))
        await self._ask(self._listening, self._listen_as(kind, language), time.monotonic() + EARS, kept=True)

    def _listen_as(self, kind: Ears, language: LanguageChoice) -> Task:
        self._kind = kind
        if language != "auto":
            self.dialogue.language = language
        if not self._ears.spoken:
            yield from self._begin(self._ears.seconds)

    async def reset(self, keep_ms: int = 0) -> None:
        """A new turn: fresh ears, that begin with the last `keep_ms` (at most 2000) of the sound before."""
        await self._ask(self._listening, self._begin(keep_ms / 1000), time.monotonic() + EARS, kept=True)

    def _begin(self, keep: float) -> Task:
        kept = self._kept[len(self._kept) - min(len(self._kept), max(0, round(keep * SAMPLE_RATE))) :]
        self._ears, self._turn = self._kind.fresh(), self._turn + 1
        self._ears.take(kept)
        while self._ears.ready:
            yield self._ears

    async def hearing(self) -> Hearing:
        """What was understood so far, as if the turn ended here; the ears go on. Of the voice nothing is told.

        The same again where nothing was said since the last one: a turn that is over after the reply to it was begun.
        """
        ears, said = await self._ask(self._listening, _once(self._snapshot), time.monotonic() + EARS)
        if self._told is None or self._told[0] != said:
            self._told = said, asyncio.ensure_future(self._finish(ears))
            self._told[1].add_done_callback(self._forget_failed)
        return await asyncio.shield(self._told[1])

    def _forget_failed(self, told: asyncio.Future[Hearing]) -> None:
        if (told.cancelled() or told.exception()) and self._told is not None and self._told[1] is told:
            self._told = None

    def _snapshot(self) -> tuple[Ears, Any]:
        return self._ears.snapshot(), (self._turn, self._ears.said)

    async def _finish(self, ears: Ears) -> Hearing:
        with self._lane() as lane:
            hearing: Hearing = await self._ask(lane, _finished(ears), time.monotonic() + EARS)
        return hearing

    async def plan(self, hearing: Hearing) -> Any:
        """What the mind would do about it (`think.plan.Plan`); the dialogue stays as it is."""
        return await self._think(lambda: self.mind.plan(hearing, self.dialogue))

    async def accept(self, plan: Any) -> None:
        """The turn counts, though its tools still run: the next one may be planned."""
        await self._think(lambda: self.mind.accept(plan, self.dialogue))

    async def take_back(self) -> None:
        """The last turn was but the beginning of one that is to be planned: forget it, unless a tool ran for it."""
        await self._think(self.dialogue.take_back)

    async def complete(self, plan: Any, outcomes: Sequence[Any] = ()) -> Decision:
        """The decision, with what the tools returned; the dialogue moves on."""
        decision: Decision = await self._think(lambda: self.mind.complete(plan, outcomes, self.dialogue))
        return decision

    def prompt(self) -> tuple[str, Language]:
        """What to ask somebody who says nothing, and its language; nothing is remembered of it."""
        return self.mind.prompt(self.dialogue)

    def cut_short(self, heard: str) -> None:
        """The latest reply was stopped when only these words of it had been heard."""
        self.dialogue.cut_short(heard)

    async def decide(self, hearing: Hearing) -> Decision:
        """Plan, run the pack's own tools beside the models, and complete."""
        plan = await self.plan(hearing)
        return await self.complete(plan, await asyncio.to_thread(self.mind.run, plan))

    async def _think(self, work: Callable[[], Any]) -> Any:
        return await self._ask(self._thinking, _once(work), time.monotonic() + MIND)

    async def speak(
        self, text: str, language: Language, style: Style | None = None, voice: str | None = None
    ) -> AsyncGenerator[AudioChunk, None]:
        """Sound of a reply, piece by piece, with the words that end in each; closing the iterator stops the work.

        `voice`, of `Worker.voices`, speaks the language it can, the usual voices all else. UserError at the first piece
        where nothing of the text can be spoken, or where there is no such voice.
        """
        due = time.monotonic() + VOICE
        with self._lane() as lane:
            chunks: Iterator[AudioChunk] = await self._ask(
                lane, _once(lambda: self._voice.stream(text, language, style or Style(), voice)), due
            )
            chunk: AudioChunk | None
            while (chunk := await self._ask(lane, _once(lambda: next(chunks, None)), due)) is not None:
                due = max(due, time.monotonic()) + len(chunk.samples) / SAMPLE_RATE
                yield chunk

    @contextmanager
    def _lane(self) -> Iterator[Lane]:
        """A lane beside those of ears and mind, for as long as it is wanted."""
        lane = Lane()
        self._lanes.add(lane)
        try:
            yield lane
        finally:
            self._lanes.discard(lane)
            self._worker._drop([lane])

    async def _ask(self, lane: Lane, task: Task, due: float, *, pace: float = 0.0, kept: bool = False) -> Any:
        if self.closed:
            raise CallClosedError("this call is closed")
        return await self._worker._models.submit(lane, task, due, pace, kept)

    @property
    def closed(self) -> bool:
        """Whether the call, or its worker, was closed."""
        return self not in self._worker._calls

    async def close(self) -> None:
        """Drop what waits and forget the call. Twice is once."""
        self._worker._calls.discard(self)
        self._worker._drop(self._lanes)


class Worker:
    """Owns the model thread; `async with Worker(rooms) as worker`, then `await worker.open(...)` for every call."""

    def __init__(
        self,
        rooms: CallRooms,
        window_ms: float = 1000 * WINDOW,
        advance: Callable[[Sequence[Any]], None] = advance,
    ) -> None:
        """`window_ms`: how long a step of the ears waits for those of other calls, to run with them as one.

        `advance` makes the step, of the ears that the rooms give.
        """
        self._rooms, self._window, self._advance = rooms, window_ms / 1000, advance
        self._loader = ThreadPoolExecutor(1, "loader")
        self._calls: set[Call] = set()
        self._thread: ModelThread | None = None

    async def __aenter__(self) -> Worker:
        """Start the thread."""
        self._thread = ModelThread(self._advance, self._window)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all calls and end the thread."""
        for call in list(self._calls):
            await call.close()
        await self._models.stop()
        self._loader.shutdown(wait=False, cancel_futures=True)

    async def open(self, pack: Packs, language: LanguageChoice = "auto") -> Call:
        """A new call; what its pack needs is loaded beside the model thread, so that other calls go on."""
        ears, mind, voice = await self._load(
            lambda rooms: (rooms.ears(pack, language), rooms.mind(pack), rooms.voice())
        )
        call = Call(self, pack, ears, mind, voice, None if language == "auto" else language)
        self._calls.add(call)
        return call

    async def _load(self, what: Callable[[CallRooms], T]) -> T:
        if not self.alive:
            raise CallClosedError("the worker does not run")
        loaded = await asyncio.get_running_loop().run_in_executor(self._loader, what, self._rooms)
        if not self.alive:
            raise CallClosedError("the worker does not run")
        return loaded

    def voices(self) -> tuple[str, ...]:
        """Names that `Call.speak` takes, the usual voice of each language first; loads the voices."""
        return tuple(voice.name for voice in self._rooms.voice().voices)

    @property
    def load(self) -> Load:
        """How busy the worker is now."""
        models = self._models
        return Load(len(self._calls), models.queued, 1000 * models.lag_p95, models.busy, models.missed)

    @property
    def alive(self) -> bool:
        """Whether the thread runs: False before the start, after the end, and when it died."""
        return self._thread is not None and self._thread.alive

    @property
    def _models(self) -> ModelThread:
        if self._thread is None:
            raise CallClosedError("the worker does not run; use it as 'async with'")
        return self._thread

    def _drop(self, lanes: Iterable[Lane]) -> None:
        self._models.drop(lanes)


def _once(work: Callable[[], Any]) -> Task:
    """A task of one step that needs no ears."""
    return work()
    yield  # what makes this a generator


def _finished(ears: Ears) -> Task:
    ears.close()
    while ears.ready:
        yield ears
    return ears.hearing(False)
