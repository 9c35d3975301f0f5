"""The joint alphabet: sizes, decomposition of pinyin, pairing back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.text.phones import (
    BLANK,
    FINALS,
    INITIALS,
    PHONES,
    UNIT_INDEX,
    UNITS,
    pinyin_units,
    strip_stress,
    toneless,
    units_syllables,
)

pytestmark = pytest.mark.unit


def test_alphabet_has_no_doubles_and_blank_first() -> None:
    assert UNITS[0] == BLANK
    assert len(PHONES) == 39
    assert len(INITIALS) == 21
    assert len(set(UNITS)) == len(UNITS) == 1 + 39 + 21 + 5 * len(FINALS)
    assert UNITS[UNIT_INDEX["ei1"]] == "ei1"


@pytest.mark.parametrize(
    ("syllable", "units"),
    [
        ("lei1", "l ei1"), ("ya1", "ia1"), ("wo3", "uo3"), ("yu2", "v2"), ("zhi4", "zh ih4"), ("zi5", "z iz5"),
        ("ri4", "r ih4"), ("ji4", "j i4"), ("xue2", "x ve2"), ("lve4", "l ve4"), ("nü3", "n v3"), ("lu4", "l u4"),
        ("qiong2", "q iong2"), ("xiu1", "x iou1"), ("gui4", "g uei4"), ("jun1", "j vn1"), ("lun2", "l uen2"),
        ("bo1", "b uo1"), ("weng1", "ong1"), ("er2", "er2"), ("r5", "er5"), ("dianr3", "d ian3 er5"),
        ("ng2", "eng2"), ("hm5", "h en5"), ("m2", "m en2"), ("n2", "en2"), ("ma", "m a5"), ("yuan2", "van2"),
        ("shuang3", "sh uang3"), ("zhei4", "zh ei4"), ("lo5", "l uo5"), ("war2", "ua2 er5"),
    ],
)  # fmt: skip
def test_pinyin(syllable: str, units: str) -> None:
    assert pinyin_units(syllable) == tuple(units.split())
    assert all(unit in UNIT_INDEX for unit in pinyin_units(syllable))


@pytest.mark.parametrize("bad", ["", "hello1", "x", "zh4", "ma7", "T", "1"])
def test_what_is_no_syllable_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"pinyin|tone"):
        pinyin_units(bad)


def test_pairing_marks_orphans() -> None:
    units = "l ei1 ia1 sh b a4 K er5 m"
    assert units_syllables(units.split()) == ("lei1", "ia1", "sh?", "ba4", "K?", "er5", "m?")
    assert units_syllables(["l", "ei1"], tones=False) == ("lei",)


syllables = st.lists(
    st.sampled_from([(i, f + t) for i in INITIALS for f in FINALS for t in "125"] + [(f + "3",) for f in FINALS])
)


@given(syllables)
def test_pairing_undoes_splitting(pairs: list[tuple[str, ...]]) -> None:
    flat = [unit for pair in pairs for unit in pair]
    assert units_syllables(flat) == tuple("".join(pair) for pair in pairs)


def test_stress_and_tone_strip() -> None:
    assert strip_stress(("HH", "AH0", "L", "OW1", "ei1")) == ("HH", "AH", "L", "OW", "ei1")
    assert toneless("ei1") == "ei"
    assert toneless("K") == "K"
