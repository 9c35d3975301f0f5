"""Clauses come early, whole, and the same however the text was cut on its way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.serve.clauses import HARD, Clauses, speakable

pytestmark = pytest.mark.unit


def split(text: str, size: int = 1) -> list[str]:
    clauses = Clauses()
    found = [c for at in range(0, len(text), size) for c in clauses.push(text[at : at + size])]
    return found + clauses.end()


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("Paris is the capital. It is big!", ["Paris is the capital.", "It is big!"]),
        ("Pi is 3.14 or so. Yes.", ["Pi is 3.14 or so.", "Yes."]),
        ("Dr. Smith met J. R. Brown, e.g. there. Fine", ["Dr. Smith met J. R. Brown,", "e.g. there.", "Fine"]),
        ("It has 1,000,000 people, more than most. So", ["It has 1,000,000 people,", "more than most.", "So"]),
        ('He said "stop." Then left.', ['He said "stop."', "Then left."]),
        ("It costs 5. Then go.", ["It costs 5.", "Then go."]),
        ("So am I. You too.", ["So am I.", "You too."]),
        ("1. Boil water.\n2. Add tea.", ["1. Boil water.", "2. Add tea."]),
        ("- **Boil** water\n- `Add` tea", ["Boil water", "Add tea"]),
        ("巴黎是法国的首都。它很大！", ["巴黎是法国的首都。", "它很大！"]),
        ("他说：“停下。”然后走了。", ["他说：“停下。”", "然后走了。"]),
        ("巴黎是法国的首都，人口很多，也很美。", ["巴黎是法国的首都，", "人口很多，也很美。"]),
        ("Wow... 真的？OK。", ["Wow...", "真的？", "OK。"]),
        ("好。", ["好。"]),
        ("...", []),
        ("😀", []),
        ("", []),
    ],
)
def test_where_clauses_end(text: str, clauses: list[str]) -> None:
    assert split(text) == clauses


def test_the_first_clause_is_there_before_the_second_begins() -> None:
    clauses = Clauses()
    assert clauses.push("Well, the answer is simple,") == []
    assert clauses.push(" b") == ["Well, the answer is simple,"]
    assert clauses.push("ut long. 好") == ["but long."]


TEXT = st.text(alphabet=st.sampled_from([*'ab 3.,!?；，。："”）\n*[]-Dr', "是", "\x1b", "😀"]), max_size=120)


@given(TEXT, st.integers(1, 9))
def test_pieces_do_not_matter_and_no_word_is_lost(text: str, size: int) -> None:
    assert split(text, size) == split(text)
    said = "".join(c for clause in split(text) for c in clause if c.isalnum())
    assert all(map(speakable, split(text)))
    assert said in ("".join(c for c in text if c.isalnum()),)


@given(st.text(alphabet="ab是", min_size=500, max_size=900))
def test_endless_words_are_cut(text: str) -> None:
    assert max(map(len, split(text))) <= HARD


@given(st.text(max_size=80))
def test_what_is_spoken_is_plain(text: str) -> None:
    said = speakable(text)
    assert not set(said) & set("[]*`\n\x00\x1b")
    assert speakable(said) == said or not said
