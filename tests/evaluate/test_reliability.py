"""Reliability of confidences: known tables, bounds, alignment of heard with said words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.evaluate.reliability import calibration_error, calibration_figure, right_words, table

pytestmark = pytest.mark.unit

PAIRS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def test_a_known_table() -> None:
    pairs = [(0.85, True), (0.85, False), (0.05, False), (1.0, True)]
    rows = table(pairs)
    assert [row.count for row in rows] == [1, 0, 0, 0, 0, 0, 0, 0, 2, 1]
    assert (rows[8].confidence, rows[8].right) == pytest.approx((0.85, 0.5))
    assert (rows[9].low, rows[9].high) == (0.9, 1.0)
    assert calibration_error(pairs) == pytest.approx((0.05 + 2 * 0.35 + 0.0) / 4)


def test_true_probabilities_are_calibrated_and_boasts_are_not() -> None:
    rng = np.random.default_rng(1)
    sure = rng.uniform(0, 1, 20_000)
    right = rng.uniform(0, 1, 20_000) < sure
    assert calibration_error(zip(sure.tolist(), right.tolist(), strict=True)) < 0.02
    assert calibration_error([(0.99, False)] * 5) == pytest.approx(0.99)


@given(PAIRS)
def test_bounds_and_sums(pairs: list[tuple[float, bool]]) -> None:
    assert 0.0 <= calibration_error(pairs) <= 1.0
    assert sum(row.count for row in table(pairs)) == len(pairs)
    assert calibration_error(pairs, 1) <= calibration_error(pairs) + 1e-9  # one bin lets errors cancel


def test_a_figure_has_an_interval() -> None:
    clips = [[(0.8, True), (0.6, number % 2 == 0)] for number in range(40)]
    figure = calibration_figure(clips)
    assert figure.low <= figure.value <= figure.high
    assert figure == calibration_figure(clips)
    assert (figure.n, figure.over) == (40, "clips")
    with pytest.raises(ValueError, match="no words"):
        calibration_figure([[]])
    with pytest.raises(ValueError, match="no words"):
        calibration_figure([])


def test_words_are_right_where_they_stand_in_the_reference() -> None:
    pytest.importorskip("jiwer")
    heard = [("turn", 0.9), ("of", 0.4), ("the", 0.8), ("the", 0.2), ("light", 0.7)]
    assert [right for _, right in right_words(["turn", "off", "the", "light"], heard)].count(True) == 3
    assert right_words(["on"], []) == []
    assert right_words([], heard[:1]) == [(0.9, False)]
