"""Sounds that users write: known words, pinyin, phones; what is none of them is named in one line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.errors import UserError
from step_audio_mini.text.phones import FINALS, INITIALS, PHONES, UNIT_INDEX
from step_audio_mini.text.sounds_like import sounds

pytestmark = pytest.mark.unit

KNOWN = {
    "sea": (("S", "IY1"),),
    "shaw": (("SH", "AO1"), ("SH", "AA1")),
    "早": (("z", "ao3"),),
    "银行": (("in2", "h", "ang2"),),
}


def pronounce(word: str) -> tuple[tuple[str, ...], ...]:
    return KNOWN.get(word, ())


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("sea shaw", ["S IY SH AO"]),
        ("Sea-Shaw", ["S IY SH AO"]),
        ("SH IH1 V AO N", ["SH IH V AO N"]),
        ("xiao3 mi3", ["x iao3 m i3"]),
        ("lü4", ["l v4"]),
        ("银行 早", ["in2 h ang2 z ao3"]),
        ("sea mi3 SH", ["S IY m i3 SH"]),
        ("sea | S EY | sea", ["S IY", "S EY"]),
    ],
)
def test_units_of_a_description(text: str, units: list[str]) -> None:
    assert [" ".join(variant) for variant in sounds(text, pronounce)] == units


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty"),
        ("sea |", "empty"),
        ("SH ZZ", "ZZ is no phone"),
        ("blorp3", "no pinyin syllable"),
        ("sea horse", "'horse'"),
        ("sea 42", "'42'"),
        ("…", "no sound"),
        ("sea " * 60, "too long"),
    ],
)
def test_what_cannot_be_said_is_named(text: str, told: str) -> None:
    with pytest.raises(UserError, match=told) as error:
        sounds(text, pronounce)
    assert "\n" not in str(error.value)


@given(
    st.text(max_size=40) | st.lists(st.sampled_from([*PHONES, *INITIALS, *FINALS, "xiao3", "|", "sea"])).map(" ".join)
)
def test_any_text_gives_units_or_one_line(text: str) -> None:
    try:
        found = sounds(text, pronounce)
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert found
        assert all(variant and all(unit in UNIT_INDEX for unit in variant) for variant in found)
