"""One call's ears for one turn: samples in as they come, words so far at any time, a `Hearing` at the end.

`accept` and `finish` do all there is to do. Who serves many calls parts them: `take` makes features, `advance` brings
one chunk of each of several streams through the network in one run, `close` and `hearing` are the two halves of
`finish`, and a `snapshot` can be finished while the stream goes on.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.audio.features import HOP, MELS, WINDOW, MelStream
from step_audio_mini.listen.alignment import FRAME_SECONDS, word_shares, words_of
from step_audio_mini.listen.endpoint import Endpoint
from step_audio_mini.listen.presence import speech_probability, sureness
from step_audio_mini.listen.recogniser import Network, Recogniser
from step_audio_mini.listen.speaker_attributes import SpeakerModel, attributes, background
from step_audio_mini.listen.turn_end import end_probability
from step_audio_mini.runtime import state
from step_audio_mini.types import SAMPLE_RATE, Frames, Hearing, Hypothesis, Samples, Vectors

STRIDE = 4
"""Feature frames an encoder frame."""
LONGEST_SECONDS = 60.0
"""Sound beyond this is not taken: a turn's memory is bounded."""
COMPARED = 25
"""Readings whose agreement makes the confidence of a word."""
FLUSH_SECONDS = 0.4
"""Silence that must have followed the last speech: the network names a unit some frames after it was said."""
FADES = (0.25, 0.5)
"""Seconds in which the probability of speech falls by e after a unit, in quiet and while the sound is loud: CTC names a
unit at one moment, and a vowel may be drawn out after it."""


