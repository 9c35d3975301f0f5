from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.data.buckets import Buckets
from step_audio_mini.errors import UserError

pytestmark = pytest.mark.unit

CLIPS = st.lists(st.tuples(st.integers(1, 100), st.sampled_from("abc")), min_size=1, max_size=80)


def buckets(clips: list[tuple[int, str]], temperature: float = 1.0, seed: int = 0, budget: int = 200) -> Buckets:
    lengths, packs = zip(*clips, strict=True)
    return Buckets(lengths, packs, budget, longest=100, temperature=temperature, seed=seed)


def epoch(b: Buckets, number: int) -> list[int]:
    step, out = 0, []
    while b.epoch_of(step) <= number:
        if b.epoch_of(step) == number:
            out += b.batch(step)
        step += 1
    return out


@given(CLIPS, st.integers(0, 99))
def test_temperature_one_gives_every_clip_once_an_epoch(clips: list[tuple[int, str]], seed: int) -> None:
    b = buckets(clips, seed=seed)
    for number in range(3):
        assert sorted(epoch(b, number)) == list(range(len(clips)))


@given(CLIPS, st.floats(0, 1), st.integers(0, 99))
def test_a_batch_keeps_to_the_budget(clips: list[tuple[int, str]], temperature: float, seed: int) -> None:
    b = buckets(clips, temperature, seed)
    for step in range(20):
        batch = b.batch(step)
        assert batch
        assert len(batch) * max(clips[index][0] for index in batch) <= 200


@given(CLIPS, st.floats(0, 1), st.lists(st.integers(0, 60), min_size=1, max_size=10))
def test_a_step_gives_the_same_batch_whatever_was_asked_before(
    clips: list[tuple[int, str]], temperature: float, steps: list[int]
) -> None:
    walked = buckets(clips, temperature)
    in_order = [walked.batch(step) for step in range(61)]
    resumed = buckets(clips, temperature)
    for step in steps:
        assert resumed.batch(step) == in_order[step]


def test_seeds_and_epochs_differ() -> None:
    clips = [(n % 50 + 1, "a") for n in range(200)]
    assert epoch(buckets(clips), 0) != epoch(buckets(clips, seed=1), 0)
    assert epoch(buckets(clips), 0) != epoch(buckets(clips), 1)


def test_small_packs_are_drawn_more_at_low_temperature() -> None:
    clips = [(50, "big")] * 900 + [(50, "small")] * 100
    for temperature, share in ((1.0, 0.1), (0.5, 0.25), (0.0, 0.5)):
        drawn = epoch(buckets(clips, temperature), 0)
        assert len(drawn) == pytest.approx(1000, abs=2)
        assert np.mean([index >= 900 for index in drawn]) == pytest.approx(share, abs=0.01)


def test_no_clip_is_starved() -> None:
    clips = [(50, "big")] * 90 + [(50, "small")] * 10
    b = buckets(clips, 0.5)  # 75 of 90 an epoch
    seen = Counter(index for number in range(6) for index in epoch(b, number))
    counts = [seen[index] for index in range(90)]
    assert max(counts) - min(counts) <= 1
    assert min(counts) >= 4


def test_padding_is_small() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(50, 1600, 5000)
    b = Buckets(lengths, ["a"] * 5000, 6000, longest=1600, temperature=1.0)
    paid = useful = 0
    for step in range(300):
        batch = lengths[b.batch(step)]
        paid, useful = paid + len(batch) * batch.max(), useful + batch.sum()
    assert useful / paid > 0.85


def test_clips_outside_the_limits_are_left_out() -> None:
    b = Buckets([5, 50, 500, 1500], ["a"] * 4, 1000, shortest=10, longest=2000, temperature=1.0)
    assert sorted(epoch(b, 0)) == [1, 2]
    with pytest.raises(UserError, match="no clip"):
        Buckets([5], ["a"], 1000, shortest=10, longest=2000)
