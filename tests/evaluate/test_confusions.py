from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.data.packs import Clip
from step_audio_mini.evaluate.confusions import confusion_rows, confusions, units_said
from step_audio_mini.text.lexicon import Lexicon

pytestmark = pytest.mark.unit

LEXICON = Lexicon({"thin": (("TH", "IH1", "N"), ("T", "IH1", "N"))})
UNITS = st.lists(st.sampled_from(["TH", "S", "IH", "N"]), max_size=8)


def clip(text: str = "", pinyin: str = "", speaker: str = "s") -> Clip:
    return Clip("a", "p", "test", 1.0, "CC0", "x", text, pinyin, speaker, "zh" if pinyin else "en")


def test_only_what_is_taken_for_something_else_counts() -> None:
    assert confusions(["TH", "IH", "N"], ["S", "IH", "N"]) == {("TH", "S"): 1}
    assert confusions(["TH", "IH", "N"], []) == confusions([], ["S"]) == {}


@given(UNITS, UNITS)
def test_no_unit_is_taken_for_itself_nor_more_often_than_said(said: list[str], heard: list[str]) -> None:
    found = confusions(said, heard)
    assert all(one != other for one, other in found)
    assert all(sum(n for (one, _), n in found.items() if one == unit) <= said.count(unit) for unit in said)


def test_units_of_a_transcript() -> None:
    assert units_said(clip("Thin, thin."), LEXICON) == ["TH", "IH", "N"] * 2
    assert units_said(clip("thick"), LEXICON) is None
    assert units_said(clip(pinyin="ni3 hao3"), LEXICON) == ["n", "i", "h", "ao"]
    assert units_said(clip(pinyin="ni3 O.K."), LEXICON) is None


def test_rows_tell_the_commonest_first() -> None:
    heard = [(clip("thin thin"), ["S", "IH", "N", "S", "IH", "N"]), (clip("thin"), ["TH", "IH", "M"])]
    rows = confusion_rows([*heard, (clip("thick"), ["S"])], LEXICON, "all English packs")
    assert [(row.measure, round(row.value, 1), row.n) for row in rows] == [
        ("TH heard as S", 66.7, 2),
        ("N heard as M", 33.3, 2),
    ]
    assert confusion_rows([], LEXICON, "x") == []
