"""Transcripts as one would write them: numbers, dates, times, units; other words stay."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from step_audio_mini.text.inverse import written_form

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("spoken", "written"),
    [
        ("set the light to twenty five percent", "set the light to 25 %"),
        ("two thousand twenty six", "2026"),
        ("wake me at seven thirty p m", "wake me at 07:30 p.m."),
        ("wait a second and then twenty seconds", "wait a second and then 20 s"),
        ("turn on the kitchen light", "turn on the kitchen light"),
        ("one of them", "one of them"),
        ("", ""),
        ("百分之二十五", "25%"),
        ("把客厅的灯调到百分之四十", "把客厅的灯调到40%"),
        ("把light调到百分之四十", "把light调到40%"),
        ("打开spotify and play track twenty two", "打开spotify and play track 22"),
        ("二零二六年十一月二十一号上午七点半", "2026年11月21号上午7点半"),
        ("三点一刻", "3点1刻"),
        ("三点一四", "3.14"),
        ("十三点十分三十六秒", "13点10分36秒"),
        ("晚上八点", "晚上8点"),
        ("三月份", "3月份"),
        ("把灯调亮一点", "把灯调亮一点"),
        ("一起去", "一起去"),
        ("十分之一", "1/10"),
    ],
)
def test_what_is_written(spoken: str, written: str) -> None:
    assert written_form(spoken) == written


PIECES = [*"一二十零点分半刻月日年百万之", "two", "ten", " percent", " point ", "a second"]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=20) | st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_is_written_somehow(text: str) -> None:
    assert isinstance(written_form(text), str)
