"""Spoken words back to written text: `twenty five percent` is `25 %`, 百分之二十五 is `25%`.

The grammars are wetext's; what stands here is the choice of grammar in mixed text, and Chinese dates and times of day,
which its grammar writes in the American way (`2026/11/21`, `7:30a.m.`) or takes for decimals (三点一刻 for 3.1).
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from step_audio_mini.types import Language

_HAN_RUN = re.compile(r"([\u3400-\u9fff\uf900-\ufaff\u3007\U00020000-\U0003ffff]+)")
_DIGITS = "零一二三四五六七八九"
_DIGIT = {digit: value for value, digit in enumerate(_DIGITS)} | {"〇": 0, "两": 2}
_N = r"[二三四五六七八九]?十[一二三四五六七八九]?|[零〇一二两三四五六七八九]"
_MINUTE = rf"零[一二三四五六七八九]|{_N}"
_DATE = rf"(?:(?P<year>[零〇一二三四五六七八九]{{4}})年)?(?P<month>{_N})月(?:份|(?P<day>{_N})(?P<sign>[日号]))?"
_TIME = (
    rf"(?P<hour>{_N})点(?:(?P<half>半)|(?P<quarter>[一三])刻|(?P<minute>{_MINUTE})分(?!之)(?:(?P<second>{_MINUTE})秒)?"
    rf"|(?P<tens>[二三四五]?十[一二三四五六七八九]?)|(?P<sharp>[钟整]))"
)
_BARE_HOUR = r"(?<=午|上|早|晨|晚)(?P<alone>" + _N + r")点(?![零〇一二两三四五六七八九十点])"
_MOMENT = re.compile(r"\b((?:a|one|per|every|split) second)\b")
"""A second that is no ordinal; the grammar would write `a 2nd`."""
_OURS = re.compile(f"{_DATE}|{_TIME}|{_BARE_HOUR}")


def written_form(text: str) -> str:
    """The text of a transcript as one would write it; what holds no number, unit or address stays as it is."""
    return "".join(_mandarin(run) if _HAN_RUN.fullmatch(run) else _english(run) for run in _HAN_RUN.split(text))


def _english(run: str) -> str:
    return "".join(part if _MOMENT.fullmatch(part) else _spaced(part) for part in _MOMENT.split(run))


def _spaced(run: str) -> str:
    """The run through the grammar, with the spaces around it that the grammar would drop."""
    inner = run.strip()
    return run.replace(inner, _grammar(inner, "en")) if inner else run


def _mandarin(run: str) -> str:
    out, place = [], 0
    for found in _OURS.finditer(run):
        out += [_grammar(run[place : found.start()], "zh"), _date_or_time(found)]
        place = found.end()
    return "".join([*out, _grammar(run[place:], "zh")])


def _date_or_time(found: re.Match[str]) -> str:
    """Its numbers in digits, its signs as they were said."""
    part = found.groupdict()
    if part["month"]:
        year = "".join(str(_DIGIT[digit]) for digit in part["year"]) + "年" if part["year"] else ""
        end = f"{_number(part['day'])}{part['sign']}" if part["day"] else "份" if found[0].endswith("份") else ""
        return f"{year}{_number(part['month'])}月{end}"
    if part["alone"]:
        return f"{_number(part['alone'])}点"
    rest = part["half"] or part["sharp"] or ""
    if part["quarter"]:
        rest = f"{_number(part['quarter'])}刻"
    elif minute := part["minute"] or part["tens"]:
        rest = f"{_number(minute):02d}" + ("分" if part["minute"] else "")
        rest += f"{_number(part['second']):02d}秒" if part["second"] else ""
    return f"{_number(part['hour'])}点{rest}"


def _number(said: str) -> int:
    """A number below a hundred: 二十一 is 21, 零五 is 5."""
    tens, ten, ones = said.rpartition("十")
    if not ten:
        return _DIGIT[said[-1]]
    return 10 * (_DIGIT[tens] if tens else 1) + (_DIGIT[ones] if ones else 0)


def _grammar(run: str, language: Language) -> str:
    if not run:
        return run
    try:
        written: str = _normaliser(language).normalize(run)
    except AssertionError:  # a sign that the grammar does not know
        return run
    return written.strip()


@cache
def _normaliser(language: Language) -> Any:
    import wetext  # late: the grammars cost 0.3 s and 50 MB

    return wetext.Normalizer(lang=language, operator="itn")
