"""Han text to pinyin as spoken: sandhi of third tones, of one and of not, weak syllables, phrases of an assistant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.text.hanzi import pronounce
from step_audio_mini.text.phones import pinyin_units

pytestmark = pytest.mark.unit


def said(text: str) -> str:
    return " ".join(syllable for word in pronounce(text) for syllable in word)


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("你好", "ni2 hao3"),
        ("展览馆", "zhan2 lan2 guan3"),
        ("一个", "yi2 ge4"),
        ("一天", "yi4 tian1"),
        ("第一", "di4 yi1"),
        ("十一点", "shi2 yi1 dian3"),
        ("看一看", "kan4 yi5 kan4"),
        ("不对", "bu2 dui4"),
        ("不好", "bu4 hao3"),
        ("好不好", "hao3 bu5 hao3"),
        ("一月一号", "yi1 yue4 yi1 hao4"),
        ("绿", "lv4"),
        ("了", "le5"),
        ("调到", "tiao2 dao4"),
        ("花儿", "hua1 er5"),
        ("女儿", "nv3 er2"),
        ("儿子", "er2 zi5"),
        ("打開燈", "da3 kai1 deng1"),
        ("", ""),
    ],
)
def test_spoken_tones(written: str, spoken: str) -> None:
    assert said(written) == spoken


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), max_size=12))
def test_every_syllable_has_units_and_no_third_tone_stands_before_another_in_a_word(text: str) -> None:
    for word in pronounce(text):
        assert all(pinyin_units(syllable) for syllable in word)
        assert "33" not in "".join(syllable[-1] for syllable in word)
