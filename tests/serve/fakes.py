"""A worker without weights: it hears by loudness, understands by a script and speaks in tones with timed words."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from step_audio_mini.serve.worker import CallClosedError, Heard
from step_audio_mini.think.mind import hearing_of
from step_audio_mini.think.plan import Plan
from step_audio_mini.think.tools import Outcome
from step_audio_mini.types import (
    SAMPLE_RATE,
    AudioChunk,
    Decision,
    DialogueState,
    Hearing,
    Hypothesis,
    Language,
    Samples,
    SlotValue,
    SpokenWord,
    Style,
    ToolCall,
)

LOUD = 0.02
"""Root mean square from which sound counts as speech."""
WORD_MS = 250
"""Speech that a fake ear needs for a word, and a fake voice for a word of a reply."""
DEFAULT_TURNS = ("turn on the kitchen light", "what is the weather in paris", "thank you very much indeed")


def speech(seconds: float, rate: int = 24_000) -> bytes:
    """Sound that the fake ears take for speech, 16-bit PCM."""
    times = np.arange(int(seconds * rate)) / rate
    return (8000 * np.sin(2 * np.pi * 220 * times)).astype("<i2").tobytes()


def silence(seconds: float, rate: int = 24_000) -> bytes:
    """Nothing to hear, 16-bit PCM."""
    return bytes(2 * int(seconds * rate))


@dataclass
class Script:
    """What fakes do. `turns` are heard one after the other, again and again."""

    turns: Sequence[str] = DEFAULT_TURNS
    calls: Mapping[str, Callable[[str], ToolCall]] = field(
        default_factory=lambda: {
            "weather": lambda text: ToolCall("get_weather", {"city": text.rpartition(" ")[2]}),
            "light": lambda _: ToolCall("HassTurnOn", {"name": "kitchen light"}),
        }
    )
    """A word in what was said to the call that it makes."""
    replies: Mapping[str, str] = field(default_factory=dict)
    """What was said to what is answered; else it is repeated."""
    opening: str = ""
    """What replies that tell of tools begin with."""
    sure: float = 1.0
    """Confidence of every word that was heard."""
    meant: float = 0.9
    """How sure the mind is that something of its packs is meant."""
    hear_s: float = 0.0
    """What a piece of sound takes."""
    think_s: float = 0.0
    speak_s: float = 0.0
    """What a plan, and a word of the voice, take."""
    fails: set[str] = field(default_factory=set)
    """Methods that raise."""


class FakeCall:
    """One call's model state."""

    def __init__(self, script: Script, worker: FakeWorker) -> None:
        self._script, self._worker = script, worker
        self._samples = 0
        self._turns = itertools.cycle(script.turns)
        self._begin()
        self.closed = False
        self.completed: list[str] = []
        self.cuts: list[str] = []
        self.taken_back = self.longest = 0
        self.languages: list[str] = []
        self.voices: list[str | None] = []

    def _begin(self) -> None:
        self._spoken_ms = self._silence_ms = 0
        self._words: list[str] | None = None

    async def hear(self, samples: Samples) -> Heard:
        """By loudness, in steps of 10 ms."""
        self._check("hear")
        if self._script.hear_s:
            await asyncio.sleep(self._script.hear_s)
        step = SAMPLE_RATE // 100
        loud = False
        for start in range(0, len(samples), step):
            loud = bool(np.sqrt(np.mean(np.square(samples[start : start + step]))) > LOUD)
            self._spoken_ms += 10 * loud
            self._silence_ms = 0 if loud else self._silence_ms + 10
        self._samples += len(samples)
        self.longest = max(self.longest, len(samples))
        end = 0.0 if loud or not self._text() else min(1.0, self._silence_ms / 400)
        since = self._spoken_ms % 80 if loud else self._silence_ms  # units come twelve a second
        return Heard(self._samples * 1000 // SAMPLE_RATE, 0.95 if loud else 0.02, end, since, self._text())

    def _text(self) -> str:
        count = self._spoken_ms // WORD_MS
        if count and self._words is None:
            self._words = next(self._turns).split()
        words = self._words or []
        return " ".join(words if self._silence_ms >= 100 and count else words[:count])

    async def reset(self, keep_ms: int = 0) -> None:
        """A new turn."""
        self._check("reset")
        self._begin()

    async def hearing(self) -> Hearing:
        """All words of the turn once it was quiet."""
        self._check("hearing")
        heard = hearing_of(self._text())
        words = tuple(replace(word, confidence=self._script.sure) for word in heard.best.words)
        return replace(heard, nbest=(Hypothesis(words, 0.0),) if words else ())

    async def plan(self, hearing: Hearing) -> Plan:
        """By the script."""
        self._check("plan")
        if self._script.think_s:
            await asyncio.sleep(self._script.think_s)
        text = hearing.best.text
        call = next((make(text) for word, make in self._script.calls.items() if word in text), None)
        reply = self._script.replies.get(text, f"You said {text}." if text else "Sorry?")
        return Plan(
            act="request", state=DialogueState("fake", {}), calls=(call,) if call else (), reply="" if call else reply,
            opening=self._script.opening, waiting="One moment.", language="en", style=Style(), confidence=0.9,
            meant=self._script.meant, system="done", asked=None, keeps=False, turn=len(self.completed),
        )  # fmt: skip

    async def take_back(self) -> None:
        """Counted."""
        self._check("take_back")
        self.taken_back += 1

    async def accept(self, plan: Plan) -> None:
        """The turn counts."""
        self._check("accept")
        await asyncio.sleep(self._script.think_s)

    async def complete(self, plan: Plan, outcomes: Sequence[Outcome] = ()) -> Decision:
        """Tells the outcomes."""
        self._check("complete")
        calls = tuple(
            ToolCall(call.name, call.arguments, outcome.result | {"outcome": outcome.name})
            for call, outcome in zip(plan.calls, outcomes, strict=True)
        )
        told = "; ".join(f"{c.name} is {o.name}" for c, o in zip(plan.calls, outcomes, strict=True))
        reply = plan.reply or f"Well, {told}."
        self.completed.append(reply)
        return Decision(plan.act, plan.state, calls, reply, "en", Style(), 0.9)

    def prompt(self) -> tuple[str, Language]:
        return "Still there?", "en"

    def cut_short(self, heard: str) -> None:
        self.cuts.append(heard)

    async def listen_to(self, language: str) -> None:
        """Remembered."""
        self._check("listen_to")
        self.languages.append(language)

    async def speak(
        self, text: str, language: str = "en", style: Style | None = None, voice: str | None = None
    ) -> AsyncIterator[AudioChunk]:
        """A tone a word; which voice was asked for is remembered."""
        self._check("speak")
        self.voices.append(voice)
        words = text.split(" ")
        for place, word in enumerate(words):
            if self._script.speak_s:
                await asyncio.sleep(self._script.speak_s)
            self._check("speak")
            times = np.arange(SAMPLE_RATE * WORD_MS // 1000) / SAMPLE_RATE
            tone = 0.2 * np.sin(2 * np.pi * (300 + 40 * (place % 8)) * times)
            written = word + (" " if place + 1 < len(words) else "")
            yield AudioChunk(tone.astype(np.float32), words=(SpokenWord(written, len(tone)),))

    async def close(self) -> None:
        """Counted, for the leak test."""
        if not self.closed:
            self._worker.calls -= 1
        self.closed = True

    def _check(self, method: str) -> None:
        if self.closed:
            raise CallClosedError
        if method in self._script.fails:
            raise RuntimeError("told to fail")


class FakeWorker:
    """Opens calls that follow a script."""

    def __init__(self, script: Script | None = None) -> None:
        self.script = script or Script()
        self.calls = 0
        self.opened: list[FakeCall] = []

    async def __aenter__(self) -> FakeWorker:
        return self

    async def __aexit__(self, *error: object) -> None:
        """Nothing to end."""

    async def open(self, pack: Any, language: Any = "auto") -> FakeCall:
        """A new call."""
        self.calls += 1
        call = FakeCall(self.script, self)
        self.opened.append(call)
        return call

    def voices(self) -> tuple[str, ...]:
        """One, and one more."""
        return "ann", "li"

    alive = True


class FakeTools:
    """Our own functions: each takes `seconds` and tells what it was called with."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.ran = seconds, list[str]()

    async def run(self, name: str, arguments: Mapping[str, SlotValue], call_id: str) -> Outcome:
        """One call."""
        await asyncio.sleep(self.seconds)
        self.ran.append(call_id)
        return Outcome("done", {})

    def cancellable(self, name: str) -> bool:
        """None is."""
        return False

    def read(self, name: str, output: str) -> Outcome:
        """Any output is fine, but an empty one."""
        return Outcome("done", {"result": output}) if output else Outcome("failed", {})

    def close(self) -> None:
        """Nothing to give up."""
