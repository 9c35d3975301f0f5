"""Scripted ears, mind, voice and loudspeaker, and a call that joins them to the engine in virtual time.

Nothing here sleeps, draws or loads anything: the same script gives the same trace. `say`, `noise` and `hum` write what
the microphone hears; `VirtualCall.run` plays it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from step_audio_mini.converse.actions import (
    Action,
    CommitTurn,
    Discard,
    DropSound,
    Duck,
    Filler,
    Release,
    Respond,
    ResumeReply,
    Speculate,
    StopReply,
)
from step_audio_mini.converse.engine import Engine
from step_audio_mini.converse.events import (
    Event,
    Heard,
    ReplyEnded,
    ReplySound,
    ReplyStarted,
    Speculated,
    Tick,
    TimedWord,
    ToolEnded,
    ToolStarted,
)
from step_audio_mini.converse.frames import FRAME_MS


@dataclass(frozen=True)
class Sound:
    """Something the microphone hears."""

    start_ms: int
    end_ms: int
    words: tuple[tuple[str, int], ...] = ()
    """Text and end of each word, in ms of the call."""
    speech: bool = True
    complete: bool = True
    """The sentence sounds finished."""


def say(start_ms: int, text: str, *, word_ms: int = 240, complete: bool = True) -> Sound:
    """Speech; words of English, or characters of Mandarin."""
    units = re.findall(r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+", text)
    words = tuple((unit, start_ms + (i + 1) * word_ms) for i, unit in enumerate(units))
    return Sound(start_ms, words[-1][1], words, complete=complete)


def noise(start_ms: int, ms: int) -> Sound:
    """Loud, but no speech: a cough, a door, music."""
    return Sound(start_ms, start_ms + ms, speech=False)


def hum(start_ms: int, ms: int = 260) -> Sound:
    """A voice without a word: "mm"."""
    return Sound(start_ms, start_ms + ms)


def joined(words: Iterable[str]) -> str:
    """Text of words, spaces only between those of English."""
    return re.sub(r"(?<=[\u3400-\u9fff]) (?=[\u3400-\u9fff])", "", " ".join(words))


class FakeEars:
    """Hear the script as the real ones do: by chunks, some time behind, the loudness at once."""

    def __init__(self, sounds: Sequence[Sound], chunk_ms: int = 160, lag_ms: int = 80) -> None:
        self.sounds = sorted(sounds, key=lambda sound: sound.start_ms)
        self.chunk_ms, self.lag_ms = chunk_ms, lag_ms
        self.from_ms = 0

    def reset(self, audio_ms: int, keep_ms: int = 0) -> None:
        self.from_ms = audio_ms - keep_ms

    def hear(self, audio_ms: int) -> Heard:
        """What is known when the sound up to `audio_ms` was taken."""
        known = audio_ms - self.lag_ms - audio_ms % self.chunk_ms
        text, last, complete, speech, loud = list[str](), self.from_ms, False, 0.02, 0.01
        for sound in self.sounds:
            if sound.start_ms >= audio_ms:
                break
            if sound.end_ms + 30_000 < audio_ms:
                continue
            if sound.end_ms > audio_ms - FRAME_MS:
                loud = 0.99
            if sound.speech and sound.start_ms < known <= sound.end_ms + 40:
                speech = 0.95
            for word, end in sound.words:
                if self.from_ms < end <= known:
                    text.append(word)
                    last, complete = end, sound.complete and end == sound.end_ms
        silence = max(0, known - last)
        odds = (silence / 1000 - 0.8) / 0.25 + (1.8 * min(1.0, silence / 200) if complete else -2.5)
        end_probability = 1 / (1 + math.exp(-odds)) if text else 0.0
        return Heard(audio_ms, speech, end_probability, silence, joined(text), loud)

    def understood(self, audio_ms: int) -> str:
        """A snapshot: what a turn that ended here would be, the last words too."""
        said = [word for s in self.sounds for word, end in s.words if self.from_ms < end <= audio_ms + self.chunk_ms]
        return joined(said)


@dataclass(frozen=True)
class Plan:
    """What the fake mind does about a transcript."""

    reply: str
    expects_answer: bool = False
    tools: tuple[tuple[str, int, bool], ...] = ()
    """Name, how long it takes in ms, whether it may be cancelled; the call's id is NAME-GENERATION."""


