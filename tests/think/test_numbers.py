"""Spoken numbers are read as they are written, and nothing that is said makes reading fail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.think import numbers
from step_audio_mini.think.units import split

pytestmark = pytest.mark.unit


@given(st.integers(0, 9999), st.sampled_from(["en", "zh"]))
def test_what_is_written_is_read_back(value: int, language: str) -> None:
    assert numbers.parse(split(numbers.write(value, language))) == value  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("forty two", 42), ("one hundred and five", 105), ("twenty one point five", 21.5), ("two and a half", 2.5),
        ("四十", 40), ("一百零二", 102), ("一百二", 120), ("两千零五", 2005), ("二十一点五", 21.5), ("21.5", 21.5),
    ],
)  # fmt: skip
def test_forms_people_use(said: str, value: float) -> None:
    assert numbers.parse(split(said)) == value


@pytest.mark.parametrize("said", ["three five", "lamp", "", "四十台灯", "point", "点"])
def test_other_words_are_no_number(said: str) -> None:
    assert numbers.parse(split(said)) is None


@given(st.lists(st.sampled_from(sorted(numbers.NUMBER_WORDS)), max_size=6))
def test_any_heap_of_number_words_is_read_or_refused(words: list[str]) -> None:
    value = numbers.parse(words)
    assert value is None or value >= 0
