"""From log-mel frames and F0 to sound: runs the exported vocoder over streams of any cut.

Frame t covers samples [160 t, 160 t + 400); T frames give the 160 T + 240 samples that they cover, in place: sample n
of the sound is sample n of the recording whose frames went in. What comes out for a frame depends on `latency` frames
after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.audio.features import MELS
from step_audio_mini.audio.spectrum import OverlapAdd, Spectra
from step_audio_mini.runtime import state
from step_audio_mini.runtime.manifest import Weights
from step_audio_mini.runtime.session import Graph
from step_audio_mini.speak.source import AHEAD, Pitch, Sources, SourceStream, pitch_features
from step_audio_mini.types import Frames, Samples

PART = "vocoder"
"""Name of the vocoder's graph among the weights."""
BLOCK = 200
"""Frames given to the graph at a time: bounds the memory of a long push."""


class VocoderGraph(state.Runnable, Protocol):
    """The exported network: inputs mel, pitch, source; output spectrum, late by the fact `ahead`."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """`ahead`: frames by which the spectra come late."""


class Vocoder:
    """The shared weights. Every sound has a `VocoderStream` of its own; `step` runs many of them at once."""

    def __init__(self, graph: VocoderGraph) -> None:
        self.graph = graph
        self.ahead = int(graph.facts["ahead"])

    @classmethod
    def load(cls, weights: Weights) -> Vocoder:
        """The vocoder of a folder of weights."""
        return cls(Graph(weights.read(PART), PART))

    @property
    def latency(self) -> int:
        """Frames beyond a frame that must be known before its sound is complete."""
        return self.ahead + AHEAD

    def start(self, seed: int = 0) -> VocoderStream:
        """A new sound; the seed chooses its noise, so the same input gives the same bytes."""
        return VocoderStream(self, seed)

    def step(
        self, mel: NDArray[np.float32], pitch: NDArray[np.float32], source: NDArray[np.float32], caches: state.State
    ) -> tuple[NDArray[np.float32], state.State]:
        """One run for B streams: (B, t, 80), (B, t, 2), (B, t, 2, 241, 2) -> spectra (B, t, 241, 2), next caches."""
        out, following = state.step(self.graph, {"mel": mel, "pitch": pitch, "source": source}, caches)
        return out["spectrum"], following


class VocoderStream:
    """One sound in the making. All pieces together equal, within 1e-4, what the whole input gives at once."""

    def __init__(self, vocoder: Vocoder, seed: int) -> None:
        self._vocoder = vocoder
        self._source = SourceStream(seed)
        self._add = OverlapAdd()
        self._caches = state.init(vocoder.graph)
        self._late = vocoder.ahead  # spectra that stand for frames before the first
        self._mel: Frames = np.zeros((0, MELS), np.float32)
        self._pitch: Pitch = np.zeros((0, 2), np.float32)
        self._last: tuple[Frames, Pitch] | None = None

    def push(self, mel: Frames, f0: NDArray[np.float32]) -> Samples:
        """Samples completed by normalised log-mel frames (t, 80) and F0 (t,) in Hz, 0 where voiceless."""
        if mel.shape != (len(f0), MELS):
            raise ValueError(f"frames of shape {mel.shape} do not go with {len(f0)} values of F0")
        if len(f0) == 0:
            return np.zeros(0, np.float32)
        pitch = pitch_features(f0)
        self._last = mel[-1:], pitch[-1:]
        self._mel = np.concatenate([self._mel, mel.astype(np.float32, copy=False)])
        self._pitch = np.concatenate([self._pitch, pitch])
        return self._advance(self._source.push(f0))

    def finish(self) -> Samples:
        """The rest of the sound; the last frame stands in for those that would follow."""
        if self._last is None:
            return np.zeros(0, np.float32)
        ahead = self._vocoder.ahead
        self._mel = np.concatenate([self._mel, np.repeat(self._last[0], ahead, 0)])
        self._pitch = np.concatenate([self._pitch, np.repeat(self._last[1], ahead, 0)])
        source = self._source.finish()
        beyond = np.zeros((ahead, *source.shape[1:]), np.float32)  # of these frames no sound is made
        made = self._advance(np.concatenate([source, beyond]))
        return np.concatenate([made, np.clip(self._add.finish(), -1.0, 1.0)])

    def _advance(self, source: Sources) -> Samples:
        """Run the graph over the frames whose sources are complete."""
        pieces = [np.zeros(0, np.float32)]
        for start in range(0, len(source), BLOCK):
            block = source[start : start + BLOCK]
            count = len(block)
            spectra, self._caches = self._vocoder.step(
                self._mel[None, :count], self._pitch[None, :count], block[None], self._caches
            )
            self._mel, self._pitch = self._mel[count:], self._pitch[count:]
            pieces.append(self._add.push(self._timely(spectra[0])))
        return np.clip(np.concatenate(pieces), -1.0, 1.0)

    def _timely(self, spectra: Spectra) -> Spectra:
        dropped = min(self._late, len(spectra))
        self._late -= dropped
        return spectra[dropped:]
