"""The probability that a turn is over: grows with silence, falls after an open sentence, agrees with the rules."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.listen import turn_end
from step_audio_mini.listen.arcs import Arcs
from step_audio_mini.listen.endpoint import Endpoint, EndRules
from step_audio_mini.listen.recogniser import Recogniser, Tuning, WordModel
from step_audio_mini.listen.search import Limits, Searcher
from step_audio_mini.listen.space import Weighing, join, weigh
from step_audio_mini.listen.stream import Stream
from step_audio_mini.listen.turn_end import end_probability

from .conftest import SPOKEN, Script, posteriors, said

pytestmark = pytest.mark.unit

RULES = EndRules()
TIMES = st.floats(0, 40)
CLOSURES = st.floats(-60, 0) | st.just(-np.inf)


@given(TIMES, TIMES, CLOSURES, TIMES, TIMES, st.floats(0, 60))
def test_it_is_a_probability_that_grows(
    silence: float, quiet: float, closure: float, longer: float, quieter: float, closed: float
) -> None:
    low = end_probability(silence, quiet, closure, RULES)
    assert 0.0 <= low <= 1.0
    assert end_probability(silence + longer, quiet, closure, RULES) >= low - 1e-9
    assert end_probability(silence, quiet + quieter, closure, RULES) >= low - 1e-9
    assert end_probability(silence, quiet, min(0.0, closure + closed), RULES) >= low - 1e-9


@given(TIMES, CLOSURES)
def test_long_silence_ends_any_turn_and_speech_none(quiet: float, closure: float) -> None:
    assert end_probability(8.0, quiet, closure, RULES) > 0.99
    assert end_probability(0.0, quiet, closure, RULES) < 0.1


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(-90, 0)), min_size=60, max_size=200))
def test_without_words_half_is_where_the_rules_end(frames: list[tuple[float, float]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turn_end, "COMPLETE", (0.0, 0.0))
        endpoint = Endpoint(EndRules(patience=99.0))
        for place, (blank, level) in enumerate(frames):
            if endpoint.update(0.04 * (place + 1), blank, level):
                break
            if endpoint.spoken:
                assert end_probability(endpoint.silence, endpoint.quiet, -1.0, RULES) < 0.5 + 1e-6
        if endpoint.over:
            assert end_probability(endpoint.silence, endpoint.quiet, -1.0, RULES) >= 0.5 - 1e-6


def closure(graph: Arcs, words: str) -> float:
    weighing = Weighing(language=1.0)
    beam = Searcher(join([weigh(graph, weighing)], [1.0], weighing), Limits(active=200)).start()
    frames, _ = said([SPOKEN[word].split("|")[0] for word in words.split()])
    beam.push(posteriors([*frames, 0, 0, 0], 0.999))
    return beam.closure()


@pytest.mark.parametrize(
    ("complete", "open_"),
    [("turn on the light", "turn on the"), ("bus stop", "bus"), ("把 灯 打开", "把 灯"), ("打开 灯", "把")],
)
def test_a_sentence_of_the_model_is_complete_and_its_beginning_open(general: Arcs, complete: str, open_: str) -> None:
    assert 0.0 >= closure(general, complete) > closure(general, open_) + 0.5


def test_the_stream_tells_it_at_every_frame(word_model: WordModel) -> None:
    tuning = Tuning(weighing=Weighing(language=1.0), limits=Limits(active=200), least_confidence=0.0)
    reached = {}
    for words in ("turn on the light", "turn on the"):
        frames, _ = said([SPOKEN[word].split("|")[0] for word in words.split()], gap=2)
        stream = Stream(Recogniser(Script(posteriors([0] * 5 + frames, 0.99)), word_model, tuning=tuning))
        assert stream.end_probability == 0.0
        over = [stream.accept(np.zeros(640, np.float32)) for _ in range(5 + len(frames) + 60)]
        told = stream.end_probabilities
        assert len(told) == stream._beam.frames
        assert all(0.0 <= p <= 1.0 for p in told)
        assert told[4] == 0.0
        assert told[-1] == stream.end_probability > 0.5
        assert over[-1]
        after = told[5 + len(frames) :]
        assert all(b >= a - 1e-6 for a, b in pairwise(after))
        reached[words] = next(place for place, p in enumerate(after) if p > 0.5)
    assert reached["turn on the light"] + 3 < reached["turn on the"]


def test_any_cut_of_the_sound_tells_the_same(word_model: WordModel) -> None:
    rows = posteriors(said([SPOKEN["bus"], SPOKEN["stop"]], gap=2)[0], 0.9)
    tuning = replace(Tuning(), limits=Limits(active=100))
    told = []
    for cuts in ([], [3_000, 3_100, 17_000]):
        stream = Stream(Recogniser(Script(rows), word_model, tuning=tuning))
        for piece in np.split(np.zeros(24_000, np.float32), cuts):
            stream.accept(piece)
        told.append(list(stream.end_probabilities))
    assert told[0] == told[1]
