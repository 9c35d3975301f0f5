"""Reads numbers spoken in English or Mandarin, and writes them: slot values of number, duration and time rest on it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from step_audio_mini.types import Language

_SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_EN = {word: value for value, word in enumerate(_SMALL)} | {word: 10 * i for i, word in enumerate(_TENS) if i}
_EN_EXTRA = {"oh": 0, "a": 1, "an": 1}
_ZH = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "幺": 1, "俩": 2}
_ZH_SCALE = {"十": 10, "百": 100, "千": 1000, "万": 10000}
_DIGITS = re.compile(r"\d+(?:\.\d+)?")

NUMBER_WORDS = (
    frozenset(_EN) | frozenset(_ZH) | frozenset(_ZH_SCALE) | {"hundred", "thousand", "point", "点", "半", "half"}
)
"""Units a spoken number is made of, in both languages."""


def is_number_unit(unit: str) -> bool:
    """True where a unit can be part of a number."""
    return unit in NUMBER_WORDS or unit[:1].isdigit()


def parse(units: Sequence[str]) -> float | None:
    """Value of units that are one number and nothing else (`forty two`, `四十二`, `21.5`); None otherwise."""
    if not units:
        return None
    if len(units) == 1 and _DIGITS.fullmatch(units[0]):
        return float(units[0])
    words = [unit for unit in units if unit != "and"]
    if not words:
        return None
    reader = _chinese if all(w in _ZH or w in _ZH_SCALE or w in "点半" for w in words) else _english
    return reader(words)


def _english(words: Sequence[str]) -> float | None:
    if not words:
        return None
    if "point" in words:
        at = words.index("point")
        return _with_fraction(_english(words[:at]), [_EN.get(w) for w in words[at + 1 :]])
    if words[-1] == "half":
        whole = _english([w for w in words[:-1] if w != "a"]) if len(words) > 2 else 0.0
        return None if whole is None else whole + 0.5
    total = current = 0
    last = 1000
    for word in words:
        value = _EN.get(word, _EN_EXTRA.get(word))
        if value is not None:
            if value >= last or (last < 20):
                return None
            current, last = current + value, value if value else 1
        elif word == "hundred":
            current, last = max(current, 1) * 100, 100
        elif word == "thousand":
            total, current, last = total + max(current, 1) * 1000, 0, 1000
        else:
            return None
    return float(total + current)


def _chinese(words: Sequence[str]) -> float | None:
    if words and words[-1] == "半":
        whole = _chinese(words[:-1]) if len(words) > 1 else 0.0
        return None if whole is None else whole + 0.5
    if "点" in words:
        at = words.index("点")
        return _with_fraction(_chinese(words[:at]), [_ZH.get(w) for w in words[at + 1 :]]) if at else None
    if not words or "半" in words:
        return None
    if any(w in _ZH_SCALE for w in words):
        return _scaled(words)
    return float("".join(str(_ZH[w]) for w in words))


def _scaled(words: Sequence[str]) -> float | None:
    """一千二百零三, and 一百二 for 120."""
    total = current = 0
    scale = 100000
    for word in words:
        if word in _ZH_SCALE:
            if word == "万":
                total, current = (total + current) * 10000, 0
            else:
                total, current = total + (current or 1) * _ZH_SCALE[word], 0
            scale = _ZH_SCALE[word]
        elif current:
            return None
        else:
            current = _ZH[word]
            if not current:
                scale = 10
    # a last digit straight after a scale counts tenths of that scale
    return float(total + current * (scale // 10 if current and scale >= 100 else 1))


def _with_fraction(whole: float | None, digits: Sequence[int | None]) -> float | None:
    if whole is None or not digits or any(d is None or d > 9 for d in digits):
        return None
    return float(f"{int(whole)}.{''.join(str(d) for d in digits)}")


def write(value: float, language: Language) -> str:
    """A number below ten thousand as it is spoken; one digit after the point."""
    whole, tenth = int(value), round((value - int(value)) * 10)
    spoken = _write_chinese(whole) if language == "zh" else _write_english(whole)
    if not tenth:
        return spoken
    return f"{spoken}点{'零一二三四五六七八九'[tenth]}" if language == "zh" else f"{spoken} point {_SMALL[tenth]}"


def _write_english(value: int) -> str:
    if value < 20:
        return _SMALL[value]
    if value < 100:
        return _TENS[value // 10] + (f" {_SMALL[value % 10]}" if value % 10 else "")
    size, name = (100, "hundred") if value < 1000 else (1000, "thousand")
    rest = value % size
    return f"{_write_english(value // size)} {name}" + (f" {_write_english(rest)}" if rest else "")


def _write_chinese(value: int) -> str:
    digits = "零一二三四五六七八九"
    if value < 10:
        return digits[value]
    if value < 20:
        return "十" + (digits[value % 10] if value % 10 else "")
    for size, name in ((1000, "千"), (100, "百"), (10, "十")):
        if value >= size:
            rest = value % size
            gap = "零" if rest and rest < size // 10 else ""
            tail = _write_chinese(rest) if rest else ""
            if size >= 100 and 10 <= rest < 20:
                tail = "一" + tail
            return digits[value // size] + name + gap + tail
    return ""
