"""What people say to a pack, drawn from its templates with the values marked, split for ever into train, dev and test.

A phrasing is held out by the hash of its words without values; a value by the hash of its form. Held-out test phrasings
and values are therefore the same in every run and for every reader of this module.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from step_audio_mini.think.pack import Pack
from step_audio_mini.think.reply import repair
from step_audio_mini.think.sentences import Hole, Skeleton, Templates, skeleton_key, split_of
from step_audio_mini.think.units import join, split
from step_audio_mini.think.values import Values, show_number
from step_audio_mini.types import Language, SlotValue

TRIES = 40
AROUND = 0.25
"""Share of the requests with a word of politeness or hesitation before them or after them."""
_CORRECTIONS: Mapping[Language, tuple[str, ...]] = {
    "en": (
        "no",
        "no i meant",
        "sorry i meant",
        "actually",
        "no make that",
        "i said",
        "not that",
        "wrong",
        "i mean",
        "no wait",
    ),
    "zh": ("不", "不对", "不是", "我是说", "我说的是", "错了", "不对我要", "等等", "应该是", "改成"),
}
_MORE: Mapping[Language, tuple[str, ...]] = {
    "en": ("and", "and also", "also", "what about", "how about", "same for", "and the same for"),
    "zh": ("还有", "那", "再加上", "也要", "那么"),
}
_MORE_AFTER: Mapping[Language, tuple[str, ...]] = {"en": ("", "", "too", "as well"), "zh": ("", "呢", "也是", "也一样")}


@dataclass(frozen=True)
class Utterance:
    """One thing said: units, and for each slot its value and the units it stands on (first, last)."""

    units: tuple[str, ...]
    values: Mapping[str, SlotValue]
    spans: Mapping[str, tuple[int, int]]
    key: str
    language: Language


class Phrases:
    """Draws utterances for one pack, of one split or (None) of all.

    `texts` are sentences that free-text slots are filled with; `digits` is the share of numbers written in digits, as
    people type them.
    """

    def __init__(
        self, pack: Pack, split_name: str | None, texts: Mapping[Language, list[str]], digits: float = 0.0
    ) -> None:
        self.pack, self.values = pack, Values(pack)
        self._split, self._texts, self._digits = split_name, texts, digits
        self._templates = {language: Templates(pack, language) for language in pack.languages}

    def request(self, intent: str, language: Language, rng: random.Random, *, usual: bool = False) -> Utterance | None:
        """A sentence of an intent; None where the split has none (or only a few were tried).

        `usual` keeps to the usual ways, with nothing around them.
        """
        about = self.pack.intents[intent]
        ways = about.sentences.get(language, []) if usual else about.ways(language)
        said = self._draw(ways, language, rng, intent)
        return self._politely(said, rng) if said and not usual and rng.random() < AROUND else said

    def _politely(self, said: Utterance, rng: random.Random) -> Utterance:
        """The same with something around it that means nothing."""
        place = rng.choice(("before", "after"))
        last = [slot for slot, (_, at) in said.spans.items() if at == len(said.units) - 1]
        if place == "after" and any(self.pack.type_of(slot).kind == "text" for slot in last):
            return said  # free text would take the word in
        template = rng.choice(repair()["around"][place][said.language])
        skeleton = self._templates[said.language].draw(template, rng)
        words = "".join(part for part in skeleton if isinstance(part, str))
        wrapped = _around(words, said, "") if place == "before" else _around("", said, words)
        return replace(wrapped, key=said.key)  # it belongs where the phrasing itself belongs

    def answer(self, slot: str, language: Language, rng: random.Random, known: set[str]) -> Utterance | None:
        """A bare answer with a slot's value; other slots in it must be among `known`, the slots of the intent."""
        templates = [f"{{{slot}}}", *self.pack.slots[slot].answers.get(language, [])]
        found = self._draw(templates, language, rng, f"answer {slot}")
        return found if found and slot in found.values and set(found.values) <= known else None

    def correction(self, slot: str, language: Language, rng: random.Random, known: set[str]) -> Utterance | None:
        """An answer said as a correction: `no, the kitchen`."""
        said = self.answer(slot, language, rng, known)
        return said and _around(rng.choice(_CORRECTIONS[language]), said, "")

    def more(self, slot: str, language: Language, rng: random.Random, known: set[str]) -> Utterance | None:
        """An answer said as a follow-up: `and in the kitchen too`."""
        said = self.answer(slot, language, rng, known)
        return said and _around(rng.choice(_MORE[language]), said, rng.choice(_MORE_AFTER[language]))

    def repair(self, act: str, language: Language, rng: random.Random) -> Utterance | None:
        """A repair act: affirm, deny, cancel, repeat."""
        return self._draw(repair()["sentences"][act][language], language, rng, act)

    def _draw(self, templates: list[str], language: Language, rng: random.Random, owner: str) -> Utterance | None:
        if not templates:
            return None
        for _ in range(TRIES):
            skeleton = self._templates[language].draw(rng.choice(templates), rng)
            key = skeleton_key(skeleton)
            ours = self._split is None or _split_of(f"{language} {owner} {key}") == self._split
            if ours and (said := self._fill(skeleton, key, language, rng)):
                return said
        return None

    def _fill(self, skeleton: Skeleton, key: str, language: Language, rng: random.Random) -> Utterance | None:
        units: list[str] = []
        values: dict[str, SlotValue] = {}
        spans: dict[str, tuple[int, int]] = {}
        for part in skeleton:
            if isinstance(part, str):
                units.extend(split(part))
                continue
            if part.slot in values:
                return None
            drawn = self._value(part, language, rng)
            said = split(drawn[0]) if drawn else []
            if not drawn or not said:
                return None
            values[part.slot], spans[part.slot] = drawn[1], (len(units), len(units) + len(said) - 1)
            units.extend(said)
        return Utterance(tuple(units), values, spans, key, language) if units else None

    def _value(self, hole: Hole, language: Language, rng: random.Random) -> tuple[str, SlotValue] | None:
        kind = self.pack.type_of(hole.slot)
        if kind.kind == "text":
            text = rng.choice(self._texts[language]) if self._texts.get(language) else "hello"
            # the value is what copying its units gives
            said = self.values.normalise(hole.slot, split(text)[:12])
            return None if said is None else (str(said), said)
        for _ in range(TRIES):
            drawn = self.values.draw(hole.slot, language, rng)
            if drawn and kind.kind == "number" and rng.random() < self._digits:
                return show_number(drawn[1]), drawn[1]
            if drawn is None:
                return None
            if kind.kind != "list" or self._split is None or _value_split(drawn[0]) in (self._split, "train"):
                return drawn
        return None


