"""Scripted ears, mind and voice: the faces are tested with them in milliseconds, without weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from step_audio_mini.audio.level import rms, snr_db
from step_audio_mini.errors import UserError
from step_audio_mini.rooms import LanguageChoice, Packs
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
    ToolCall,
    Word,
)

LOUD = 0.05
"""Root mean square above which the fake ears take sound for speech."""
PAUSE = 8_000
"""Quiet samples that end a turn."""


def hypothesis(text: str, language: Language = "en") -> Hypothesis:
    """Words of half a second each."""
    words = (Word(w, 0.5 * i, 0.5 * (i + 1), 0.9, language) for i, w in enumerate(text.split()))
    return Hypothesis(tuple(words), -1.0)


class FakeEars:
    """Hears the script's words, one for every 0.1 s of loud sound; a quiet 0.5 s after them ends the turn."""

    def __init__(self, script: str) -> None:
        self._words, self._loud, self._quiet = script.split(), 0, 0
        self._sound: list[Samples] = []

    def accept(self, samples: Samples) -> bool:
        self._sound.append(samples)
        for piece in np.split(samples, range(160, len(samples), 160)):
            loud = rms(piece) > LOUD
            self._loud += len(piece) * loud
            self._quiet = 0 if loud else self._quiet + len(piece)
        return self._loud > 0 and self._quiet >= PAUSE

    @property
    def end_probability(self) -> float:
        return min(1.0, self._quiet / PAUSE) if self._loud else 0.0

    def partial(self) -> Hypothesis:
        return hypothesis(" ".join(self._words[: -(-self._loud // 1_600)]))

    def finish(self) -> Hearing:
        best = self.partial()
        attributes = Attributes(snr_db(np.concatenate([*self._sound, np.zeros(0, np.float32)])), 4.0, None)
        vectors = np.zeros((len(best.words), 4), np.float32)
        return Hearing((best,) if best.words else (), attributes, vectors)


class FakeMind:
    """Switches a light when it hears anything; a dialogue is a list of its turns."""

    def dialogue(self, language: Language | None = None) -> list[Hearing]:
        return []

    def decide(self, hearing: Hearing, dialogue: list[Hearing]) -> Decision:
        dialogue.append(hearing)
        if not hearing.nbest:
            return Decision("not_understood", DialogueState(), (), "I did not catch that.", "en", Style(), 0.0)
        call = ToolCall("HassTurnOn", {"name": "light"}, {"state": "on", "turn": len(dialogue)})
        state = DialogueState("HassTurnOn", {"name": "light"})
        return Decision("request", state, (call,), "The light is on. Anything else?", "en", Style(), 0.8)


class FakeVoice:
    """A tenth of a second of tone for every word; a chunk a clause."""

    def stream(self, text: str, language: Language, style: Style) -> Iterator[AudioChunk]:
        if not text.strip():
            raise UserError("the text holds nothing that can be spoken")
        for clause in text.replace("?", ".").split("."):
            if n := round(1_600 * len(clause.split()) / style.speed):
                yield AudioChunk((0.3 * np.sin(np.arange(n) / 8)).astype(np.float32))


class FakeRooms:
    """The three fakes; remembers what was asked for."""

    def __init__(self, script: str = "turn on the light") -> None:
        self.script, self.asked = script, list[tuple[Packs, str]]()

    def ears(self, pack: Packs, language: LanguageChoice) -> FakeEars:
        self.asked.append((pack, language))
        return FakeEars(self.script)

    def mind(self, pack: Packs) -> FakeMind:
        return FakeMind()

    def voice(self) -> FakeVoice:
        return FakeVoice()


def speech(seconds: float = 0.5, quiet: float = 0.6) -> Samples:
    """Loud sound, then silence."""
    loud = 0.3 * np.sin(2 * np.pi * 200 * np.arange(round(16_000 * seconds)) / 16_000)
    return np.concatenate([loud, np.zeros(round(16_000 * quiet))]).astype(np.float32)
