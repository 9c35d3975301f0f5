"""Rooms without weights: ears that count, a mind that echoes, a voice that takes its time; and what steps the ears."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from step_audio_mini.errors import UserError
from step_audio_mini.speak.voices import Voice
from step_audio_mini.types import (
    Attributes,
    AudioChunk,
    Decision,
    DialogueState,
    Hearing,
    Hypothesis,
    Language,
    Samples,
    Style,
    Word,
)

CHUNK = 5_120


class CountingEars:
    """Ears that know how much sound they took and its sum; a step takes a chunk."""

    network, shares = "net", True

    def __init__(self, language: str = "auto") -> None:
        self.language = language
        self.total, self.taken, self.chunks, self.waiting = 0.0, 0, 0, 0

    @property
    def ready(self) -> bool:
        return self.waiting >= CHUNK

    @property
    def speech(self) -> float:
        return min(1.0, self.total)

    end_probability, silence, sureness = 0.25, 0.4, 0.6

    @property
    def spoken(self) -> bool:
        return self.total > 0

    @property
    def seconds(self) -> float:
        return self.taken / 16_000

    def take(self, samples: Samples) -> None:
        self.total, self.taken, self.waiting = (
            self.total + float(samples.sum()),
            self.taken + len(samples),
            self.waiting + len(samples),
        )

    def accept(self, samples: Samples) -> bool:
        raise AssertionError("a worker steps the ears itself")

    def partial(self) -> Hypothesis:
        told = f"{self.total:.2f}" if self.language == "auto" else f"{self.language} {self.total:.2f}"
        return Hypothesis((Word(told, 0.0, 1.0, 1.0, "en"),), float(self.chunks))

    def close(self) -> None:
        self.waiting = CHUNK * -(-self.waiting // CHUNK)

    @property
    def said(self) -> float:
        return self.total

    def hearing(self, speaker: bool) -> Hearing:
        assert not speaker
        assert not self.ready
        return Hearing((self.partial(),), Attributes(30.0, 4.0, None), np.zeros((0, 3), np.float32))

    def finish(self) -> Hearing:
        raise AssertionError("a worker steps the ears itself")

    def snapshot(self) -> CountingEars:
        other = self.fresh()
        other.__dict__.update(self.__dict__)
        return other

    def fresh(self) -> CountingEars:
        return CountingEars(self.language)


class Steps:
    """What steps the ears: remembers how many went together; may take its time, and fail."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.sizes, self.error = seconds, list[int](), None

    error: BaseException | None

    def __call__(self, streams: Sequence[Any]) -> None:
        if self.error is not None:
            raise self.error
        time.sleep(self.seconds)
        self.sizes.append(len(streams))
        for stream in streams:
            stream.waiting -= CHUNK
            stream.chunks += 1


class Said(list[str]):
    """A dialogue: replies."""

    language: Language | None = None


class EchoMind:
    """Says what it heard; its tool takes a while."""

    def dialogue(self, language: Language | None = None) -> Said:
        return Said()

    def plan(self, hearing: Hearing, dialogue: list[str]) -> str:
        return f"{len(dialogue)} {hearing.best.text}"

    def prompt(self, dialogue: list[str]) -> tuple[str, Language]:
        return "still there?", "en"

    def run(self, plan: str) -> list[str]:
        time.sleep(0.2)
        return ["ok"]

    def accept(self, plan: str, dialogue: list[str]) -> None:
        dialogue.append("accepted")

    def complete(self, plan: str, outcomes: Sequence[str], dialogue: list[str]) -> Decision:
        dialogue.append(plan)
        return Decision("inform", DialogueState(), (), f"{plan} {' '.join(outcomes)}", "en", Style(), 1.0)

    def decide(self, hearing: Hearing, dialogue: list[str]) -> Decision:
        raise AssertionError("a worker plans")


class SlowVoice:
    """A piece of 0.1 s for every word; remembers how many it made, and in which voice."""

    voices = (Voice("ann", 0, "en"), Voice("li", 1, "zh"))

    def __init__(self) -> None:
        self.made, self.asked = 0, list[str | None]()

    def stream(self, text: str, language: Language, style: Style, voice: str | None = None) -> Iterator[AudioChunk]:
        if not text:
            raise UserError("nothing to say; give words")
        self.asked.append(voice)
        return self._pieces(text)

    def _pieces(self, text: str) -> Iterator[AudioChunk]:
        for number, _ in enumerate(text.split()):
            self.made += 1
            yield AudioChunk(np.full(1_600, number, np.float32))


class Rooms:
    def __init__(self) -> None:
        self.made_voice, self.ears_made = SlowVoice(), list[weakref.ref[CountingEars]]()

    def ears(self, pack: Any, language: Any) -> CountingEars:
        ears = CountingEars(language)
        self.ears_made.append(weakref.ref(ears))
        return ears

    def mind(self, pack: Any) -> EchoMind:
        return EchoMind()

    def voice(self) -> SlowVoice:
        return self.made_voice