@lru_cache(maxsize=200_000)
def _split_of(key: str) -> str:
    return split_of(key)


@lru_cache(maxsize=50_000)
def _value_split(form: str) -> str:
    """Training never sees a held-out form; dev and test see their own and those of training."""
    return split_of(f"value {form}")


def _around(before: str, said: Utterance, after: str) -> Utterance:
    front, back = split(before), split(after)
    moved = {slot: (first + len(front), last + len(front)) for slot, (first, last) in said.spans.items()}
    key = " ".join(part for part in (before, said.key, after) if part)
    return Utterance((*front, *said.units, *back), said.values, moved, key, said.language)


_MESSAGES: Mapping[Language, list[str]] = {
    "en": [
        "dinner is ready",
        "please come downstairs",
        "i will be home late",
        "the guests are here",
        "time to go to bed",
    ],
    "zh": ["吃饭了", "请下楼来", "我会晚点回家", "客人到了", "该睡觉了"],
}


RARE = 0.3
"""Weight of a rarer way to say something beside a usual one, in what the ears expect."""


def context_sentences(
    pack: Pack, *, most: int = 16_000, split_name: str | None = None, seed: int = 1
) -> list[tuple[str, float]]:
    """(sentence, weight) of what can be said to a pack: the context that the recogniser searches with.

    Every language gets the same weight, shared evenly by its intents; every listed value stands there once by itself.
    `split_name` keeps to the phrasings of one split: those who measure on held-out phrasings pass `train`.
    """
    phrases, rng = Phrases(pack, split_name, _MESSAGES), random.Random(seed)
    out: list[tuple[str, float]] = []
    for language in pack.languages:
        intents = [name for name, intent in pack.intents.items() if language in intent.sentences]
        each = max(1, most // (len(pack.languages) * (len(intents) + 2)))
        for intent in intents:
            rarer = each // 4 if language in pack.intents[intent].also else 0
            for usual, count in ((True, each - rarer), (False, rarer)):
                drawn = [phrases.request(intent, language, rng, usual=usual) for _ in range(count)]
                out += [(join(said.units), 1.0 if usual else RARE) for said in drawn if said]
        for number in range(2 * each):
            slot = pack.slot_names[number % len(pack.slot_names)] if pack.slot_names else None
            act = ("affirm", "deny", "cancel", "repeat")[number % 4]
            told = phrases.answer(slot, language, rng, set(pack.slot_names)) if slot and number % 2 else None
            told = told or phrases.repair(act, language, rng)
            out += [(join(told.units), 0.5)] if told else []
        for slot in pack.slot_names:
            listed = phrases.values.listed(slot)
            out += [(form, 0.3) for form, _ in listed.forms[language]] if listed else []
    return out
