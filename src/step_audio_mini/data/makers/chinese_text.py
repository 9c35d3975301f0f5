"""Writes Chinese transcripts alike: simplified, digits spelled out, no punctuation, with lexical pinyin beside them."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from functools import cache
from typing import Any

from step_audio_mini.data.makers.draft import HAN


@cache
def _tools() -> tuple[Any, Any, Any]:
    """(traditional-to-simplified converter, cn2an, pypinyin with its large phrase table)."""
    import cn2an
    import pypinyin
    from opencc import OpenCC
    from pypinyin_dict.phrase_pinyin_data import large_pinyin

    large_pinyin.load()
    return OpenCC("t2s"), cn2an, pypinyin


def normalise(raw: str) -> tuple[str, str]:
    """(text without punctuation, text with it): simplified characters, digits spelled out."""
    convert, cn2an, _ = _tools()
    text = unicodedata.normalize("NFKC", raw) if re.search("[０-９Ａ-Ｚａ-ｚ]", raw) else raw
    if re.search(r"\d", text):
        with contextlib.suppress(ValueError):  # no number it knows: digit by digit then
            text = cn2an.transform(text, "an2cn")
        text = re.sub(r"\d", lambda digit: "零一二三四五六七八九"[int(digit[0])], text)
    punctuated = re.sub(r"\s+", " ", convert.convert(text)).strip()
    bare = re.sub(rf"(?<=[{HAN}]) +| +(?=[{HAN}])", "", without_marks(punctuated)).strip()
    return bare, punctuated


def pinyin(text: str) -> str:
    """Numbered lexical pinyin, space separated; tone 5 is neutral, `v` is ü, Latin words pass unchanged."""
    _, _, tool = _tools()
    syllables = tool.lazy_pinyin(
        text,
        style=tool.Style.TONE3,
        neutral_tone_with_five=True,
        v_to_u=False,
        errors=lambda rest: re.findall("[A-Za-z]+", rest),
    )
    return " ".join(s for s in syllables if re.search("[A-Za-zü]", s)).replace("ü", "v")


def jyutping(text: str) -> str:
    """Cantonese reading of traditional characters, space separated."""
    import ToJyutping

    return " ".join(reading for _, reading in ToJyutping.get_jyutping_list(text) if reading)


def syllable_characters(common: str) -> dict[str, str]:
    """Toned syllable -> the commonest character with that reading; `common` lists characters, most frequent first.

    A character's main reading counts before its other readings.
    """
    _, _, tool = _tools()
    rest = (chr(code) for code in range(0x4E00, 0x9FA6))
    ordered = list(dict.fromkeys([*common, *rest]))
    readings = [
        (character, tool.pinyin(character, style=tool.Style.TONE3, heteronym=True, neutral_tone_with_five=True)[0])
        for character in ordered
    ]
    best: dict[str, str] = {}
    for part in (slice(1), slice(1, None)):
        for character, spoken in readings:
            for syllable in spoken[part]:
                best.setdefault(syllable.replace("ü", "v"), character)
    return best


def is_pure(text: str) -> bool:
    """True for text that is not empty and has no Latin letters."""
    return bool(text) and not re.search("[A-Za-z]", text)


def without_marks(text: str) -> str:
    """Only characters, Latin letters, apostrophes and spaces of a text."""
    return re.sub(rf"[^{HAN}A-Za-z' ]", "", text)


def count_han(text: str) -> int:
    """Number of Chinese characters."""
    return len(re.findall(f"[{HAN}]", text))
