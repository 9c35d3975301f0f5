"""The mouth: text in, sound out piece by piece, so that the first words are heard while the rest is still text."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.audio.features import HOP, WINDOW
from step_audio_mini.errors import UserError
from step_audio_mini.runtime.manifest import Weights
from step_audio_mini.runtime.session import Graph
from step_audio_mini.speak.acoustic import AcousticVoice
from step_audio_mini.speak.frontend import Clause, Frontend
from step_audio_mini.speak.vocoder import Vocoder
from step_audio_mini.speak.voices import Voice, choose_voice
from step_audio_mini.speak.wording import ends_of, pieces_of
from step_audio_mini.text.lexicon import Lexicon
from step_audio_mini.text.normalise import written_and_spoken
from step_audio_mini.types import SAMPLE_RATE, AudioChunk, Frames, Language, Samples, SpokenWord, Style

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
FIRST_PIECE, LONGEST_PIECE = 32, 128
"""Frames of the first piece of a clause, and most of a later one: a third of a second is heard soon, and lasts until
the next piece is made."""


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
        self._usual = self._by_language(voice)

    def _by_language(self, preferred: str | None) -> dict[Language, Voice]:
        languages = sorted({known.language for known in self._acoustic.voices})
        return {language: choose_voice(self._acoustic.voices, language, preferred) for language in languages}

    @classmethod
    def load(cls, weights: Weights, lexicon: Lexicon, voice: str | None = None) -> Speaker:
        """The mouth of a folder of weights, with the English lexicon that the rooms share."""
        acoustic = AcousticVoice(Graph(weights.read(PART), PART))
        return cls(Frontend(lexicon), acoustic, Vocoder.load(weights), voice)

    @property
    def voices(self) -> tuple[Voice, ...]:
        """All voices there are, first those that speak where none is named."""
        usual = tuple(self._usual.values())
        return usual + tuple(known for known in self._acoustic.voices if known not in usual)

    def stream(
        self, text: str, language: Language, style: Style | None = None, voice: str | None = None
    ) -> Iterator[AudioChunk]:
        """Sound of a text in pieces, the first one short; text in both languages changes voice.

        Each piece tells the words that end in it; all words joined are the text, to the character. `language` reads the
        digits of text that has words of neither. `voice` speaks the language it can, in place of the usual one.
        UserError at once for text without a sound, and for a voice that there is not.
        """
        voices = self._usual if voice is None else self._usual | self._able(voice)
        if len(text) > LONGEST_TEXT:
            raise UserError(f"the text has {len(text)} characters; give at most {LONGEST_TEXT}")
        clauses = self._clauses(text, language)
        first = next(clauses, None)
        if first is None:
            raise UserError("the text holds nothing that can be spoken; give words in Mandarin or English")
        return self._sounds(first, clauses, style or Style(), voices)

    def _able(self, voice: str) -> dict[Language, Voice]:
        return {language: known for language, known in self._by_language(voice).items() if known.name == voice}

    def _clauses(self, text: str, language: Language) -> Iterator[_Worded]:
        """Clauses, each with the pieces of the text that end in it; what has no sound goes with what is before it."""
        held: list[_Worded] = []
        silent = ""
        for written, spoken in written_and_spoken(text, language):
            clauses = list(self._frontend.clauses(spoken)) if spoken else []
            if not clauses:
                silent += written
                continue
            if held:
                yield from _more(held, silent)
                silent = ""
            held, silent = worded(silent + written, clauses), ""
        if held:
            yield from _more(held, silent)

    def _sounds(
        self, first: _Worded, rest: Iterator[_Worded], style: Style, voices: Mapping[Language, Voice]
    ) -> Iterator[AudioChunk]:
        now: _Worded | None = first
        while now is not None:
            following = next(rest, None)
            pause = 0.0 if following is None else now.clause.pause / _speed(style)
            voice = voices.get(now.clause.language)
            if voice is None:
                raise UserError(f"no voice speaks '{now.clause.language}'; give text in {', '.join(voices)}")
            yield from self._sound(now, voice, _speed(style), np.zeros(round(SAMPLE_RATE * pause), np.float32))
            now = following

    def _sound(self, worded: _Worded, voice: Voice, speed: float, pause: Samples) -> Iterator[AudioChunk]:
        """A clause, piece by piece, the pause with the last one."""
        spoken = self._acoustic.speak(worded.clause, voice, speed)
        frames = np.concatenate([[0], np.cumsum(spoken.durations)])
        ends = [int(frames[phones]) * HOP + WINDOW - HOP for _, phones in worded.words]
        stream, fading, given, told = self._vocoder.start(), Fading(), 0, 0
        for begin, end in _pieces(len(spoken.mel)):
            samples = stream.push(spoken.mel[begin:end], spoken.f0[begin:end])
            last = end == len(spoken.mel)
            if last:
                samples = np.concatenate([samples, stream.finish()])
            samples = fading.push(limited(samples * np.float32(GAIN)))
            if last:
                samples = np.concatenate([samples, fading.finish(), pause])
            upto = len(ends) if last else bisect_right(ends, given + len(samples))
            words = [
                SpokenWord(text, min(end - given, len(samples)))
                for (text, _), end in zip(worded.words[told:upto], ends[told:upto], strict=True)
            ]
            given, told = given + len(samples), upto
            yield AudioChunk(samples, words=tuple(words))


@dataclass(frozen=True, slots=True)
class _Worded:
    """A clause and the pieces of the written text that end in it, each with the number of phones up to its end."""

    clause: Clause
    words: tuple[tuple[str, int], ...]


def worded(written: str, clauses: Sequence[Clause]) -> list[_Worded]:
    """The clauses of a sentence, at least one, with the pieces of the sentence as it is written."""
    spoken = [(text, number, phones) for number, clause in enumerate(clauses) for text, phones in clause.said]
    pieces = pieces_of(written)
    words: list[list[tuple[str, int]]] = [[] for _ in clauses]
    before = ""
    for piece, count in zip(pieces, ends_of(pieces, [text for text, _, _ in spoken]), strict=True):
        if count == 0:  # signs before the first sound
            before += piece
            continue
        _, number, phones = spoken[count - 1]
        words[number].append((before + piece, phones))
        before = ""
    return [_Worded(clause, tuple(own)) for clause, own in zip(clauses, words, strict=True)]


def _more(clauses: Sequence[_Worded], silent: str) -> Iterator[_Worded]:
    """The clauses of a sentence, with text that has no sound after the last of its words."""
    yield from clauses[:-1]
    *words, (text, phones) = clauses[-1].words
    yield _Worded(clauses[-1].clause, (*words, (text + silent, phones)))


def _pieces(frames: int) -> Iterator[tuple[int, int]]:
    """Frames of the pieces of a clause: a short one, to be heard soon, then longer ones, which cost less."""
    begin, size = 0, FIRST_PIECE
    while begin < frames:
        # a rest of a few frames goes with the piece before it
        end = frames if frames - begin < size + FIRST_PIECE else begin + size
        yield begin, end
        begin, size = end, min(2 * size, LONGEST_PIECE)


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


class Fading:
    """Sound that begins and ends in silence, in pieces: its last `FADE` samples wait until they are known."""

    def __init__(self) -> None:
        self._ramp = (np.arange(FADE, dtype=np.float32) + np.float32(0.5)) / FADE
        self._given, self._held = 0, np.zeros(0, np.float32)

    def push(self, samples: Samples) -> Samples:
        """What can be said of the sound with these samples, (n,)."""
        rise = self._ramp[self._given : self._given + len(samples)]
        self._given += len(samples)
        samples = samples.copy()
        samples[: len(rise)] *= rise
        sound = np.concatenate([self._held, samples])
        cut = max(0, len(sound) - FADE)
        self._held = sound[cut:]
        return sound[:cut]

    def finish(self) -> Samples:
        """The rest."""
        return np.asarray(self._held * self._ramp[::-1][FADE - len(self._held) :], np.float32)
