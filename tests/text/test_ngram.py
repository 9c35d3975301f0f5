"""N-gram models: they are distributions, prefer what was seen, survive storage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from step_audio_mini.text.ngram import BEGIN, END, Ngram, estimate

pytestmark = pytest.mark.unit

SIZE = 7
corpora = st.lists(
    st.tuples(st.lists(st.integers(2, SIZE - 1), max_size=6), st.sampled_from([0.2, 1.0, 3.0])), min_size=1, max_size=12
)


@settings(max_examples=60, deadline=None)
@given(corpora, st.integers(1, 4), st.sampled_from([0.0, 0.5, 2.0]), st.lists(st.integers(2, SIZE - 1), max_size=3))
def test_every_context_is_a_distribution(
    corpus: list[tuple[list[int], float]], order: int, prune: float, history: list[int]
) -> None:
    model = estimate(corpus, order, SIZE, prune=prune)
    for context in ((), (BEGIN, *history), tuple(history)):
        total = sum(math.exp(model.score(context, token)) for token in range(1, SIZE))
        assert total == pytest.approx(1.0, abs=2e-3)
    assert model.score((), BEGIN) == -math.inf


def test_what_was_seen_wins() -> None:
    model = estimate([([2, 3, 4], 1.0)] * 5 + [([2, 5], 1.0)], 3, SIZE)
    assert model.sentence([2, 3, 4]) > model.sentence([2, 5]) > model.sentence([4, 3, 2])
    assert model.score((2, 3), 4) > model.score((6, 3), 5)
    assert model.score((3, 4), END) > math.log(0.7)


def test_weight_is_repetition() -> None:
    heavy = estimate([([2, 3], 4.0), ([2, 4], 1.0)], 2, SIZE)
    many = estimate([([2, 3], 1.0)] * 4 + [([2, 4], 1.0)], 2, SIZE)
    assert heavy.sentence([2, 3]) == pytest.approx(many.sentence([2, 3]), abs=1e-5)


def test_pruning_makes_it_smaller_but_whole() -> None:
    rng = np.random.default_rng(1)
    corpus = [(list(rng.integers(2, SIZE, 5)), 1.0) for _ in range(40)]
    full, thin = estimate(corpus, 3, SIZE), estimate(corpus, 3, SIZE, prune=1.5)
    assert 0 < len(thin.tokens[2]) < len(full.tokens[2])
    assert thin.size == full.size == SIZE


@settings(max_examples=20, deadline=None)
@given(corpora)
def test_storage_keeps_scores(corpus: list[tuple[list[int], float]]) -> None:
    model = estimate(corpus, 3, SIZE)
    again = Ngram.from_bytes(model.to_bytes())
    assert model.to_bytes() == again.to_bytes()
    for tokens, _ in corpus:
        steps = len(tokens) + 1
        assert again.sentence(tokens) == pytest.approx(model.sentence(tokens), abs=0.08 * steps)
