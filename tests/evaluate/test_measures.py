from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.evaluate.measures import (
    character_errors,
    edit_errors,
    phone_errors,
    slots_right,
    syllable_errors,
    variant_errors,
    word_errors,
)
from step_audio_mini.text.lexicon import Lexicon

pytestmark = pytest.mark.unit

ROWS = st.lists(st.sampled_from("ABC"), max_size=6)


@pytest.mark.parametrize(
    ("said", "heard", "count"),
    [
        ("Don't stop, Philip!", "don't stop philip", (0, 3)),
        ("one two three", "one too", (2, 3)),
        ("把灯打开", "把等打开了", (2, 4)),
        ("播放 Hello", "播放 yellow", (1, 3)),
        ("", "well", (1, 0)),
        ("well", "", (1, 1)),
    ],
)
def test_word_errors(said: str, heard: str, count: tuple[int, int]) -> None:
    assert word_errors(said, heard) == count


def test_character_errors_count_foreign_words_as_wrong() -> None:
    assert character_errors("你好。", "你 OK") == (1, 2)


@pytest.mark.parametrize(
    ("pinyin", "units", "count"),
    [
        ("ni3 hao3", ["n", "i3", "h", "ao3"], (0, 2)),
        ("ni3 hao3", ["n", "i2", "h", "ao4"], (0, 2)),
        ("ni3 hao3", ["n", "i3", "h"], (1, 2)),
        ("ni3 hao3", ["n", "h", "ao3"], (1, 2)),
        ("zhi1", ["z", "iz1"], (1, 1)),
        ("ni3 hao3", [], (2, 2)),
    ],
)
def test_syllable_errors(pinyin: str, units: list[str], count: tuple[int, int]) -> None:
    assert syllable_errors(pinyin, units) == count


def test_tones_count_where_asked_and_latin_words_drop_the_clip() -> None:
    assert syllable_errors("ni3 hao3", ["n", "i2", "h", "ao3"], tones=True) == (1, 2)
    assert syllable_errors("OK ba5", ["b", "a5"]) is None


def test_phone_errors_take_the_best_variant() -> None:
    lexicon = Lexicon({"the": (("DH", "AH0"), ("DH", "IY0")), "end": (("EH1", "N", "D"),)})
    assert phone_errors("The end.", ["DH", "IY", "EH", "N"], lexicon) == (1, 5)
    assert phone_errors("The zyzzyva", ["DH"], lexicon) is None
    assert phone_errors("...", [], lexicon) is None


@given(st.lists(st.lists(ROWS, min_size=1, max_size=3), min_size=1, max_size=3), ROWS)
def test_variant_errors_equal_trying_every_row(variants: list[list[list[str]]], units: list[str]) -> None:
    rows = [[phone for variant in choice for phone in variant] for choice in product(*variants)]
    assert variant_errors(variants, units) == min(edit_errors(row, units) for row in rows)


def test_slots_right_ignores_case_spaces_and_number_kinds() -> None:
    assert slots_right({"drink": "Flat White ", "shots": 2}, {"shots": 2.0, "drink": "flat white"})
    assert not slots_right({"drink": "latte"}, {"drink": "latte", "size": "large"})
    assert not slots_right({"drink": "latte"}, {"drink": "mocha"})
