"""Text to clauses of phones: stress, tones, word edges, clause ends, raw phones, unknown words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.errors import UserError
from step_audio_mini.speak.frontend import ENDS, LONGEST_CLAUSE, SYMBOLS, TONES, Clause, Frontend
from step_audio_mini.text.lexicon import Lexicon

pytestmark = pytest.mark.unit


@pytest.fixture
def frontend() -> Frontend:
    entries = {"hello": "HH AH0 L OW1", "light": "L AY1 T", "yes": "Y EH1 S", "a": "AH0", "the": "DH AH0"}
    return Frontend(Lexicon({word: (tuple(phones.split()),) for word, phones in entries.items()}))


def shown(clause: Clause) -> str:
    marks = {0: "", 1: "<", 2: ">", 3: "<>"}
    return " ".join(
        SYMBOLS[phone] + ("" if TONES[tone] == "none" else f"/{TONES[tone]}") + marks[mark]
        for phone, tone, mark in zip(clause.phones, clause.tones, clause.marks, strict=True)
    )


def test_english_keeps_stress_apart_and_marks_words(frontend: Frontend) -> None:
    (clause,) = frontend.clauses("Hello light.")
    assert shown(clause) == ("<edge> HH< AH/unstressed L OW/primary> L< AY/primary T> <edge>")
    assert {ENDS[end] for end in clause.ends} == {"statement"}
    assert clause.language == "en"


def test_mandarin_keeps_tone_apart(frontend: Frontend) -> None:
    (clause,) = frontend.clauses("你好吗？")
    assert shown(clause) == "<edge> n< i/2 h ao/3> m< a/5> <edge>"
    assert {ENDS[end] for end in clause.ends} == {"question"}


def test_a_short_clause_waits_for_the_next_of_its_sentence(frontend: Frontend) -> None:
    (clause,) = frontend.clauses("Yes, hello.")
    assert shown(clause).count("<pause>") == 1
    before, after = ENDS[clause.ends[1]], ENDS[clause.ends[-1]]
    assert (before, after) == ("continuing", "statement")
    assert len(list(frontend.clauses("Hello hello hello hello, hello."))) == 2


def test_a_change_of_language_begins_a_clause(frontend: Frontend) -> None:
    assert [clause.language for clause in frontend.clauses("打开 light 吧")] == ["zh", "en", "zh"]


def test_initials_and_unknown_words_are_spelled(frontend: Frontend) -> None:
    (tv,) = frontend.clauses("TV")
    assert shown(tv) == "<edge> T< IY/primary> V< IY/primary> <edge>"
    assert len(next(frontend.clauses("xq")).phones) > 4
    assert "EY/primary" in shown(next(frontend.clauses("A股")))
    assert "AH/unstressed" in shown(next(frontend.clauses("A light")))


def test_raw_phones(frontend: Frontend) -> None:
    english, mandarin = frontend.clauses("[[HH AH0 ni3]]")
    assert shown(english) == "<edge> HH< AH/unstressed> <edge>"
    assert shown(mandarin) == "<edge> n< i/3> <edge>"
    with pytest.raises(UserError, match="QQ"):
        list(frontend.clauses("[[QQ]]"))


def test_text_without_sound_has_no_clause(frontend: Frontend) -> None:
    assert list(frontend.clauses("... , !")) == []


def test_endless_text_is_cut(frontend: Frontend) -> None:
    clauses = list(frontend.clauses("hello " * 500))
    assert max(len(clause.phones) for clause in clauses) <= LONGEST_CLAUSE + 2
    assert sum(len(clause.phones) - 2 for clause in clauses) == 2000


@given(st.text(alphabet="好吗你a lighthello,.!?。，TV 'é[]", max_size=40))
def test_clauses_are_well_formed(text: str) -> None:
    frontend = Frontend(Lexicon({"light": (("L", "AY1", "T"),)}))
    try:
        clauses = list(frontend.clauses(text))
    except UserError:
        return
    for clause in clauses:
        assert len(clause.phones) == len(clause.tones) == len(clause.marks) == len(clause.ends) > 2
        assert SYMBOLS[clause.phones[0]] == SYMBOLS[clause.phones[-1]] == "<edge>"
        assert min(clause.phones) > 0
        assert clause.marks.count(1) == clause.marks.count(2)
