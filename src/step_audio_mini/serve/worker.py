"""One thread runs all models for all calls; outside it everything is asyncio. What a call asks for is awaited here.

The worker knows calls, not protocols: sound in, what was heard, what to do about it, sound out. Steps wait for the
thread in order of their deadlines, so that ears come before minds, minds before voices and the first sound of a reply
before the rest of another; a call that sends faster than real time is served when nothing else is due.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from step_audio_mini.rooms import LanguageChoice, Packs, Rooms
from step_audio_mini.types import AudioChunk, Decision, Hearing, Language, Samples, Style

WINDOW_MS = 10.0
"""How long a step of the ears waits for those of other calls, to run with them as one."""


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

    What is asked of one call happens in the order it was asked. After `close` everything raises `CallClosedError`.
    """

    async def hear(self, samples: Samples) -> Heard:
        """Take mono samples (n,) at 16 kHz, any n; what the ears know after them. Await it before sending much more."""
        raise NotImplementedError

    async def reset(self, keep_ms: int = 0) -> None:
        """A new turn: fresh ears, that begin with the last `keep_ms` (at most 2000) of the sound before."""
        raise NotImplementedError

    @property
    def turn_ms(self) -> int:
        """Where on the call's clock the present ears began: times of words in a `Hearing` count from here."""
        raise NotImplementedError

    async def hearing(self) -> Hearing:
        """What was understood so far, as if the turn ended here; the ears go on."""
        raise NotImplementedError

    async def plan(self, hearing: Hearing) -> Any:
        """What the mind would do about it; the dialogue stays as it is until `complete`."""
        raise NotImplementedError

    async def complete(self, plan: Any, outcomes: Sequence[Any] = ()) -> Decision:
        """The decision, with what the tools returned; the dialogue moves on."""
        raise NotImplementedError

    async def decide(self, hearing: Hearing) -> Decision:
        """Plan, run the pack's own tools and complete, as `StepAudio2Mini.think` does."""
        raise NotImplementedError

    def speak(self, text: str, language: Language, style: Style | None = None) -> AsyncIterator[AudioChunk]:
        """Sound of a reply, piece by piece, with the words that end in each; closing the iterator stops the work.

        UserError at the first piece where nothing of the text can be spoken.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Drop what waits and forget the call. Twice is once."""
        raise NotImplementedError


class Worker:
    """Owns the model thread; `async with Worker(rooms) as worker`, then `await worker.open(...)` for every call."""

    def __init__(self, rooms: Rooms, window_ms: float = WINDOW_MS) -> None:
        self._rooms, self._window_ms = rooms, window_ms

    async def __aenter__(self) -> Worker:
        """Start the thread."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all calls and end the thread."""

    async def open(self, pack: Packs, language: LanguageChoice = "auto") -> Call:
        """A new call; what its pack needs is loaded beside the thread, other calls go on."""
        raise NotImplementedError

    @property
    def load(self) -> Load:
        """How busy the worker is now."""
        raise NotImplementedError

    @property
    def alive(self) -> bool:
        """Whether the thread runs: False before the start, after the end, and when it died."""
        raise NotImplementedError


class CallClosedError(Exception):
    """The call, or the worker, was closed while something was asked of it."""
