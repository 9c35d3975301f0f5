"""Ears of many calls: together as each alone, and a snapshot says what `finish` would, while the stream goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from step_audio_mini.listen.recogniser import Recogniser, Tuning, WordModel
from step_audio_mini.listen.search import Limits
from step_audio_mini.listen.space import Weighing
from step_audio_mini.listen.stream import Stream, advance
from step_audio_mini.text.phones import UNITS
from step_audio_mini.types import Hearing, Samples

from .conftest import SPOKEN, Script, posteriors, said, silence

pytestmark = pytest.mark.unit

TUNING = Tuning(weighing=Weighing(language=0.5), limits=Limits(active=200))


class Batching(Script):
    """A network over many streams: posteriors come from the frames and a running sum of them; it counts its runs."""

    def __init__(self, activations: str) -> None:
        super().__init__(np.zeros((0, len(UNITS)), np.float32))
        self.facts = {**self.facts, "activations": activations}
        rng = np.random.default_rng(3)
        self._now, self._past = (rng.normal(0, 0.4, (80, len(UNITS))).astype(np.float32) for _ in range(2))
        self.inputs = {"frames": (("streams", "frames", 80), np.float32), "in_cache_sum": (("streams", 80), np.float32)}
        self.runs: list[int] = []

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        frames = feeds["frames"].reshape(len(feeds["frames"]), -1, 4, 80).mean(2)
        self.runs.append(len(frames))
        sums = np.cumsum(frames, axis=1) + feeds["in_cache_sum"][:, None]
        logits = 0.2 * np.einsum("btm,mu->btu", frames, self._now) + 0.02 * np.einsum("btm,mu->btu", sums, self._past)
        logits -= logits.max(-1, keepdims=True)
        log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        return {"log_probs": log_probs, "vectors": frames[..., :3], "out_cache_sum": sums[:, -1]}


class Counting(Script):
    """A scripted network that counts its runs."""

    runs = 0

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        self.runs += 1
        return super().run(feeds)


def noise(seed: int, length: int) -> Samples:
    return np.random.default_rng(seed).normal(0, 0.1, length).astype(np.float32)


def same(one: Hearing, other: Hearing) -> bool:
    return (
        one.nbest == other.nbest and one.attributes == other.attributes and np.array_equal(one.vectors, other.vectors)
    )


@pytest.mark.parametrize(("activations", "runs"), [("float", [3]), ("int8", [1, 1, 1])])
def test_one_run_serves_all_streams_where_that_changes_nothing(
    word_model: WordModel, activations: str, runs: list[int]
) -> None:
    network = Batching(activations)
    streams = [Stream(Recogniser(network, word_model, tuning=TUNING)) for _ in range(3)]
    for seed, stream in enumerate(streams):
        stream.take(noise(seed, 6_000))
    advance(streams)
    assert network.runs == runs
    assert not any(stream.ready for stream in streams)


@settings(max_examples=6, deadline=None)
@given(lengths=st.lists(st.integers(0, 12_000), min_size=2, max_size=3), piece=st.integers(400, 9_000))
def test_streams_together_hear_what_each_hears_alone(word_model: WordModel, lengths: list[int], piece: int) -> None:
    recogniser = Recogniser(Batching("float"), word_model, tuning=TUNING)
    sounds = [noise(seed, length) for seed, length in enumerate(lengths)]
    alone = []
    for sound in sounds:
        stream = Stream(recogniser)
        stream.accept(sound)
        alone.append(stream.finish())
    together = [Stream(recogniser) for _ in sounds]
    for start in range(0, max(lengths) + 1, piece):
        for stream, sound in zip(together, sounds, strict=True):
            stream.take(sound[start : start + piece])
        while waiting := [stream for stream in together if stream.ready]:
            advance(waiting)
    for stream in together:
        stream.close()
    while waiting := [stream for stream in together if stream.ready]:
        advance(waiting)
    assert all(same(stream.hearing(), one) for stream, one in zip(together, alone, strict=True))


@settings(max_examples=6, deadline=None)
@given(length=st.integers(0, 16_000), at=st.integers(0, 16_000))
def test_a_snapshot_says_what_finish_would_and_disturbs_nothing(word_model: WordModel, length: int, at: int) -> None:
    recogniser = Recogniser(Batching("float"), word_model, tuning=TUNING)
    sound = noise(length, length)
    plain, disturbed, cut = (Stream(recogniser) for _ in range(3))
    cut.accept(sound[:at])
    plain.accept(sound)
    disturbed.accept(sound[:at])
    early = disturbed.snapshot()
    assert same(early.finish(), cut.finish())
    disturbed.accept(sound[at:])
    assert disturbed.partial() == plain.partial()
    assert list(disturbed.end_probabilities) == list(plain.end_probabilities)
    assert same(disturbed.finish(), plain.finish())


def test_silence_that_was_heard_is_not_put_after_it_again(word_model: WordModel) -> None:
    frames, _ = said([SPOKEN[word].split("|")[0] for word in ("turn", "on", "the", "light")], gap=2)
    network = Counting(posteriors([0] * 8 + frames + [0] * 60, 0.99))
    stream = Stream(Recogniser(network, word_model, tuning=TUNING))
    hush = noise(1, 8 * 640) * 0.001
    stream.accept(np.concatenate([hush, noise(2, len(frames) * 640), hush[:1_280]]))
    runs = []
    while stream.silence < 0.8:
        after = stream.snapshot()
        before = network.runs
        assert after.finish().best.text == "turn on the light"
        runs.append(network.runs - before)
        stream.accept(hush[:2_560])
    assert runs[0] >= 2
    assert runs[-1] == 0
    told = stream.said
    assert told[0] == "turn on the light"
    stream.accept(hush)
    assert stream.said == told, "nothing more was said"
    stream.accept(noise(3, 2_000))
    assert stream.said != told, "something was, perhaps"


def test_speech_is_told_while_it_lasts(word_model: WordModel) -> None:
    frames, _ = said([SPOKEN[word].split("|")[0] for word in ("turn", "on", "the", "light")], gap=2)
    rows = posteriors([0] * 8 + frames + [0] * 30, 0.99)
    stream = Stream(Recogniser(Script(rows), word_model, tuning=TUNING))
    told = []
    for _ in range(8):
        stream.accept(noise(1, 5_120))
        told.append(stream.speech)
    assert told[1] < 0.1
    assert min(told[2:5]) > 0.5
    assert told[-1] < 0.1 < 0.5 < stream.silence
    assert stream.spoken


def test_fresh_ears_know_nothing_of_the_turn_before(word_model: WordModel) -> None:
    stream = Stream(Recogniser(Script(silence(1)), word_model, tuning=TUNING))
    stream.accept(noise(1, 20_000))
    assert stream.fresh().seconds == 0.0
    assert stream.fresh().partial().words == ()
