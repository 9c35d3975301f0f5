"""What a turn tells of its speaker beside the words, each attribute with the chance that it is right.

The network is a part of the weights of its own (`speaker`); weights without it give the measured attributes alone.
Nothing is kept: an embedding exists only while somebody who asked for it holds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.audio.features import STD, log_mel
from step_audio_mini.audio.level import pitch_hz, snr_db
from step_audio_mini.runtime.manifest import Weights
from step_audio_mini.runtime.session import Graph
from step_audio_mini.types import Attributes, Frames, Samples

PART = "speaker"
"""Name of the part of the weights."""
LEAST = 0.8
"""A class less likely than this is not told."""
SHORTEST, LONGEST = 30, 600
"""Frames of speech: of fewer nothing is said, more than these are not looked at."""
RANGE_DB = 30.0
"""Frames farther than this under the loudest are pauses."""
SNR_SURE = 0.73
"""Chance that the SNR is within 5 dB of the truth, whatever it reads: 440 mixtures of dev clips, recorded background at
0...20 dB. A background that comes and goes fools it.
"""
PITCH_SURE = (1.06, 0.146)
"""Log odds that the pitch is within 10 % of that of the clean clip, at 0 dB of measured SNR and more a dB."""


class Network(Protocol):
    """`frames` (B, T, 80) and `counts` (B,) to `embedding` (B, E) of length 1, and chances (B, C) by attribute."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """`attributes`: the names of the classes of each."""

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs by name."""


class SpeakerModel:
    """The network of a folder of weights. Holds no state: all calls share it."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.classes: Mapping[str, list[str]] = network.facts["attributes"]

    @classmethod
    def open(cls, weights: Weights) -> SpeakerModel | None:
        """The model of a folder of weights; None where it has none."""
        return cls(Graph(weights.read(PART), PART)) if PART in weights.parts else None

    def look(self, samples: Samples) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]] | None:
        """Embedding (E,) of length 1 and chances (C,) by attribute of mono 16 kHz samples; None for too little speech.

        The cosine of two embeddings says how alike two voices are.
        """
        frames = spoken(log_mel(samples))
        if len(frames) < SHORTEST:
            return None
        out = self._network.run({"frames": frames[None], "counts": np.array([len(frames)])})
        return out["embedding"][0], {name: out[name][0] for name in self.classes}

    def likeliest(self, chances: Mapping[str, NDArray[np.float32]]) -> dict[str, tuple[str, float]]:
        """The likeliest class of each attribute and its chance."""
        return {name: (self.classes[name][int(row.argmax())], float(row.max())) for name, row in chances.items()}


def background(samples: Samples, rate: float, words: float) -> Attributes:
    """What the mind needs to know of a turn's samples, and nothing of who speaks: the rest takes fifty times as long.

    `words`, the confidence of what was understood, is that of the rate too.
    """
    return Attributes(snr_db(samples), rate, None, confidence={"snr_db": SNR_SURE, "rate": words})


def attributes(samples: Samples, rate: float, words: float, speaker: SpeakerModel | None) -> Attributes:
    """All attributes of a turn's samples; `words` as in `background`."""
    plain, pitch = background(samples, rate, words), pitch_hz(samples)
    sure_pitch = float(1 / (1 + np.exp(-(PITCH_SURE[0] + PITCH_SURE[1] * plain.snr_db)))) if pitch else 0.0
    confidence = {**plain.confidence, "pitch_hz": sure_pitch}
    told = replace(plain, pitch_hz=pitch, confidence=confidence)
    if speaker is None:
        return told
    seen = speaker.look(samples)
    guesses = speaker.likeliest(seen[1]) if seen else dict.fromkeys(speaker.classes, ("", 0.0))
    sure = {name: label for name, (label, chance) in guesses.items() if chance >= LEAST}
    confidence |= {name: chance for name, (_, chance) in guesses.items()}
    return replace(told, confidence=confidence, **cast(dict[str, Any], sure))


def spoken(frames: Frames) -> Frames:
    """Frames (t, 80) of log-mel frames (T, 80) from the first to the last speech, at most `LONGEST`."""
    if not len(frames):
        return frames
    level = frames.mean(axis=1) * STD * 20 / np.log(10)
    loud = np.flatnonzero(level > level.max() - RANGE_DB)
    return frames[loud[0] : min(loud[-1] + 1, loud[0] + LONGEST)]