class FakeMind:
    """Answers by a table; whatever is not in it is said back."""

    def __init__(self, plans: Mapping[str, Plan] | None = None, think_ms: int = 40) -> None:
        self.plans, self.think_ms = dict(plans or {}), think_ms

    def plan(self, text: str) -> Plan:
        return self.plans.get(text, Plan(f"You said {text or 'nothing'}, did you not?"))


def voiced(text: str, from_ms: int = 0) -> tuple[TimedWord, ...]:
    """The fake voice: words of a reply with the end of their sound; their texts joined are the reply."""
    words, at = [], from_ms
    for part in re.findall(r"[\u3400-\u9fff][^\w]*|[^\u3400-\u9fff\s]+\s*|\s+", text):
        at += 200 if part[0] >= "\u3400" else max(160, 60 * len(part.strip()))
        words.append(TimedWord(part, at))
    return tuple(words)


class Loudspeaker:
    """The client's: plays what it has in real time, stands still where it has nothing. `played` is the truth."""

    def __init__(self) -> None:
        self.queue: list[tuple[int, int]] = []
        self.played: dict[int, int] = {}

    def take(self, generation: int, ms: int) -> None:
        self.queue.append((generation, ms))

    def clear(self) -> None:
        self.queue.clear()

    def play(self, ms: int) -> int:
        """Time passes; how much of it was sound."""
        left = ms
        while left and self.queue:
            generation, length = self.queue[0]
            step = min(left, length)
            self.played[generation] = self.played.get(generation, 0) + step
            left -= step
            self.queue[0] = (generation, length - step)
            if step == length:
                self.queue.pop(0)
        return ms - left


@dataclass
class Job:
    """A reply in the making."""

    generation: int
    plan: Plan
    ready_ms: int
    released: bool
    ducked: bool = False
    begun: bool = False
    complete: bool = False
    sent: int = 0
    length: int = 0
    untold: tuple[TimedWord, ...] = ()
    waits_for: set[str] = field(default_factory=set)

    def add(self, text: str) -> None:
        words = voiced(text, self.length)
        self.untold += words
        self.length = words[-1].end_ms


