"""One call's ears: any cut of the samples is the same; silence is empty; a turn is bounded."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from step_audio_mini.errors import UserError
from step_audio_mini.listen.endpoint import EndRules
from step_audio_mini.listen.recogniser import Expected, Recogniser, Tuning, WordModel
from step_audio_mini.listen.search import Limits
from step_audio_mini.listen.space import Weighing
from step_audio_mini.listen.stream import Stream, unit_peaks
from step_audio_mini.text.phones import UNITS
from step_audio_mini.types import Hearing

from .conftest import SPOKEN, Script, posteriors, said, silence

pytestmark = pytest.mark.unit

TUNING = Tuning(weighing=Weighing(language=0.5), limits=Limits(active=200))


class Mixing(Script):
    """A network whose posteriors come from the frames and from a running sum of them, its state."""

    def __init__(self) -> None:
        super().__init__(np.zeros((0, len(UNITS)), np.float32))
        rng = np.random.default_rng(3)
        self._now, self._past = (rng.normal(0, 0.4, (80, len(UNITS))).astype(np.float32) for _ in range(2))
        self.inputs = {"frames": (("streams", "frames", 80), np.float32), "in_cache_sum": (("streams", 80), np.float32)}

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        frames = feeds["frames"][0].reshape(-1, 4, 80).mean(1)
        sums, memory = [], feeds["in_cache_sum"][0]
        for frame in frames:
            memory = np.float32(0.9) * memory + frame
            sums.append(memory)
        logits = 0.2 * frames @ self._now + 0.02 * np.stack(sums) @ self._past
        logits -= logits.max(1, keepdims=True)
        log_probs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        return {"log_probs": log_probs[None], "vectors": frames[None, :, :3], "out_cache_sum": memory[None]}


@pytest.fixture(scope="module")
def mixing(word_model: WordModel) -> Recogniser:
    return Recogniser(Mixing(), word_model, tuning=TUNING)


def hear(recogniser: Recogniser, samples: NDArray[np.float32], cuts: list[int]) -> Hearing:
    stream = Stream(recogniser)
    for piece in np.split(samples, sorted(cuts)):
        stream.accept(piece)
    return stream.finish()


@settings(max_examples=12, deadline=None)
@given(length=st.integers(0, 30_000), cuts=st.lists(st.integers(0, 30_000), max_size=8))
def test_any_cut_of_the_samples_is_the_same(mixing: Recogniser, length: int, cuts: list[int]) -> None:
    samples = np.random.default_rng(length).normal(0, 0.1, length).astype(np.float32)
    whole, pieces = hear(mixing, samples, []), hear(mixing, samples, [min(cut, length) for cut in cuts])
    assert pieces.nbest == whole.nbest
    assert pieces.attributes == whole.attributes
    np.testing.assert_array_equal(pieces.vectors, whole.vectors)


def scripted(word_model: WordModel, words: list[str], lead: int = 5, tail: int = 3, **settings: Any) -> Recogniser:
    frames, _ = said([SPOKEN[word].split("|")[0] for word in words], gap=2)
    rows = posteriors([0] * lead + frames + [0] * tail, 0.99)
    return Recogniser(Script(rows), word_model, tuning=replace(TUNING, **settings))


def test_words_with_times_confidences_and_vectors(word_model: WordModel) -> None:
    recogniser = scripted(word_model, ["turn", "on", "the", "light"])
    stream = Stream(recogniser)
    stream.accept(np.zeros(16_000, np.float32))
    partial = stream.partial()
    assert partial.text.startswith("turn on")
    stream.accept(np.zeros(8_000, np.float32))
    hearing = stream.finish()
    assert hearing.best.text == "turn on the light"
    assert hearing.best.language == "en"
    assert hearing.best.confidence > 0.6
    assert hearing.best.words[0].start == pytest.approx(0.2)
    assert all(a.end <= b.start + 1e-6 for a, b in zip(hearing.best.words, hearing.best.words[1:], strict=False))
    assert [h.text for h in hearing.nbest].count(hearing.best.text) == 1
    assert len(hearing.vectors) == sum(len(SPOKEN[w].split("|")[0].split()) for w in ("turn", "on", "the", "light"))
    assert hearing.vectors[0, 0] == 5.0  # the script's vectors say their frame
    assert hearing.attributes.rate == pytest.approx(1 / 0.12, rel=0.1)


def test_mixed_languages(word_model: WordModel) -> None:
    stream = Stream(scripted(word_model, ["把", "light", "打开"]))
    stream.accept(np.zeros(16_000, np.float32))
    words = stream.finish().best.words
    assert [(word.text, word.language) for word in words] == [("把", "zh"), ("light", "en"), ("打开", "zh")]


@pytest.mark.parametrize("length", [0, 1, 399, 16_000])
def test_silence_is_empty(word_model: WordModel, length: int) -> None:
    recogniser = Recogniser(Script(silence(4)), word_model, tuning=TUNING)
    stream = Stream(recogniser)
    assert stream.partial().words == ()
    stream.accept(np.zeros(length, np.float32))
    hearing = stream.finish()
    assert hearing.nbest == ()
    assert hearing.best.text == ""
    assert hearing.vectors.shape == (0, 3)
    assert hearing.attributes.pitch_hz is None
    assert hearing.attributes.rate == 0.0


def test_unsure_words_are_nothing_understood(word_model: WordModel) -> None:
    for least, understood in ((0.0, True), (0.999, False)):
        stream = Stream(scripted(word_model, ["bus", "stop"], least_confidence=least))
        stream.accept(np.zeros(16_000, np.float32))
        assert bool(stream.finish().nbest) is understood


def test_the_end_of_speech_is_told_and_stays(word_model: WordModel) -> None:
    stream = Stream(scripted(word_model, ["bus", "stop"]))
    told = [stream.accept(np.zeros(1_600, np.float32)) for _ in range(40)]
    assert told == sorted(told)
    assert 1.5 < 0.1 * told.index(True) < 3.0
    silent = Stream(Recogniser(Script(silence(1)), word_model, tuning=replace(TUNING, end=EndRules(patience=0.9))))
    assert not silent.accept(np.zeros(8_000, np.float32))
    assert silent.accept(np.zeros(12_000, np.float32))


def test_endless_sound_is_cut(word_model: WordModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("step_audio_mini.listen.stream.LONGEST_SECONDS", 2.0)
    stream = Stream(Recogniser(Script(silence(1)), word_model, tuning=TUNING))
    for _ in range(4):
        stream.accept(np.zeros(15_000, np.float32))
    assert stream.seconds == 2.0
    assert stream._beam.frames <= 50
    assert stream.finish().nbest == ()


def test_turn_after_turn_leaves_nothing_behind(word_model: WordModel) -> None:
    recogniser = scripted(word_model, ["turn", "on", "the", "light"], limits=Limits(active=60))
    held = []
    tracemalloc.start()
    try:
        for _ in range(4):
            stream = Stream(recogniser)
            while not stream.accept(np.zeros(3_200, np.float32)):
                stream.partial()
            assert stream.finish().best.text == "turn on the light"
            del stream
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert held[-1] - held[1] < 20_000


def test_a_pack_brings_new_words(word_model: WordModel, tmp_path: Path) -> None:
    rows = posteriors(said(["T ER N", "AA N", "DH AH", "L AE M P"], gap=2)[0], 0.99)
    texts = []
    for contexts in ([], [[("turn on the lamp", 1.0)]], [[("把灯打开", 1.0)], [("lamp", 1.0)]]):
        recogniser = Recogniser(Script(rows), word_model, expected=Expected(contexts), tuning=TUNING, cache=tmp_path)
        stream = Stream(recogniser)
        stream.accept(np.zeros(20_000, np.float32))
        texts.append(stream.finish().best.text)
    assert texts[0] != "turn on the lamp"
    assert texts[1:] == ["turn on the lamp"] * 2


def test_a_language_leaves_out_the_words_of_the_other(word_model: WordModel) -> None:
    both = WordModel(dict.fromkeys(("en", "zh"), word_model.stored["en"]), word_model.vocabulary, word_model.pronounce)
    network = Script(silence(1))
    states = [len(Recogniser(network, both, language=choice).searcher.final) for choice in (None, "en", "zh")]
    assert states[1] == states[2] == (states[0] + 1) // 2


def test_another_alphabet_is_refused(word_model: WordModel) -> None:
    network = Script(silence(1))
    network.facts = {"units": ["<blank>", "a"]}
    with pytest.raises(UserError, match="units"):
        Recogniser(network, word_model)


def test_peaks_are_the_likeliest_frames_of_runs() -> None:
    log_probs = posteriors([0, 5, 5, 0, 5, 6, 0])
    log_probs[2, 5] += 0.01
    assert unit_peaks(log_probs).tolist() == [2, 4, 5]
    assert unit_peaks(silence(3)).tolist() == []
