"""Nothing that a test speaker reads is learnt, wherever the book cuts its sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.text.lexicon import words
from step_audio_mini.train.leaks import CHINESE_RUN, ENGLISH_RUN, Reserved, read_sources, without_leaks

pytestmark = pytest.mark.unit

SAID = "it was a bright cold day in april and the clocks"
LINE = "中国共产党第十九次全国代表大会"


@given(st.integers(0, 5), st.integers(ENGLISH_RUN, 9), st.lists(st.sampled_from(["now", "then"]), max_size=3))
def test_no_part_of_a_transcript_stays(start: int, length: int, around: list[str]) -> None:
    part = words(SAID)[start : start + length]
    tokens = (*around, *part, *around)
    assert len(part) < ENGLISH_RUN or Reserved([SAID]).shared(tokens)
    assert not Reserved([SAID]).shared((*around, *part[: ENGLISH_RUN - 1], "here", *part[: ENGLISH_RUN - 1]))


def test_chinese_runs_are_of_characters() -> None:
    reserved = Reserved([LINE])
    assert reserved.shared(words("召开" + LINE[2 : 2 + CHINESE_RUN]))
    assert not reserved.shared(words("召开" + LINE[: CHINESE_RUN - 1] + "日"))


def test_a_short_transcript_bars_only_its_equal() -> None:
    reserved = Reserved(["Turn it off."])
    assert reserved.shared(words("turn it off"))
    assert not reserved.shared(words("turn it off please"))


def test_the_book_that_was_read_goes_whole() -> None:
    rows = [("A/Read", words(SAID), 1.0), ("A/Read", words("something else"), 1.0), ("B/Other", words("fine"), 1.0)]
    reserved = Reserved([SAID])
    assert [" ".join(tokens) for tokens, _ in without_leaks(rows, reserved, many=3)] == ["fine"]
    assert len(list(without_leaks(rows, reserved, many=300))) == 2
    assert read_sources({"a": [("x",), ("x",)], "b": [("x",), ("y",)]}, many=2) == {"b"}
