"""Draws sentences from templates lazily: rich templates are never expanded, one random path is walked instead."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from hassil.expression import Alternative, Expression, Group, ListReference, Permutation, RuleReference, TextChunk
from hassil.parse_expression import parse_sentence

from step_audio_mini.think.pack import Pack
from step_audio_mini.types import Language

MAX_EXPANSIONS = 2000
"""Templates that stand for lists of values may have this many expansions in all."""
_MANY = 10**12


@dataclass(frozen=True)
class Template:
    """A parsed template."""

    text: str
    expression: Expression

    @cached_property
    def references(self) -> tuple[set[str], set[str]]:
        """Names of the slots and of the rules it mentions."""
        slots, rules = set[str](), set[str]()
        todo = [self.expression]
        while todo:
            item = todo.pop()
            if isinstance(item, ListReference):
                slots.add(item.slot_name)
            elif isinstance(item, RuleReference):
                rules.add(item.rule_name)
            elif isinstance(item, Group):
                todo.extend(item.items)
        return slots, rules


@lru_cache(maxsize=20_000)
def parse(text: str) -> Template:
    """A template by its text; raises hassil's ParseError."""
    return Template(text, parse_sentence(text).expression)


@dataclass(frozen=True, slots=True)
class Hole:
    """A place in a skeleton that a value of `slot` fills."""

    slot: str


Skeleton = tuple[str | Hole, ...]
"""One path through a template: literal text and holes, in order."""


def skeleton_key(skeleton: Skeleton) -> str:
    """The phrasing without its values, spaces normalised: what hold-outs are decided by."""
    return " ".join("".join(f" {{{p.slot}}} " if isinstance(p, Hole) else p for p in skeleton).split())


def split_of(key: str) -> str:
    """`test` and `dev` for a twentieth of all keys each, `train` for the rest; fixed for ever by the key's hash."""
    place = hashlib.sha256(key.encode()).digest()[0] % 20
    return {0: "test", 1: "dev"}.get(place, "train")


class Templates:
    """Draws and counts the templates of one pack in one language."""

    def __init__(self, pack: Pack, language: Language) -> None:
        self._rules = pack.rules.get(language, {})

    def draw(self, template: str, rng: random.Random) -> Skeleton:
        """One random path; every alternative is equally likely, an optional part appears half the time."""
        parts: list[str | Hole] = []
        self._walk(parse(template).expression, rng, parts)
        return tuple(parts)

    def _walk(self, item: Expression, rng: random.Random, parts: list[str | Hole]) -> None:
        if isinstance(item, TextChunk):
            parts.append(item.original_text)
        elif isinstance(item, ListReference):
            parts.append(Hole(item.slot_name))
        elif isinstance(item, RuleReference):
            self._walk(parse(self._rules[item.rule_name]).expression, rng, parts)
        elif isinstance(item, Alternative):
            self._walk(rng.choice(item.items), rng, parts)
        elif isinstance(item, Permutation):
            for part in rng.sample(item.items, len(item.items)):
                self._walk(part, rng, parts)
        elif isinstance(item, Group):
            for part in item.items:
                self._walk(part, rng, parts)

    def count(self, template: str) -> int:
        """Number of paths, values not counted; large numbers are cut."""
        return min(self._count(parse(template).expression), _MANY)

    def _count(self, item: Expression) -> int:
        if isinstance(item, RuleReference):
            return self._count(parse(self._rules[item.rule_name]).expression)
        if isinstance(item, Alternative):
            return min(sum(self._count(part) for part in item.items), _MANY)
        total = 1
        if isinstance(item, Group):
            for part in item.items:
                total = min(total * self._count(part), _MANY)
        if isinstance(item, Permutation):
            for factor in range(2, len(item.items) + 1):
                total = min(total * factor, _MANY)
        return total

    def expand(self, template: str) -> Iterator[str]:
        """Every text of a template without slots, at most `MAX_EXPANSIONS`; spaces normalised."""
        seen = set[str]()
        for number, parts in enumerate(self._every(parse(template).expression)):
            text = " ".join("".join(parts).split())
            if number >= MAX_EXPANSIONS:
                return
            if text and text not in seen:
                seen.add(text)
                yield text

    def _every(self, item: Expression) -> Iterator[tuple[str, ...]]:
        if isinstance(item, TextChunk):
            yield (item.original_text,)
        elif isinstance(item, RuleReference):
            yield from self._every(parse(self._rules[item.rule_name]).expression)
        elif isinstance(item, Alternative):
            for part in item.items:
                yield from self._every(part)
        elif isinstance(item, Permutation):
            for first, rest in item.iterate_permutations():
                for head in self._every(first):
                    yield from (head + tail for tail in (self._every(rest) if rest.items else iter([()])))
        elif isinstance(item, Group):
            yield from self._sequence(item.items)

    def _sequence(self, items: list[Expression]) -> Iterator[tuple[str, ...]]:
        if not items:
            yield ()
            return
        for head in self._every(items[0]):
            for tail in self._sequence(items[1:]):
                yield head + tail
