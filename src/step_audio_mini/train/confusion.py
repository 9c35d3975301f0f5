"""Makes text look as if the ears had heard it: units that sound alike are swapped, lost or added, with confidences.

Until the ears' own errors are measured, alike means alike by lexicon: broad phone classes for English, toneless pinyin
for Mandarin. `Rates` holds what is then learnt from the ears on dev: how often, and how sure they are when wrong.
"""

from __future__ import annotations

import gzip
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from step_audio_mini.think.units import Unit, is_han

_CLASSES = {
    "P": "p", "B": "p", "T": "t", "D": "t", "K": "k", "G": "k", "CH": "c", "JH": "c", "SH": "s", "ZH": "s", "S": "s",
    "Z": "s", "F": "f", "V": "f", "TH": "f", "DH": "t", "M": "n", "N": "n", "NG": "n", "L": "l", "R": "l", "W": "w",
    "Y": "w", "HH": "",
}  # fmt: skip
_ALIKE_ZH = (
    ("zh", "z"),
    ("ch", "c"),
    ("sh", "s"),
    ("n", "l"),
    ("ng", "n"),
    ("f", "h"),
    ("r", "l"),
    ("d", "t"),
    ("g", "k"),
    ("b", "p"),
)
FREQUENT = 6000
"""Words of general English that may be heard by mistake."""


@dataclass(frozen=True)
class Rates:
    """How the ears err. Confidences are Beta distributions (a, b)."""

    swap: float = 0.8
    """Share of the errors that put another unit in the place."""
    drop: float = 0.13
    add: float = 0.07
    right: tuple[float, float] = (6.0, 4.2)
    """Confidence of a unit heard right."""
    wrong: tuple[float, float] = (1.8, 2.7)
    levels: tuple[float, ...] = (0.0, 0.0, 0.08, 0.15, 0.25, 0.4)
    """Error shares of a turn, equally likely."""


@dataclass(frozen=True)
class Heard:
    """What came of an utterance: units, and for each spoken unit where it went (-1: lost)."""

    units: tuple[Unit, ...]
    places: tuple[int, ...]
    errors: int


def share_of_errors(said: Sequence[str], heard: Sequence[str]) -> float:
    """Units put in a place, lost or added, over those said."""
    codes = SequenceMatcher(None, list(said), list(heard), autojunk=False).get_opcodes()
    return sum(max(b - a, d - c) for kind, a, b, c, d in codes if kind != "equal") / max(1, len(said))


def learn_rates(pairs: Iterable[tuple[Sequence[str], Sequence[Unit]]]) -> Rates:
    """The ears' own rates from what was said and what they heard on dev: shares of each error, how many a turn has.

    Confidences are fitted by their first two moments; without errors or without pairs the usual rates stay.
    """
    right: list[float] = []
    wrong: list[float] = []
    counts = {"replace": 0, "delete": 0, "insert": 0}
    levels: list[float] = []
    for said, heard in pairs:
        errors = 0
        for kind, a, b, c, d in SequenceMatcher(
            None, list(said), [u.text for u in heard], autojunk=False
        ).get_opcodes():
            (right if kind == "equal" else wrong).extend(u.confidence for u in heard[c:d])
            if kind != "equal":
                counts[kind] += max(b - a, d - c)
                errors += max(b - a, d - c)
        levels.append(min(1.0, errors / max(1, len(said))))
    total, usual = sum(counts.values()), Rates()
    if not total or len(right) < 2 or len(wrong) < 2:
        return usual
    middle = sorted(levels)
    return Rates(
        swap=counts["replace"] / total, drop=counts["delete"] / total, add=counts["insert"] / total,
        right=_beta(right), wrong=_beta(wrong),
        levels=tuple(round(middle[int((n + 0.5) / 6 * len(middle))], 3) for n in range(6)),
    )  # fmt: skip


def _beta(sample: Sequence[float]) -> tuple[float, float]:
    """Beta distribution with the mean and variance of a sample within 0..1."""
    mean = min(max(sum(sample) / len(sample), 0.02), 0.98)
    variance = max(sum((x - mean) ** 2 for x in sample) / len(sample), 1e-4)
    size = max(mean * (1 - mean) / variance - 1, 0.5)
    return round(mean * size, 3), round((1 - mean) * size, 3)