class VirtualCall:
    """A call: `trace` holds (time, action); `ahead_ms` is how far the outbox may be ahead of the loudspeaker."""

    def __init__(
        self, engine: Engine, ears: FakeEars, mind: FakeMind | None = None, *, ahead_ms: int = 100, piece_ms: int = 20
    ) -> None:
        self.engine, self.ears, self.mind = engine, ears, mind or FakeMind()
        self.ahead_ms, self.piece_ms = ahead_ms, piece_ms
        self.speaker = Loudspeaker()
        self.trace: list[tuple[int, Action]] = []
        self.sent_at: list[tuple[int, int, int]] = []
        """Time, generation and length of each piece of sound that left."""
        self.audible: list[int] = []
        """Times at which the loudspeaker gave sound."""
        self.client: list[tuple[int, Event]] = []
        """Events of the client, by time; add before `run`."""
        self.now = self.audio_ms = 0
        self.jobs: dict[int, Job] = {}
        self.tools: list[tuple[int, str]] = []
        self.transcripts: list[str] = []
        self.microphone = True

    def run(self, until_ms: int) -> list[tuple[int, Action]]:
        """Let time pass, in steps of a piece of sound."""
        while self.now < until_ms:
            self.now += FRAME_MS
            if self.speaker.play(FRAME_MS):
                self.audible.append(self.now)
            if self.microphone and self.now % self.piece_ms == 0:
                while self.audio_ms + FRAME_MS <= self.now:
                    self.audio_ms += FRAME_MS
                    self.tell(self.ears.hear(self.audio_ms))
            while self.client and self.client[0][0] <= self.now:
                self.tell(self.client.pop(0)[1])
            for at, call in [tool for tool in self.tools if tool[0] <= self.now]:
                self.tools.remove((at, call))
                self.tell(ToolEnded(call))
                for job in self.jobs.values():
                    job.waits_for.discard(call)
            for job in list(self.jobs.values()):
                self._advance(job)
            deadline = self.engine.next_deadline_ms
            if deadline is not None and deadline <= self.now:
                self.tell(Tick())
        return self.trace

    def tell(self, event: Event) -> None:
        for action in self.engine.on(event, self.now):
            self.trace.append((self.now, action))
            self._act(action)

    def _act(self, action: Action) -> None:
        match action:
            case Speculate(generation):
                text = self.ears.understood(self.audio_ms)
                self.tell(Speculated(generation, text))
                self._job(generation, self.mind.plan(text), released=False)
            case Respond(generation, reason, _, calls):
                told = Plan("It is done: " + ", ".join(calls) + ".") if reason == "tool" else None
                last = self.transcripts[-1] if self.transcripts else ""
                asked = Plan("Are you still there?", expects_answer=True) if reason == "idle" else None
                self._job(generation, told or asked or self.mind.plan(last), released=True)
            case Release(generation):
                self.jobs[generation].released = True
                self._start_tools(self.jobs[generation])
            case Discard(generation) | StopReply(generation):
                self.jobs.pop(generation, None)
                if isinstance(action, StopReply):
                    self.speaker.clear()
            case Duck(generation) | ResumeReply(generation):
                self.jobs[generation].ducked = isinstance(action, Duck)
            case Filler(generation):
                self.jobs[generation].add("One moment. ")
            case CommitTurn():
                self.transcripts.append(self.ears.understood(self.audio_ms))
                self.ears.reset(self.audio_ms)
            case DropSound(_, keep_ms):
                self.ears.reset(self.audio_ms, keep_ms)

    def _job(self, generation: int, plan: Plan, *, released: bool) -> None:
        self.jobs[generation] = Job(generation, plan, self.now + self.mind.think_ms, released)
        if released:
            self._start_tools(self.jobs[generation])

    def _start_tools(self, job: Job) -> None:
        for name, ms, cancellable in job.plan.tools:
            call = f"{name}-{job.generation}"
            job.waits_for.add(call)
            self.tools.append((self.now + ms, call))
            self.tell(ToolStarted(job.generation, call, cancellable))

    def _advance(self, job: Job) -> None:
        """Send what may leave of a reply by now."""
        if not job.begun and self.now >= job.ready_ms:
            job.begun = True
            self.tell(ReplyStarted(job.generation, job.plan.expects_answer))
        if not (job.begun and job.released) or job.generation not in self.jobs:
            return
        if not (job.waits_for or job.complete):
            job.add(job.plan.reply)
            job.complete = True
        while not job.ducked and job.sent < job.length:
            if sum(ms for _, ms in self.speaker.queue) >= self.ahead_ms:
                return
            piece = min(FRAME_MS, job.length - job.sent)
            job.sent += piece
            words, job.untold = job.untold, ()
            self.speaker.take(job.generation, piece)
            self.sent_at.append((self.now, job.generation, piece))
            self.tell(ReplySound(job.generation, job.sent, words))
        if job.complete and job.sent >= job.length and not job.ducked:
            del self.jobs[job.generation]
            self.tell(ReplyEnded(job.generation))

    def of(self, kind: type[Action]) -> list[tuple[int, Action]]:
        """Actions of one kind with their times."""
        return [(at, action) for at, action in self.trace if isinstance(action, kind)]
