"""Durations, times of day and dates: read from spoken units, written for replies, drawn for sentences."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from step_audio_mini.think.numbers import parse, write
from step_audio_mini.types import Language

_SECONDS = {
    "hour": 3600, "hours": 3600, "minute": 60, "minutes": 60, "min": 60, "mins": 60, "second": 1, "seconds": 1,
    "小时": 3600, "钟头": 3600, "分钟": 60, "分": 60, "秒钟": 1, "秒": 1,
}  # fmt: skip
_HALF_HOURS = {
    "half an hour": 1800, "a half hour": 1800, "half hour": 1800, "半小时": 1800, "半个小时": 1800, "半个钟头": 1800,
    "半分钟": 30, "half a minute": 30, "一刻钟": 900, "三刻钟": 2700, "a quarter of an hour": 900,
}  # fmt: skip
_EN_PART = re.compile(r"(?:(.+?) )?(hours?|minutes?|mins?|seconds?)(?: and (a half|a quarter))?(?: and | |$)")
_ZH_PART = re.compile(r"(.+?)(个半小时|个半钟头|个小时|个钟头|小时|钟头|分半钟|分半|分钟|分|秒钟|秒)(半)?[零又]?")
MAX_SECONDS = 24 * 3600


def parse_duration(units: Sequence[str]) -> int | None:
    """Seconds of units that are one duration and nothing else, 1 s to a day; None otherwise."""
    han = any(not u.isascii() for u in units)
    text = ("" if han else " ").join(units)
    if text in _HALF_HOURS:
        return _HALF_HOURS[text]
    pattern, at, total = (_ZH_PART if han else _EN_PART), 0, 0.0
    while at < len(text):
        found = pattern.match(text, at)
        if not found:
            return None
        seconds = _part_seconds(found, han)
        if seconds is None:
            return None
        total, at = total + seconds, found.end()
    return round(total) if 1 <= total <= MAX_SECONDS else None


def _part_seconds(found: re.Match[str], han: bool) -> float | None:
    count, unit, tail = found.groups()
    if han:
        number = parse(_cut(count.removesuffix("个")))
        half = 0.5 if "半" in unit or tail else 0.0
        unit = unit.replace("个", "").replace("半", "")
    else:
        number = parse(count.split()) if count else None
        if number is None and count in ("a", "an", "one"):
            number = 1.0
        half = {"a half": 0.5, "a quarter": 0.25}.get(tail, 0.0)
    return None if number is None else (number + half) * _SECONDS[unit]


def _cut(text: str) -> list[str]:
    return re.findall(r"\d+(?:\.\d+)?|.", text)


def write_duration(seconds: int, language: Language) -> str:
    """A duration with its numbers as digits: `1 hour 5 minutes`, `1小时5分钟`."""
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    if language == "zh":
        names = ((hours, "小时"), (minutes, "分钟"), (rest, "秒"))
        return "".join(f"{n}{name}" for n, name in names if n) or "0秒"
    names = ((hours, "hour"), (minutes, "minute"), (rest, "second"))
    return " ".join(f"{n} {name}{'s' if n != 1 else ''}" for n, name in names if n) or "0 seconds"


def draw_duration(language: Language, rng: random.Random) -> tuple[str, int]:
    """(spoken form, seconds) of a likely duration."""
    seconds = rng.choice([10, 20, 30, 45, 60, 90, 1800, 3600, 5400, 7200, *(60 * n for n in range(1, 61))])
    if rng.random() < 0.12:
        seconds = 3600 * rng.randint(1, 5) + 60 * rng.choice([5, 10, 15, 20, 30, 40, 45])
    said = _say_duration(seconds, language)
    if seconds in (1800, 5400, 90) and rng.random() < 0.7:
        halves = {
            1800: {"en": ["half an hour", "a half hour"], "zh": ["半小时", "半个小时", "半个钟头"]},
            5400: {"en": ["an hour and a half", "one and a half hours"], "zh": ["一个半小时", "一个半钟头"]},
            90: {"en": ["a minute and a half", "one and a half minutes"], "zh": ["一分半钟", "一分半"]},
        }
        said = rng.choice(halves[seconds][language])
    return said, seconds


def _say_duration(seconds: int, language: Language) -> str:
    digits = write_duration(seconds, language).replace("小时", "个小时")
    if language == "zh":
        digits = re.sub(r"(?<!\d)2(?=个|分|秒)", "两", digits)
    return re.sub(r"\d+", lambda n: write(int(n.group()), language), digits)


# times of day

_ZH_DAY = {
    "凌晨": 0,
    "清晨": 0,
    "早上": 0,
    "早晨": 0,
    "上午": 0,
    "中午": 12,
    "下午": 12,
    "傍晚": 12,
    "晚上": 12,
    "夜里": 12,
    "今晚": 12,
    "明早": 0,
}
_ZH_TIME = re.compile(
    rf"({'|'.join(_ZH_DAY)})?(.+?)(?:点钟|点整|点|:)(半|一刻|三刻|零?[\d一二三四五六七八九十〇零]+分?)?$"
)
_EN_HALF_DAY = re.compile(r" ?(?:(a ?m|p ?m)|in the (morning|afternoon|evening)|at (night)|o'clock)$")
_EN_PAST = re.compile(r"(?:(half|quarter|a quarter|[a-z]+(?: [a-z]+)?)(?: minutes)? (past|to|after) )(.+)$")


def parse_time(units: Sequence[str]) -> str | None:
    """`HH:MM` of units that are one time of day and nothing else; None otherwise."""
    han = any(not u.isascii() for u in units)
    found = _chinese_time("".join(units)) if han else _english_time(" ".join(units))
    if found is None:
        return None
    hour, minute = found
    return f"{hour:02d}:{minute:02d}" if 0 <= hour <= 24 and 0 <= minute < 60 else None


def _chinese_time(text: str) -> tuple[int, int] | None:
    found = _ZH_TIME.match(text)
    if not found:
        return {"中午": (12, 0), "半夜": (0, 0), "午夜": (0, 0)}.get(text)
    day, hour_text, minute_text = found.groups()
    hour = parse(_cut(hour_text))
    minute = {None: 0, "半": 30, "一刻": 15, "三刻": 45}.get(minute_text)
    if minute is None:
        minute = parse(_cut(minute_text.removesuffix("分")))  # type: ignore[assignment]
    if hour is None or minute is None or hour != int(hour):
        return None
    return _half_day(int(hour), _ZH_DAY.get(day, 0) if day else None), int(minute)


def _english_time(text: str) -> tuple[int, int] | None:
    if text in ("noon", "midday", "midnight"):
        return (0 if text == "midnight" else 12), 0
    offset: int | None = None
    while tail := _EN_HALF_DAY.search(text):
        text = text[: tail.start()]
        if tail.group(1) or tail.group(2) or tail.group(3):
            offset = 0 if (tail.group(1) or "p").startswith("a") or tail.group(2) == "morning" else 12
    minutes = 0
    if past := _EN_PAST.match(text):
        word, direction, text = past.groups()
        amount = {"half": 30.0, "quarter": 15.0, "a quarter": 15.0}.get(word) or parse(word.split())
        if amount is None:
            return None
        minutes = int(amount) if direction != "to" else -int(amount)
    hour, minute = _hour_and_minute(text.split())
    if hour is None:
        return None
    total = hour * 60 + minute + minutes
    return _half_day(total // 60, offset), total % 60


def _hour_and_minute(words: list[str]) -> tuple[int | None, int]:
    if len(words) == 1 and re.fullmatch(r"\d{1,2}[:.]\d\d", words[0]):
        hour, minute = re.split(r"[:.]", words[0])
        return int(hour), int(minute)
    # the hour is one word, except for twenty one ... twenty three; the shortest reading that leaves minutes wins
    for length in (1, 2):
        hour = parse(words[:length]) if len(words) >= length and words[0] not in ("a", "an") else None
        rest = [w for w in words[length:] if w not in ("oh", "o")]
        minute = parse(rest) if rest else 0.0
        split_twenty = length == 1 and words[:1] == ["twenty"] and len(words) == 2 and (minute or 0) < 10
        if hour is not None and minute is not None and hour <= 24 and minute < 60 and not split_twenty:
            return int(hour), int(minute)
    return None, 0


def _half_day(hour: int, offset: int | None) -> int:
    if offset == 12 and hour < 12:
        return hour + 12
    return 0 if offset == 0 and hour == 12 else hour


def write_time(value: str, language: Language) -> str:
    """`HH:MM` for a reply: `7:30 a.m.`, `早上7点30分`."""
    hour, minute = (int(part) for part in value.split(":"))
    if language == "zh":
        day = (
            "凌晨"
            if hour < 5
            else "早上"
            if hour < 9
            else "上午"
            if hour < 12
            else "中午"
            if hour < 13
            else "下午"
            if hour < 18
            else "晚上"
        )
        return f"{day}{hour if hour <= 12 else hour - 12}点" + (f"{minute}分" if minute else "")
    clock = f"{(hour - 1) % 12 + 1}" + (f":{minute:02d}" if minute else "")
    return f"{clock} {'a.m.' if hour % 24 < 12 else 'p.m.'}"


def draw_time(language: Language, rng: random.Random) -> tuple[str, str]:
    """(spoken form, `HH:MM`) of a likely time of day; without a half of the day it is the one before noon."""
    hour, minute = rng.randint(1, 12), rng.choice([0, 0, 0, 30, 30, 15, 45, 5, 10, 20, 25, 40, 50, 55])
    said = _zh_clock(hour, minute, rng) if language == "zh" else _en_clock(hour, minute, rng)
    value = parse_time(_cut(said) if language == "zh" else said.split())
    return said, value or f"{hour:02d}:{minute:02d}"


def _zh_clock(hour: int, minute: int, rng: random.Random) -> str:
    number = "两" if hour == 2 else write(hour, "zh")
    tail = {
        0: rng.choice(["", "", "钟", "整"]),
        30: rng.choice(["半", "三十", "三十分"]),
        15: rng.choice(["一刻", "十五", "十五分"]),
    }.get(minute)
    if tail is None:
        tail = ("零" if minute < 10 else "") + write(minute, "zh") + rng.choice(["", "分"])
    days = ["早上", "上午", "早晨"] if 5 <= hour <= 11 else ["中午"] if hour == 12 else ["下午", "凌晨"]
    if 5 <= hour <= 11:
        days += ["晚上"]
    return (rng.choice(days) if rng.random() < 0.65 else "") + f"{number}点{tail}"


def _en_clock(hour: int, minute: int, rng: random.Random) -> str:
    name, after = write(hour, "en"), write(hour % 12 + 1, "en")
    said = {0: rng.choice([name, f"{name} o'clock"]), 30: rng.choice([f"{name} thirty", f"half past {name}"])}.get(
        minute
    )
    if said is None:
        digits = ("oh " if minute < 10 else "") + write(minute, "en")
        spoken = {15: "quarter", 45: "quarter"}.get(minute, write(min(minute, 60 - minute), "en"))
        relative = f"{spoken} past {name}" if minute < 30 else f"{spoken} to {after}"
        said = f"{name} {digits}" if rng.random() < 0.6 or minute in (25, 40) else relative
    if rng.random() < 0.6:
        said += rng.choice([" a m", " p m", " am", " pm", " in the morning", " in the evening"])
    return said


# dates

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DATES = {
    "today": "today", "tonight": "today", "tomorrow": "tomorrow", "the day after tomorrow": "day after tomorrow",
    "今天": "today", "今晚": "today", "明天": "tomorrow", "明早": "tomorrow", "后天": "day after tomorrow",
} | {day: day for day in WEEKDAYS}  # fmt: skip
_ZH_WEEK = dict(zip("一二三四五六日", WEEKDAYS, strict=True)) | {"天": "sunday"}
_ZH_DATES = {"today": "今天", "tomorrow": "明天", "day after tomorrow": "后天"} | {
    day: "星期" + char for char, day in zip("一二三四五六日", WEEKDAYS, strict=True)
}


def parse_date(units: Sequence[str]) -> str | None:
    """`today`, `tomorrow`, `day after tomorrow` or a weekday; None for anything else."""
    text = "".join(units) if any(not u.isascii() for u in units) else " ".join(units)
    text = text.removeprefix("on ").removeprefix("this ").removeprefix("next ")
    found = re.fullmatch(r"[这下]?个?(?:星期|周|礼拜)([一二三四五六日天])", text)
    return _ZH_WEEK[found.group(1)] if found else _DATES.get(text)


def write_date(value: str, language: Language) -> str:
    """A date for a reply: `Monday`, `星期一`."""
    if language == "zh":
        return _ZH_DATES.get(value, value)
    return value.capitalize() if value in WEEKDAYS else value


def draw_date(language: Language, rng: random.Random) -> tuple[str, str]:
    """(spoken form, value) of a date."""
    if language == "zh":
        said = rng.choice(
            ["今天", "明天", "明天", "后天", rng.choice(["星期", "周", "礼拜"]) + rng.choice("一二三四五六日")]
        )
        return said, parse_date(_cut(said)) or said
    said = rng.choice(["today", "tomorrow", "tomorrow", "the day after tomorrow", rng.choice(WEEKDAYS)])
    return said, parse_date(said.split()) or said
