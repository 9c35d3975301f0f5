from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.evaluate.intervals import Count, difference, mean, percentile, rate, ratio

pytestmark = pytest.mark.unit


def test_rate_is_pooled_over_speakers() -> None:
    counts = [Count(n % 3, 10, f"s{n % 12}") for n in range(36)]
    figure = rate(counts)
    assert figure.value == pytest.approx(0.1)
    assert (figure.n, figure.over) == (36, "speakers")
    assert figure.low <= figure.value <= figure.high


def test_few_speakers_are_resampled_by_clip() -> None:
    counts = [Count(n % 2, 1, "one") for n in range(40)]
    figure = rate(counts, items="dialogues")
    assert figure.over == "dialogues"
    assert 0.3 < figure.low < 0.45
    assert 0.55 < figure.high < 0.7


def test_correlated_speakers_widen_the_interval() -> None:
    together = [Count(float(s < 10), 1, f"s{s}") for s in range(20) for _ in range(10)]
    alone = [Count(count.part, 1, f"{n}") for n, count in enumerate(together)]
    wide, narrow = rate(together), rate(alone)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=30))
def test_interval_holds_the_value_and_repeats(pairs: list[tuple[int, int]]) -> None:
    counts = [Count(a, b, str(n)) for n, (a, b) in enumerate(pairs)]
    figure = rate(counts)
    assert rate(counts) == figure
    assert figure.low <= figure.high
    assert min(a / b for a, b in pairs) - 1e-9 <= figure.low
    assert figure.high <= max(a / b for a, b in pairs) + 1e-9


def test_coverage_is_about_95_percent() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(100):
        figure = mean(list(rng.normal(3, 1, 60)))
        hits += figure.low <= 3 <= figure.high
    assert 86 <= hits <= 100


def test_ratio_of_paired_rates() -> None:
    theirs = [Count(n % 4 + 1, 10, str(n)) for n in range(50)]
    ours = [Count(2 * count.part, 10, count.group) for count in theirs]
    figure = ratio(ours, theirs)
    assert figure.value == pytest.approx(2)
    assert figure.low == pytest.approx(2)  # perfectly paired
    with pytest.raises(ValueError, match="ratio"):
        ratio(ours, [Count(0, 10, "x")] * 50)


def test_percentile() -> None:
    figure = percentile(list(range(101)), 95)
    assert figure.value == 95
    assert figure.low < 95 <= figure.high


def test_nothing_is_no_figure() -> None:
    for counts in ([], [Count(0, 0, "s")]):
        with pytest.raises(ValueError, match="nothing"):
            rate(counts)
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 50)


def test_a_difference_is_paired_by_item() -> None:
    theirs = [Count(n % 7, 10, f"s{n % 15}") for n in range(60)]
    ours = [Count(count.part + 1, 10, count.group) for count in theirs]
    figure = difference(ours, theirs)
    assert figure.value == pytest.approx(0.1)
    assert figure.low == pytest.approx(0.1)  # every clip differs by the same: there is nothing to doubt
    assert figure.high == pytest.approx(0.1)
    assert difference(theirs[:8], theirs[:8]).over == "clips"
    with pytest.raises(ValueError, match="same items"):
        difference(ours[1:], theirs)
