"""The mouth: text in, sound out clause by clause, so that the first words are heard while the rest is still text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.errors import UserError
from step_audio_mini.runtime.manifest import Weights
from step_audio_mini.runtime.session import Graph
from step_audio_mini.speak.acoustic import AcousticVoice
from step_audio_mini.speak.frontend import Clause, Frontend
from step_audio_mini.speak.vocoder import Vocoder
from step_audio_mini.speak.voices import Voice, choose_voice
from step_audio_mini.text.lexicon import Lexicon
from step_audio_mini.text.normalise import spoken_form
from step_audio_mini.types import SAMPLE_RATE, AudioChunk, Frames, Language, Samples, Style

PART = "acoustic"
"""Name of the acoustic graph among the weights."""
LONGEST_TEXT = 10_000
"""Characters spoken in one call."""
GAIN = 1.6
"""From the level of training (-24 dB) to that of the answers (-20 dB of full scale)."""
KNEE, CEILING = 0.7, 0.95
"""Amplitude above which peaks are rounded, and the one they never reach."""
FADE = SAMPLE_RATE * 15 // 1000
"""Samples of the fade at both edges of a clause: 15 ms, inside the silence that the clause keeps there."""
SPEEDS = (0.5, 2.0)
"""Slowest and fastest that remain speech."""


class SoundStream(Protocol):
    """A vocoder at work on one sound."""

    def push(self, mel: Frames, f0: NDArray[np.float32]) -> Samples:
        """Samples completed by these frames."""

    def finish(self) -> Samples:
        """The rest."""


class SoundMaker(Protocol):
    """A vocoder."""

    def start(self, seed: int = 0) -> SoundStream:
        """A new sound."""


class Speaker:
    """Frontend, acoustic model and vocoder as one; shared by all calls, each `stream` keeps its own state."""

    def __init__(
        self, frontend: Frontend, acoustic: AcousticVoice, vocoder: SoundMaker, voice: str | None = None
    ) -> None:
        """`voice` names a preferred voice for its language; other languages are spoken by their own."""
        self._frontend, self._acoustic, self._vocoder = frontend, acoustic, vocoder
        self._by_language: dict[Language, Voice] = {
            language: choose_voice(acoustic.voices, language, voice)
            for language in sorted({known.language for known in acoustic.voices})
        }

    @classmethod
    def load(cls, weights: Weights, lexicon: Lexicon, voice: str | None = None) -> Speaker:
        """The mouth of a folder of weights, with the English lexicon that the rooms share."""
        acoustic = AcousticVoice(Graph(weights.read(PART), PART))
        return cls(Frontend(lexicon), acoustic, Vocoder.load(weights), voice)

    @property
    def voices(self) -> tuple[Voice, ...]:
        """All voices there are."""
        return self._acoustic.voices

    def stream(self, text: str, language: Language, style: Style | None = None) -> Iterator[AudioChunk]:
        """Sound of a text, one chunk a clause with the pause after it; text in both languages changes voice.

        `language` reads the digits of text that has words of neither. UserError at once for text without a sound.
        """
        if len(text) > LONGEST_TEXT:
            raise UserError(f"the text has {len(text)} characters; give at most {LONGEST_TEXT}")
        clauses = self._clauses(text, language)
        first = next(clauses, None)
        if first is None:
            raise UserError("the text holds nothing that can be spoken; give words in Mandarin or English")
        return self._sounds(first, clauses, style or Style())

    def _clauses(self, text: str, language: Language) -> Iterator[Clause]:
        for sentence in spoken_form(text, language):
            yield from self._frontend.clauses(sentence)

    def _sounds(self, first: Clause, rest: Iterator[Clause], style: Style) -> Iterator[AudioChunk]:
        clause: Clause | None = first
        while clause is not None:
            following = next(rest, None)
            samples = self._sound(clause, style)
            pause = 0.0 if following is None else clause.pause / _speed(style)
            yield AudioChunk(np.concatenate([samples, np.zeros(round(SAMPLE_RATE * pause), np.float32)]))
            clause = following

    def _sound(self, clause: Clause, style: Style) -> Samples:
        voice = self._by_language.get(clause.language)
        if voice is None:
            raise UserError(f"no voice speaks '{clause.language}'; give text in {', '.join(self._by_language)}")
        spoken = self._acoustic.speak(clause, voice, _speed(style))
        stream = self._vocoder.start()
        samples = np.concatenate([stream.push(spoken.mel, spoken.f0), stream.finish()])
        return faded(limited(samples * np.float32(GAIN)))


def _speed(style: Style) -> float:
    return float(np.clip(style.speed, *SPEEDS))


def limited(samples: Samples) -> Samples:
    """Samples (n,) with peaks above `KNEE` rounded so that none reaches `CEILING`; the rest is untouched.

    Works sample by sample, so a stream and the whole give the same.
    """
    size = np.abs(samples)
    room = CEILING - KNEE
    rounded = KNEE + room * np.tanh((size - KNEE) / room)
    return np.where(size > KNEE, np.sign(samples) * rounded, samples).astype(np.float32)


def faded(samples: Samples) -> Samples:
    """Samples (n,) that begin and end in silence."""
    size = min(FADE, len(samples) // 2)
    ramp = (np.arange(size, dtype=np.float32) + 0.5) / max(1, size)
    out = samples.copy()
    out[:size] *= ramp
    out[len(out) - size :] *= ramp[::-1]
    return out
