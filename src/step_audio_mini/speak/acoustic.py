"""Runs the exported acoustic graph: a clause of phones in, mel frames and F0 out. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.errors import UserError
from step_audio_mini.speak.frontend import ENDS, SYMBOLS, TONES, Clause
from step_audio_mini.speak.voices import Voice, voices_of
from step_audio_mini.types import Frames


class Runner(Protocol):
    """An exported graph, or anything that behaves like one."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the graph says of itself."""

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Outputs by name."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """How a clause sounds before it is sound."""

    mel: Frames
    """(T, 80) normalised log-mel frames."""
    f0: NDArray[np.float32]
    """(T,) Hz, 0 where voiceless."""
    durations: tuple[int, ...]
    """Frames of each phone of the clause; their sum is T."""


class AcousticVoice:
    """The acoustic model of all voices; stateless, so that many calls may share it."""

    def __init__(self, graph: Runner) -> None:
        self._graph = graph
        told = {name: tuple(graph.facts.get(name, ())) for name in ("symbols", "tones", "ends")}
        if told != {"symbols": SYMBOLS, "tones": TONES, "ends": ENDS}:
            raise UserError("the acoustic weights do not fit this version of the program; install the package again")
        self.voices = voices_of(graph.facts)

    def speak(self, clause: Clause, voice: Voice, speed: float = 1.0) -> Spoken:
        """Frames of one clause; `speed` 2 is twice as fast."""
        return self.speak_batch([clause], [voice], speed)[0]

    def speak_batch(self, clauses: Sequence[Clause], voices: Sequence[Voice], speed: float = 1.0) -> list[Spoken]:
        """Frames of several clauses at once, the same as each alone."""
        longest = max(len(clause.phones) for clause in clauses)
        feeds: dict[str, NDArray[Any]] = {}
        for name in ("phones", "tones", "marks", "ends"):
            feeds[name] = np.zeros((len(clauses), longest), np.int64)
            for row, clause in enumerate(clauses):
                feeds[name][row, : len(clause.phones)] = getattr(clause, name)
        feeds["voice"] = np.array([voice.index for voice in voices], np.int64)
        feeds["speed"] = np.full(len(clauses), speed, np.float32)
        out = self._graph.run(feeds)
        spoken = []
        for row, clause in enumerate(clauses):
            durations = tuple(int(frames) for frames in out["durations"][row, : len(clause.phones)])
            count = sum(durations)
            spoken.append(Spoken(out["mel"][row, :count], out["f0"][row, :count], durations))
        return spoken
