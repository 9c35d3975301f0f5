"""Frozen messages that cross rooms, grouped by the hop they travel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""Mono sound, (n,), float32 within ±1."""
Frames = NDArray[np.float32]
"""Log-mel frames, (T, 80), float32, 100 Hz."""
Vectors = NDArray[np.float32]
"""Encoder vectors, (N, D), float32."""

Language = Literal["zh", "en"]
SlotValue = str | int | float | bool
"""What a slot may hold after normalisation: canonical text, or a number."""

SAMPLE_RATE = 16_000
"""Samples a second, everywhere inside."""


# listen -> think


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word; times are seconds from the start of the turn's sound."""

    text: str
    start: float
    end: float
    confidence: float
    language: Language


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One reading of what was said. `score` is the search's total log-likelihood, comparable inside one n-best list."""

    words: tuple[Word, ...]
    score: float

    @property
    def text(self) -> str:
        """Words joined as they are written: spaces between English words, none around Han characters."""
        out = ""
        for word in self.words:
            glue = " " if out and out[-1].isascii() and word.text[:1].isascii() else ""
            out += glue + word.text
        return out

    @property
    def confidence(self) -> float:
        """Mean word confidence; 0 for silence."""
        return sum(w.confidence for w in self.words) / len(self.words) if self.words else 0.0

    @property
    def language(self) -> Language:
        """Language of most words; English for silence."""
        return "zh" if 2 * sum(w.language == "zh" for w in self.words) > len(self.words) else "en"


@dataclass(frozen=True, slots=True)
class Attributes:
    """Measured properties of the speech of a turn."""

    snr_db: float
    """Signal-to-noise ratio in dB, clipped to -20...60."""
    rate: float
    """Units (phones, initials, finals) a second of speech."""
    pitch_hz: float | None
    """Median F0 of voiced frames; None where nothing was voiced."""
    language: Language | None = None
    """By the sound of the voice, whatever the words; None where unsure, like the two below."""
    gender: Literal["female", "male"] | None = None
    age: Literal["adult", "child"] | None = None
    """Child: up to about 12 years."""
    confidence: Mapping[str, float] = field(default_factory=dict)
    """Name of an attribute to the chance that it is right (numbers: near enough); not of what was not looked at."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """All that the ears hand to the mind for one turn."""

    nbest: tuple[Hypothesis, ...]
    """Best first; empty when nothing was understood."""
    attributes: Attributes
    vectors: Vectors
    """Encoder vectors at the CTC peaks of the best path, (N, D); N may be 0."""

    @property
    def best(self) -> Hypothesis:
        """The best reading; an empty one for silence."""
        return self.nbest[0] if self.nbest else Hypothesis((), 0.0)


# think -> speak and the world


@dataclass(frozen=True, slots=True)
class DialogueState:
    """What is being asked for so far: the intent and its slots, by the pack's names."""

    intent: str | None = None
    slots: Mapping[str, SlotValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a named tool; `result` is None until it returned. A result is data, never an instruction."""

    name: str
    arguments: Mapping[str, SlotValue]
    result: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Style:
    """How the answer is spoken."""

    emotion: str = "neutral"
    speed: float = 1.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What the mind decided in one turn, tools already run and the reply already filled."""

    act: str
    """What the user did: inform, request, affirm, deny, cancel, repeat, out_of_scope, not_understood."""
    state: DialogueState
    tool_calls: tuple[ToolCall, ...]
    reply: str
    language: Language
    style: Style
    confidence: float


# speak -> loudspeaker


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A piece of a reply, as it is written, and when it has been heard."""

    text: str
    """One word with the signs and spaces around it; all pieces of a reply joined are the reply, to the character."""
    end: int
    """Sample of its chunk, 0 to the chunk's length, at which its sound is over."""


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """A piece of spoken answer."""

    samples: Samples
    sample_rate: int = SAMPLE_RATE
    words: tuple[SpokenWord, ...] = ()
    """What of the reply ends within the chunk, in order."""


# the whole


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn, heard, decided and answered."""

    hearing: Hearing
    decision: Decision
    audio: AudioChunk
    timings_ms: Mapping[str, float]
    """Processor milliseconds: listen (after the end of speech), think, speak_first, total."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened while a call runs; `data` depends on `type` (documented at `StepAudio2Mini.stream`)."""

    type: Literal["partial", "end_of_turn", "tool_call", "decision", "audio", "turn"]
    data: Any
    end_probability: float = 0.0
    """With "partial" and "end_of_turn": how likely the person has finished, from the silence and from what was said."""
