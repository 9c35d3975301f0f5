"""Written pieces against spoken words: nothing is heard before its sound, and nothing of the text is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.speak.wording import ends_of, pieces_of

pytestmark = pytest.mark.unit


def heard(written: str, spoken: list[str]) -> list[tuple[str, str]]:
    """Each written piece with what is said of it."""
    pieces, before, out = pieces_of(written), 0, []
    for piece, end in zip(pieces, ends_of(pieces, spoken), strict=True):
        out.append((piece, " ".join(spoken[before:end])))
        before = end
    return out


def test_what_is_spoken_as_written_ends_with_its_own_sound() -> None:
    assert heard("Hi — “it's” on. ", ["hi", "it's", "on"]) == [("Hi — ", "hi"), ("“it's” ", "it's"), ("on. ", "on")]
    assert heard("开灯了。", list("开灯了")) == [("开", "开"), ("灯", "灯"), ("了。", "了")]


def test_figures_and_signs_end_with_all_that_is_said_for_them() -> None:
    told = heard(
        "It's 21 °C at 40%, ok", ["it's", "twenty", "one", "degrees", "Celsius", "at", "forty", "percent", "ok"]
    )
    assert told == [
        ("It's ", "it's"),
        ("21 ", "twenty one degrees Celsius"),
        ("°C ", ""),
        ("at ", "at"),
        ("40%, ", "forty percent"),
        ("ok", "ok"),
    ]
    assert heard("调到40%了", list("调到百分之四十了"))[2:] == [("40%", "百 分 之 四 十"), ("了", "了")]


def test_of_equal_words_none_is_heard_too_early() -> None:
    assert ends_of(["one ", "1"], ["one", "one"]) == [2, 2]
    assert ends_of(["1 ", "one"], ["one", "one"]) == [1, 2]


@given(st.text(max_size=40), st.lists(st.sampled_from(["a", "b", "灯", "one"]), min_size=1, max_size=8))
def test_pieces_joined_are_the_text_and_ends_never_fall(written: str, spoken: list[str]) -> None:
    pieces = pieces_of(written)
    assert "".join(pieces) == written
    ends = ends_of(pieces, spoken)
    assert ends == sorted(ends)
    assert not ends or (ends[-1] == len(spoken) and ends[0] >= 0)
