"""Durations, times and dates are read as they are said."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.think import times
from step_audio_mini.think.units import split

pytestmark = pytest.mark.unit
_EN = "one two twenty a an half past to quarter point and oh o'clock am in the morning hour minutes 7:30 12"
_WORDS = [*_EN.split(), *"点半分一十两早上零刻钟个", "小时"]


@given(st.integers(0, 10**9), st.sampled_from(["en", "zh"]))
def test_what_is_drawn_is_read_back(seed: int, language: str) -> None:
    rng = random.Random(seed)
    for draw, parse in (
        (times.draw_duration, times.parse_duration),
        (times.draw_time, times.parse_time),
        (times.draw_date, times.parse_date),
    ):
        said, value = draw(language, rng)  # type: ignore[arg-type]
        assert parse(split(said)) == value


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("an hour and a half", 5400), ("ninety seconds", 90), ("two hours and ten minutes", 7800), ("5 minutes", 300),
        ("half an hour", 1800), ("两个小时零五分", 7500), ("一个半小时", 5400), ("三十秒", 30), ("20分钟", 1200),
    ],
)  # fmt: skip
def test_durations(said: str, seconds: int) -> None:
    assert times.parse_duration(split(said)) == seconds


@pytest.mark.parametrize(
    ("said", "time"),
    [
        ("7:30", "07:30"), ("quarter to nine pm", "20:45"), ("half past six in the morning", "06:30"),
        ("noon", "12:00"),
        ("twelve am", "00:00"), ("晚上十点", "22:00"), ("早上7点半", "07:30"), ("下午三点零五分", "15:05"),
    ],
)  # fmt: skip
def test_times(said: str, time: str) -> None:
    assert times.parse_time(split(said)) == time


@given(st.lists(st.sampled_from(_WORDS), max_size=6))
def test_nothing_that_is_said_makes_reading_fail(words: list[str]) -> None:
    for parse in (times.parse_time, times.parse_duration, times.parse_date):
        parse(words)


def test_replies_say_times_and_durations() -> None:
    assert times.write_time("07:30", "en") == "7:30 a.m."
    assert times.write_time("20:00", "zh") == "晚上8点"
    assert times.write_duration(3900, "en") == "1 hour 5 minutes"
    assert times.write_date("monday", "zh") == "星期一"
