"""Home Assistant's voice commands, drawn from its sentence templates in English and Chinese."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import yaml

from step_audio_mini.data.makers.maker import Open
from step_audio_mini.data.makers.repository import Repository
from step_audio_mini.data.makers.text_maker import TextFiles, TextMaker, place_of, split_of

INTENTS = "home-assistant/intents"
LANGUAGES = ("en", "zh-cn", "zh-hk", "zh-tw")
DEEPEST = 30
"""Rules inside rules."""
_CHINESE_FILLER = {
    "default": ["牛奶", "披萨", "洗衣服", "泡茶"],
    "message": ["吃饭了", "该起床了"],
    "search_query": ["周杰伦", "轻音乐"],
}
_ENGLISH_FILLER = {
    "default": ["pizza", "laundry", "tea"],
    "item": ["milk", "eggs", "two loaves of bread", "batteries", "olive oil", "toilet paper"],
    "message": ["dinner is ready", "time to get up", "the taxi is here"],
    "search_query": ["jazz", "the beatles", "rain sounds"],
    "shopping_list_item": ["milk", "eggs"],
}
"""What stands where a template takes any words."""

Node = tuple[str, Any]
"""(kind, content) of a parsed template: text, alternatives, permutation, optional, list or rule."""


@dataclass(frozen=True)
class Sampler:
    """Draws sentences of templates: `[optional] (this|that) (any;order) {list} {list:slot} <rule>`."""

    lists: Mapping[str, Mapping[str, Any]]
    rules: Mapping[str, str]
    rng: random.Random

    def draw(self, node: Node, slots: list[list[Any]], depth: int = 0) -> str:
        """One sentence; the slots that were named are appended to `slots`. ValueError for endless rules."""
        if depth > DEEPEST:
            raise ValueError("rules that never end")
        kind, content = node
        if kind == "text":
            return str(content)
        if kind == "alternatives":
            return self._joined(self.rng.choice(content), slots, depth)
        if kind == "permutation":
            parts = list(content)
            self.rng.shuffle(parts)
            return " ".join(self._joined(part, slots, depth) for part in parts)
        if kind == "optional":
            return self.draw(content, slots, depth + 1) if self.rng.random() < 0.5 else ""
        if kind == "rule":
            return self.draw(parse(self.rules[content]), slots, depth + 1)
        return self._value(content, slots, depth)

    def _joined(self, nodes: list[Node], slots: list[list[Any]], depth: int) -> str:
        return "".join(self.draw(node, slots, depth + 1) for node in nodes)

    def _value(self, content: str, slots: list[list[Any]], depth: int) -> str:
        name, _, slot = content.partition(":")
        values = self.lists[name]
        if "range" in values:
            bounds = values["range"]
            number = self.rng.randrange(int(bounds["from"]), int(bounds["to"]) + 1, int(bounds.get("step", 1)))
            factor = bounds.get("multiplier")
            slots.append([slot or name, str(number), number * factor if factor else number])
            return str(number)
        value = self.rng.choice(values["values"])
        said, meant = (value["in"], value.get("out", value["in"])) if isinstance(value, dict) else (value, None)
        text = re.sub(r"\s+", " ", self.draw(parse(str(said)), [], depth + 1)).strip()
        slots.append([slot or name, text, text if meant is None else meant])
        return text


def parse(template: str) -> Node:
    """A template as a tree; ValueError where a bracket is not closed."""
    node, place = _sequence(template, 0, "")
    if place != len(template):
        raise ValueError(f"a bracket too many in {template}")
    return node


def _sequence(template: str, place: int, end: str) -> tuple[Node, int]:
    """Alternatives up to `end`, and the place where it stands."""
    parts: list[list[Node]] = []
    current: list[Node] = []
    free_order = False
    while place < len(template) and template[place] != end:
        character = template[place]
        if character == "\\":
            current.append(("text", template[place + 1 : place + 2]))
            place += 2
        elif end and character in "|;":
            free_order |= character == ";"
            parts.append(current)
            current, place = [], place + 1
        elif character in "([":
            inner, place = _sequence(template, place + 1, ")" if character == "(" else "]")
            if place >= len(template):
                raise ValueError(f"a bracket is not closed in {template}")
            current.append(("optional", inner) if character == "[" else inner)
            place += 1
        elif character in "{<":
            close = template.index("}" if character == "{" else ">", place)
            current.append(("list" if character == "{" else "rule", template[place + 1 : close].strip()))
            place = close + 1
        else:
            current.append(("text", character))
            place += 1
    return ("permutation" if free_order else "alternatives", [*parts, current]), place


def _fill(made: TextFiles, open_: Open) -> None:
    rows, seen = [], set()
    for language in LANGUAGES:
        for split, row in _language(open_(INTENTS), language):
            if (language, row["text"]) not in seen:
                seen.add((language, row["text"]))
                rows.append((split, row))
    made.by_split("generated", rows)


def _language(repository: Repository, language: str) -> Iterator[tuple[str, dict[str, Any]]]:
    home = yaml.safe_load(repository.text(f"tests/{language}/_fixtures.yaml"))
    common = yaml.safe_load(repository.text(f"sentences/{language}/_common.yaml"))
    for path in repository.under(f"sentences/{language}"):
        name = PurePosixPath(path).name
        if name.startswith("_"):
            continue
        content = yaml.safe_load(repository.text(path))
        for intent, value in (content.get("intents") or {}).items():
            for number, block in enumerate(value.get("data") or []):
                lists, rules = _context(home, [common, content, block], language)
                facts = {
                    "intent": intent,
                    "fixed": block.get("slots") or {},
                    "ctx": block.get("requires_context") or {},
                }
                for place, template in enumerate(block.get("sentences") or []):
                    seed = f"{path}/{number}/{place}"
                    where = f"{name.removesuffix('.yaml')}/{number}/{place}"
                    sampler = Sampler(lists, rules, random.Random(place_of(seed)))
                    for text, slots in _sentences(sampler, template, language):
                        row = {"lang": language, "text": text, "slots": slots, "tid": where} | facts
                        yield split_of(seed, 10, 10), row


def _context(
    home: Mapping[str, Any], parts: list[Mapping[str, Any]], language: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """Lists and rules that hold in a block: the common ones, the file's, its own, and the test home's names."""
    lists: dict[str, Any] = {}
    rules: dict[str, str] = {}
    for part in parts:
        lists |= part.get("lists") or {}
        rules |= part.get("expansion_rules") or {}
    block = parts[-1]
    domain = (block.get("requires_context") or {}).get("domain") or (block.get("slots") or {}).get("domain")
    domains = [domain] if isinstance(domain, str) else domain
    entities = home.get("entities") or []
    fitting = [entity for entity in entities if domains is None or entity["id"].split(".")[0] in domains]
    names = {"name": fitting or entities, "area": home.get("areas") or [], "floor": home.get("floors") or []}
    for name, things in names.items():
        if things:
            lists[name] = {"values": [{"in": thing["name"], "out": thing["name"]} for thing in things]}
    filler = _ENGLISH_FILLER if language == "en" else _CHINESE_FILLER
    for name, content in lists.items():
        if isinstance(content, dict) and content.get("wildcard"):
            lists[name] = {"values": filler.get(name, filler["default"])}
    return lists, rules


def _sentences(sampler: Sampler, template: str, language: str) -> Iterator[tuple[str, list[list[Any]]]]:
    """Different sentences of a template, a few: a rich one must not drown the others."""
    most, tries, glue = (8, 40, " ") if language == "en" else (40, 120, "")
    try:
        node = parse(template)
    except ValueError:
        return
    seen: set[str] = set()
    for _ in range(tries):
        if len(seen) >= most:
            return
        slots: list[list[Any]] = []
        try:
            text = re.sub(r"\s+", glue, sampler.draw(node, slots)).strip()
        except (ValueError, KeyError, TypeError, IndexError):  # a rule or list that is not there
            return
        if text and text not in seen:
            seen.add(text)
            yield text, slots


MAKERS = (
    TextMaker(
        "ha_intents",
        "Home Assistant's voice commands, English and Chinese",
        (INTENTS,),
        "CC BY 4.0",
        _fill,
    ),
)
