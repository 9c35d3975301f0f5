"""Turns what was said into slot values and values into words: exact first, then the nearest listed value by sound."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from step_audio_mini.think import numbers, times
from step_audio_mini.think.pack import Pack, SlotType
from step_audio_mini.think.sentences import Templates
from step_audio_mini.think.units import is_han, join, split
from step_audio_mini.types import Language, SlotValue

NEAR = 0.7
"""Least similarity (0..1) at which a listed value is taken for what was said."""
MAX_TEXT_UNITS = 30
_IDLE_BEFORE = {"the", "my", "our", "a", "an", "all", "to", "at", "in", "for", "把", "所有", "的", "在", "到"}
_IDLE_AFTER = {"please", "percent", "degrees", "%", "°", "的", "里", "度", "吧"}


_SPOKEN = {
    "a", "an", "half", "quarter", "noon", "midday", "midnight", "today", "tonight", "tomorrow", "the", "next", "this",
    *times.WEEKDAYS, *"早上下中晚凌清傍夜今明后星周礼半",
}  # fmt: skip
"""Units beside numbers that durations, times and dates begin with."""
_LONGEST_SPOKEN = 10


@dataclass(frozen=True, slots=True)
class Match:
    """Units `first` to `last` are a value of each of `slots` (indices)."""

    first: int
    last: int
    slots: tuple[int, ...]


class ListedValues:
    """The values of one list type: every form in both languages and what it stands for."""

    def __init__(self, kind: SlotType, pack: Pack) -> None:
        self.canonical: dict[tuple[str, ...], str] = {}
        self.shown: dict[tuple[str, Language], str] = {}
        self.forms: dict[Language, list[tuple[str, str]]] = {"en": [], "zh": []}
        for value in kind.values:
            for language in self.forms:
                for form in value.forms(language):
                    self._add(form, value.canonical, language)
        for language, templates in kind.each.items():
            for template in templates:
                for form in Templates(pack, language).expand(template):
                    self._add(form, form, language)
        self.longest = max((len(units) for units in self.canonical), default=0)

    def _add(self, form: str, canonical: str, language: Language) -> None:
        self.canonical.setdefault(tuple(split(form)), canonical)
        self.shown.setdefault((canonical, language), form)
        self.forms[language].append((form, canonical))

    def nearest(self, units: tuple[str, ...]) -> str | None:
        """The value said exactly, else the one that sounds most alike if it is near enough."""
        if units in self.canonical:
            return self.canonical[units]
        sound = _sound(units)
        best, value = NEAR, None
        for form, canonical in self.canonical.items():
            other = _sound(form)
            if 2 * min(len(sound), len(other)) < best * (len(sound) + len(other)):
                continue
            near = SequenceMatcher(None, sound, other, autojunk=False).ratio()
            if near > best:
                best, value = near, canonical
        return value


class Values:
    """The value side of a loaded pack: normalise, show, draw and spot slot values."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        self._lists = {name: ListedValues(kind, pack) for name, kind in pack.types.items() if kind.kind == "list"}
        self._spots: dict[tuple[str, ...], list[int]] = {}
        for index, slot in enumerate(pack.slot_names):
            if listed := self.listed(slot):
                for units in listed.canonical:
                    self._spots.setdefault(units, []).append(index)
        self._longest = max((len(units) for units in self._spots), default=0)
        self._spoken = self._spoken_slots()

    def _spoken_slots(self) -> dict[str, tuple[int, ...]]:
        """A slot for each type that is spoken freely but not free text -> all slots of that type."""
        by_type: dict[str, list[int]] = {}
        for index, slot in enumerate(self.pack.slot_names):
            if self.pack.type_of(slot).kind not in ("list", "text"):
                by_type.setdefault(self.pack.slots[slot].type, []).append(index)
        return {self.pack.slot_names[slots[0]]: tuple(slots) for slots in by_type.values()}

    def listed(self, slot: str) -> ListedValues | None:
        """The list behind a slot; None for numbers, times and free text."""
        return self._lists.get(self.pack.slots[slot].type)

    def normalise(self, slot: str, units: Sequence[str]) -> SlotValue | None:
        """The value that spoken units stand for; None where they are no value of this slot."""
        kind = self.pack.type_of(slot)
        trimmed = _trim(units)
        for said in dict.fromkeys((tuple(units), trimmed)):
            if said and (value := self._read(slot, kind, said)) is not None:
                return value
        return None

    def _read(self, slot: str, kind: SlotType, units: tuple[str, ...]) -> SlotValue | None:
        if kind.kind == "list":
            listed = self.listed(slot)
            return listed.nearest(units) if listed else None
        if kind.kind == "number":
            return _bounded(numbers.parse(units), kind)
        if kind.kind == "duration":
            return times.parse_duration(units)
        if kind.kind == "time":
            return times.parse_time(units)
        if kind.kind == "date":
            return times.parse_date(units)
        return join(units[:MAX_TEXT_UNITS])

    def show(self, slot: str, value: SlotValue, language: Language) -> str:
        """A value as a reply says it."""
        kind = self.pack.type_of(slot).kind
        if kind == "list":
            listed = self.listed(slot)
            shown = listed.shown if listed else {}
            return shown.get((str(value), language), str(value))
        if kind == "duration":
            return times.write_duration(int(value), language)
        if kind == "time":
            return times.write_time(str(value), language)
        if kind == "date":
            return times.write_date(str(value), language)
        return show_number(value)

    def draw(self, slot: str, language: Language, rng: random.Random) -> tuple[str, SlotValue] | None:
        """(spoken form, value) at random; None for free text and for lists without a form in this language."""
        kind = self.pack.type_of(slot)
        if kind.kind == "list":
            listed = self.listed(slot)
            forms = listed.forms[language] if listed else []
            return rng.choice(forms) if forms else None
        if kind.kind == "number":
            steps = int((kind.max - kind.min) / kind.step)
            number = kind.min + kind.step * rng.randint(0, steps)
            if kind.max - kind.min >= 50 and rng.random() < 0.6:
                number = round(number / 10) * 10
            bounded = min(max(number, kind.min), kind.max)
            return numbers.write(bounded, language), _plain(bounded)
        if kind.kind == "duration":
            return times.draw_duration(language, rng)
        if kind.kind == "time":
            return times.draw_time(language, rng)
        return times.draw_date(language, rng) if kind.kind == "date" else None

    def longest_at(self, units: Sequence[str], at: int) -> tuple[str | None, int]:
        """The slot of the longest listed value that begins at a place, and its length; (None, 1) without one."""
        for length in range(min(self._longest, len(units) - at), 0, -1):
            if slots := self._spots.get(tuple(units[at : at + length])):
                return self.pack.slot_names[slots[0]], length
        return None, 1

    def matches(self, units: Sequence[str]) -> list[Match]:
        """Every place where a value of the pack stands: listed ones, the longest numbers, durations, times, dates."""
        found: list[Match] = []
        for first in range(len(units)):
            for length in range(min(self._longest, len(units) - first), 0, -1):
                if slots := self._spots.get(tuple(units[first : first + length])):
                    found.append(Match(first, first + length - 1, tuple(slots)))
        for name, slots_of in self._spoken.items():
            at = 0
            while at < len(units):
                length = self._spoken_length(name, units, at)
                if length:
                    found.append(Match(at, at + length - 1, slots_of))
                at += max(1, length)
        return found

    def _spoken_length(self, slot: str, units: Sequence[str], at: int) -> int:
        if units[at] not in _SPOKEN and not numbers.is_number_unit(units[at]):
            return 0
        kind = self.pack.type_of(slot)
        for length in range(min(_LONGEST_SPOKEN, len(units) - at), 0, -1):
            if self._read(slot, kind, tuple(units[at : at + length])) is not None:
                return length
        return 0


def _trim(units: Sequence[str]) -> tuple[str, ...]:
    first, last = 0, len(units)
    while first < last and units[first] in _IDLE_BEFORE:
        first += 1
    while last > first and units[last - 1] in _IDLE_AFTER:
        last -= 1
    # 百分之四十 is the number forty
    trimmed = list(units[first:last])
    return tuple(trimmed[3:] if trimmed[:3] == ["百", "分", "之"] else trimmed)


def _bounded(number: float | None, kind: SlotType) -> float | int | None:
    return None if number is None or not kind.min <= number <= kind.max else _plain(number)


def _plain(number: float) -> float | int:
    return int(number) if number == int(number) else number


def show_number(value: SlotValue) -> str:
    """A number without a needless point; anything else as it is."""
    return f"{value:g}" if isinstance(value, float) else str(value)


@lru_cache(maxsize=50_000)
def _sound(units: tuple[str, ...]) -> str:
    """Roughly how units sound: toneless pinyin for Han characters, letters for the rest."""
    if not any(is_han(u) for u in units):
        return " ".join(units)
    from pypinyin import lazy_pinyin  # slow to import, and only Chinese needs it

    return " ".join(" ".join(lazy_pinyin(u)) if is_han(u) else u for u in units)
