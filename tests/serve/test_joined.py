"""Two pieces of a turn are heard as one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.serve.joined import MOST, joined
from step_audio_mini.types import Attributes, Hearing, Hypothesis, Word

pytestmark = pytest.mark.unit

READINGS = st.lists(
    st.tuples(st.lists(st.sampled_from(["one", "two", "三"]), min_size=1, max_size=4), st.floats(-50, 0)),
    max_size=7,
)


def hearing(readings: list[tuple[list[str], float]], snr_db: float) -> Hearing:
    def word(text: str, place: int) -> Word:
        return Word(text, 0.2 * place, 0.2 * place + 0.1, 0.8, "en" if text.isascii() else "zh")

    best_first = sorted(readings, key=lambda reading: -reading[1])
    nbest = tuple(Hypothesis(tuple(map(word, words, range(9))), score) for words, score in best_first)
    count = len(nbest[0].words) if nbest else 0
    return Hearing(nbest, Attributes(snr_db, 3.0, None), np.full((count, 8), snr_db, np.float32))


@given(READINGS, READINGS)
def test_the_best_of_both_is_the_best_of_the_whole(
    one: list[tuple[list[str], float]], two: list[tuple[list[str], float]]
) -> None:
    first, second = hearing(one, 10.0), hearing(two, 20.0)
    both = joined(first, second)
    words = (*first.best.words, *second.best.words)
    assert [word.text for word in both.best.words] == [word.text for word in words]
    assert len(both.nbest) <= MOST or not one or not two
    scores = [reading.score for reading in both.nbest]
    assert scores == sorted(scores, reverse=True)
    for reading in both.nbest:
        starts = [word.start for word in reading.words]
        assert starts == sorted(starts)
    if one and two:
        assert len(both.vectors) == len(words)