class Confusion:
    """A channel from what is said to what is heard."""

    def __init__(
        self, alike: Mapping[str, Sequence[str]], common: Mapping[bool, Sequence[str]], rates: Rates = Rates()
    ) -> None:
        self._alike, self._common, self.rates = alike, common, rates

    def hear(self, units: Sequence[str], rng: random.Random, level: float | None = None) -> Heard:
        """One hearing; `level` is the share of units that go wrong, drawn from the rates without it."""
        rates = self.rates
        level = rng.choice(rates.levels) if level is None else level
        heard: list[Unit] = []
        places: list[int] = []
        errors = 0
        for unit in units:
            if rng.random() >= level:
                places.append(len(heard))
                heard.append(Unit(unit, rng.betavariate(*rates.right)))
                continue
            errors += 1
            kind = rng.random()
            if kind < rates.drop:
                places.append(-1)
                continue
            places.append(len(heard))
            heard.append(Unit(self.near(unit, rng), rng.betavariate(*rates.wrong)))
            if kind > rates.drop + rates.swap:
                heard.append(Unit(rng.choice(self._common[is_han(unit)]), rng.betavariate(*rates.wrong)))
        return Heard(tuple(heard), tuple(places), errors)

    def near(self, unit: str, rng: random.Random) -> str:
        """Something that sounds like a unit, sometimes anything."""
        near = self._alike.get(unit)
        return rng.choice(near) if near and rng.random() < 0.8 else rng.choice(self._common[is_han(unit)])


def confusion_from_lexicons(texts: Path, words: Iterable[str], rates: Rates = Rates()) -> Confusion:
    """The channel by lexicon. `texts` holds the packs lex_en and lex_zh; `words` are the units that packs use."""
    wanted = set(words)
    english = sorted({w for w in wanted if w.isascii() and w.isalpha()})
    frequent = [w for w, *_ in _rows(texts / "lex_en" / "freq_50k.tsv.gz")][:FREQUENT]
    phones = {row[0]: row[1].split() for row in _rows(texts / "lex_en" / "cmudict.tsv.gz") if len(row) > 1}
    alike = _alike_english(english, frequent, phones)
    chars = sorted({w for w in wanted if is_han(w)})
    usual = list(
        dict.fromkeys(
            c for w, *_ in _rows(texts / "lex_zh" / "freq_subtitles_zh_cn_50k.tsv.gz") for c in w if is_han(c)
        )
    )[:2500]
    alike |= _alike_chinese(chars, usual)
    return Confusion(alike, {False: english + frequent[:1500], True: chars + usual[:800]}, rates)


def _rows(path: Path) -> Iterable[list[str]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield line.rstrip("\n").split("\t" if "\t" in line else " ")


def _sketches(phones: Sequence[str]) -> set[str]:
    """Broad classes of a word's phones, whole and with any one left out: words that share one sound alike."""
    sketch = "".join(_CLASSES.get(p.rstrip("012"), "a") for p in phones)
    return {sketch} | {sketch[:i] + sketch[i + 1 :] for i in range(len(sketch)) if len(sketch) > 2}


def _alike_english(
    words: Sequence[str], frequent: Sequence[str], phones: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    by_sketch: dict[str, list[str]] = defaultdict(list)
    for word in dict.fromkeys([*words, *frequent]):
        for sketch in sorted(_sketches(phones[word])) if word in phones else ():
            by_sketch[sketch].append(word)
    alike = {}
    for word in words:
        if word in phones:
            near = {other for sketch in _sketches(phones[word]) for other in by_sketch[sketch][:40]} - {word}
            if near:
                alike[word] = sorted(near)
    return alike


def _plain(toneless: str) -> str:
    """Pinyin without the differences that are easily missed."""
    for one, other in _ALIKE_ZH:
        toneless = toneless.replace(one, other)
    return toneless


def _alike_chinese(chars: Sequence[str], usual: Sequence[str]) -> dict[str, list[str]]:
    from pypinyin import lazy_pinyin  # slow to import

    sounds = {char: _plain(lazy_pinyin(char)[0]) for char in dict.fromkeys([*chars, *usual])}
    by_sound: dict[str, list[str]] = defaultdict(list)
    for char, sound in sounds.items():
        by_sound[sound].append(char)
    return {c: near for c in chars if (near := [o for o in by_sound[sounds[c]] if o != c])}