class Stream:
    """One turn. Any cut of the same samples gives the same result; `finish` once, then no more `accept`."""

    def __init__(self, recogniser: Recogniser, speaker: SpeakerModel | None = None) -> None:
        """Without a `speaker` model the attributes are those that need none."""
        self._recogniser, self._speaker = recogniser, speaker
        self._mels = MelStream()
        self._pending: Frames = np.zeros((0, MELS), np.float32)
        self._unseen: list[Samples] = []  # no features yet: those of a whole chunk at once cost a fifth
        self._state: state.State | None = None  # a megabyte, that a call which says nothing need not hold
        self._beam = recogniser.searcher.start()
        self._end = Endpoint(recogniser.tuning.end)
        self._end_probabilities: list[float] = []
        self._speech = 0.0
        self._told, self._told_at, self._sure = Hypothesis((), 0.0), 0, 0.0
        self._samples: list[Samples] = []
        self._taken = 0
        self._log_probs: list[NDArray[np.float32]] = []
        self._vectors: list[Vectors] = []

    def fresh(self) -> Stream:
        """Ears of the same kind for another turn."""
        return Stream(self._recogniser, self._speaker)

    def accept(self, samples: Samples) -> bool:
        """Take mono 16 kHz samples, (n,), any n; True once the speaker has finished (by the rules of `endpoint`)."""
        self.take(samples)
        while self.ready:
            advance([self])
        return self._end.over

    def take(self, samples: Samples) -> None:
        """The part of `accept` before the network."""
        samples = samples[: max(0, int(LONGEST_SECONDS * SAMPLE_RATE) - self._taken)].astype(np.float32, copy=True)
        self._samples.append(samples)
        self._unseen.append(samples)
        self._taken += len(samples)

    @property
    def ready(self) -> bool:
        """Whether a whole chunk waits for `advance`."""
        new = self._mels.completed(sum(map(len, self._unseen)))
        return len(self._pending) + new >= STRIDE * self._recogniser.tuning.chunk

    def _frames(self) -> Frames:
        """Features (T, 80) that the network has not had."""
        if self._unseen:
            new, self._unseen = self._mels.push(np.concatenate(self._unseen)), []
            self._pending = np.concatenate([self._pending, new])
        return self._pending

    @property
    def network(self) -> Network:
        """What `advance` runs: streams of one network may go through it together."""
        return self._recogniser.network

    @property
    def shares(self) -> bool:
        """Whether streams share the network's runs, which the fact `activations` of its graph tells.

        One that quantises them takes one scale for all it is given: there every stream has a run of its own.
        """
        return self.network.facts.get("activations") == "float"

    @property
    def end_probability(self) -> float:
        """Probability 0...1 that the speaker has finished, from the silence and from what was said; 0 before speech.

        It follows the sound frame by frame (40 ms), as far as whole chunks were taken; `accept` tells yes or no.
        """
        return self._end_probabilities[-1] if self._end_probabilities else 0.0

    @property
    def end_probabilities(self) -> Sequence[float]:
        """`end_probability` after every frame so far."""
        return self._end_probabilities

    @property
    def speech(self) -> float:
        """Probability 0...1 that the person is speaking, at the end of the last whole chunk."""
        return self._speech

    @property
    def silence(self) -> float:
        """Seconds since the last unit, or since the beginning; as far as whole chunks were taken."""
        return self._end.silence

    @property
    def spoken(self) -> bool:
        """Whether anything was said so far."""
        return self._end.spoken

    @property
    def seconds(self) -> float:
        """Length of the sound taken so far."""
        return self._taken / SAMPLE_RATE

    def partial(self) -> Hypothesis:
        """The best reading so far; its last words may still change."""
        if self._told_at != self._beam.frames:
            path = self._beam.best()
            log_probs = np.concatenate(self._log_probs)
            sure = self._recogniser.tuning.calibration
            words = words_of(path, self._recogniser.vocabulary, log_probs, [1.0] * len(path.words), sure)
            self._told, self._told_at = Hypothesis(tuple(words), path.score), self._beam.frames
            self._sure = sureness(log_probs, path.units)
        return self._told

    @property
    def sureness(self) -> float:
        """How surely the `partial` was said, 0...1: the mean posterior of its units."""
        self.partial()
        return self._sure

    @property
    def said(self) -> tuple[Any, ...]:
        """The same for as long as nothing more was said: what a `hearing` of now would tell in other words."""
        unheard = 0 if self._hushed else self._taken
        return self.partial().text, round(self._beam.frames * FRAME_SECONDS - self._end.silence, 3), unheard

    def snapshot(self) -> Stream:
        """The stream as it stands, to be finished while this one goes on. Costs some copying, no computing."""
        other = copy.copy(self)
        other._mels, other._end, other._beam = copy.copy(self._mels), copy.copy(self._end), self._beam.copy()
        other._unseen = self._unseen[:]
        other._samples, other._log_probs, other._vectors = self._samples[:], self._log_probs[:], self._vectors[:]
        other._end_probabilities = self._end_probabilities[:]
        return other

    def finish(self) -> Hearing:
        """The end of the turn: what was said, how it sounded, and the encoder's vectors where units peak."""
        self.close()
        while self.ready:
            advance([self])
        return self.hearing()

    def hearing(self, speaker: bool = True) -> Hearing:
        """The result of a stream that was closed and has no chunk left.

        Without `speaker` nothing is told of the voice: neither pitch nor what the speaker model sees.
        """
        measured = partial(attributes, speaker=self._speaker) if speaker else background
        samples = np.concatenate([*self._samples, np.zeros(0, np.float32)])
        if not self._log_probs:
            return Hearing((), measured(samples, 0.0, 0.0), self._no_vectors())
        log_probs, vectors = np.concatenate(self._log_probs), np.concatenate(self._vectors)
        peaks = unit_peaks(log_probs)
        readings = self._readings(log_probs) if len(peaks) else ()
        rate = len(peaks) / ((peaks[-1] - peaks[0] + 1) * FRAME_SECONDS) if len(peaks) else 0.0
        sure = readings[0].confidence if readings else 0.0
        return Hearing(readings, measured(samples, float(rate), sure), vectors[peaks])

    def _readings(self, log_probs: NDArray[np.float32]) -> tuple[Hypothesis, ...]:
        tuning, vocabulary = self._recogniser.tuning, self._recogniser.vocabulary
        paths = self._beam.paths(COMPARED)
        if not paths or not paths[0].words:
            return ()
        shares = word_shares(paths)
        readings = tuple(
            Hypothesis(tuple(words_of(path, vocabulary, log_probs, share, tuning.calibration)), path.score)
            for path, share in list(zip(paths, shares, strict=True))[: tuning.readings]
            if path.words
        )
        return readings if readings[0].confidence >= tuning.least_confidence else ()

    def close(self) -> None:
        """No more sound: what is left of it and of the silence after the last speech waits for `advance`.

        Silence that was heard need not be put after it.
        """
        need = STRIDE * self._recogniser.tuning.chunk
        done, flush = STRIDE * self._beam.frames, int(FLUSH_SECONDS * SAMPLE_RATE) // HOP
        if self._hushed:
            heard = round(min(self._end.silence, self._end.quiet) * SAMPLE_RATE / HOP)
            last = done + max(0, flush - heard)
        else:
            last = self._taken // HOP + flush
        whole = -(-last // need) * need
        silence = np.zeros(max(0, whole * HOP + WINDOW - HOP - self._taken), np.float32)
        self._unseen.append(silence)
        self._pending = self._frames()[: whole - done]

    @property
    def _hushed(self) -> bool:
        """Whether the sound that the network has not had yet is quiet."""
        frames = self._frames()
        waiting = np.pad(frames, ((0, -len(frames) % STRIDE), (0, 0)), "edge")
        return not any(self._end.loud(float(level)) for level in _levels_db(waiting))

    def _chunk(self) -> tuple[Frames, state.State]:
        """The next frames (4 C, 80), taken off those that wait, and the network's state before them."""
        need = STRIDE * self._recogniser.tuning.chunk
        waiting = self._frames()
        frames, self._pending = waiting[:need], waiting[need:]
        return frames, state.init(self.network) if self._state is None else self._state

    def _search(self, frames: Frames, log_probs: NDArray[np.float32], vectors: Vectors, following: state.State) -> None:
        """One chunk, back from the network, through search and end rules."""
        self._state = following
        first = self._beam.frames
        searched = log_probs.copy()
        searched[:, 0] -= np.float32(self._recogniser.tuning.blank)
        self._log_probs.append(log_probs)
        self._vectors.append(vectors)
        likeliest = np.exp(log_probs[:, 1:].max(axis=1))
        for number, level in enumerate(_levels_db(frames)):
            self._beam.push(searched[number : number + 1])
            time = (first + number + 1) * FRAME_SECONDS
            blank = float(np.exp(log_probs[number, 0]))
            self._end.update(time, blank, float(level))
            self._end_probabilities.append(self._probability())
            fade = math.exp(-FRAME_SECONDS / FADES[self._end.quiet == 0.0])
            self._speech = max(speech_probability(float(likeliest[number])), fade * self._speech)

    def _probability(self) -> float:
        end = self._end
        if not end.spoken:
            return 0.0
        return end_probability(end.silence, end.quiet, self._beam.closure(), end.rules)

    def _no_vectors(self) -> Vectors:
        return np.zeros((0, int(self._recogniser.network.facts.get("dimension", 0))), np.float32)


def advance(streams: Sequence[Stream]) -> None:
    """One chunk of each stream; all are `ready`, of one network and one chunk length. Together as each alone."""
    network = streams[0].network
    chunks = [stream._chunk() for stream in streams]
    for group in [slice(None)] if streams[0].shares else [slice(i, i + 1) for i in range(len(streams))]:
        feeds = {"frames": np.stack([frames for frames, _ in chunks[group]])}
        out, states = state.step(network, feeds, state.stack([before for _, before in chunks[group]]))
        rows = zip(streams[group], chunks[group], out["log_probs"], out["vectors"], state.unstack(states), strict=True)
        for stream, (frames, _), log_probs, vectors, following in rows:
            own = {name: tensor.copy() for name, tensor in following.items()}  # a view would keep the others' alive
            stream._search(frames, log_probs.astype(np.float32), vectors.astype(np.float32), own)


def unit_peaks(log_probs: NDArray[np.float32]) -> NDArray[np.int64]:
    """Frames (N,) at which the greedy path's units peak: the likeliest frame of each run of one non-blank unit."""
    best = log_probs.argmax(axis=1)
    edges = np.flatnonzero(np.diff(best)) + 1
    runs = np.split(np.arange(len(best)), edges)
    return np.array(
        [run[np.argmax(log_probs[run, best[run[0]]])] for run in runs if len(run) and best[run[0]]], np.int64
    )


def _levels_db(frames: Frames) -> NDArray[np.float32]:
    """Level of each encoder frame in dB, up to a constant: log-mel values are natural logs over a fixed scale."""
    from step_audio_mini.audio.features import STD

    mean = frames.reshape(-1, STRIDE * MELS).mean(axis=1)
    return np.asarray(mean * STD * 20 / np.log(10), np.float32)
