"""Trigrams over arrays: probabilities that sum to one, and counts that leave out what is unknown."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from step_audio_mini.text.ngram import BEGIN, END
from step_audio_mini.train import large_ngram
from step_audio_mini.train.large_ngram import Sentences, estimate_trigrams

pytestmark = pytest.mark.unit

SIZE = 6


def rows(sentences: list[list[int]], weight: float = 1.0) -> Sentences:
    tokens = np.array([token for sentence in sentences for token in sentence], np.int32)
    return Sentences(tokens, np.array(list(map(len, sentences)), np.int32), weight)


sentences = st.lists(st.lists(st.integers(2, SIZE), min_size=1, max_size=6), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(sentences, sentences, st.sampled_from([1, 8, 1000]))
def test_every_context_sums_to_one(one: list[list[int]], other: list[list[int]], most: int) -> None:
    model = estimate_trigrams([rows(one), rows(other, 0.25)], SIZE, most=most)
    for context in [(), (BEGIN,), *((a,) for a in range(2, SIZE)), *((a, b) for a in range(2, SIZE) for b in (2, 3))]:
        total = sum(math.exp(model.score(context, token)) for token in range(1, SIZE))
        assert total == pytest.approx(1.0, abs=1e-3)


def test_what_was_said_is_likelier_than_what_was_not() -> None:
    model = estimate_trigrams([rows([[2, 3, 4], [2, 3, 4], [2, 3, 5]])], SIZE, most=1000)
    assert model.score((2, 3), 4) > model.score((2, 3), 5) > model.score((2, 3), 2)
    assert model.score((BEGIN,), 2) > model.score((BEGIN,), 3)
    assert model.score((3, 4), END) > math.log(0.5)


def test_an_unknown_word_is_no_context() -> None:
    model = estimate_trigrams([rows([[2, SIZE, 3]])], SIZE, most=1000)
    assert [token for token, _ in model.successors((2,))] == []
    assert [token for token, _ in model.successors((3,))] == [END]


def test_pruning_keeps_what_says_most() -> None:
    model = estimate_trigrams([rows([[2, 3]] * 9 + [[2, 4], [5, 3]])], SIZE, most=3)
    assert [token for token, _ in model.successors((2,))] == [3]


def test_pieces_count_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    said = rows([[2, 3, 4], [4, 3], [2, 2, 2, 2], [5]])
    whole = estimate_trigrams([said], SIZE, most=1000)
    monkeypatch.setattr(large_ngram, "_AT_ONCE", 3)
    parts = estimate_trigrams([said], SIZE, most=1000)
    assert all(np.array_equal(a, b) for a, b in zip(whole.log_prob, parts.log_prob, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(whole.backoff, parts.backoff, strict=True))
