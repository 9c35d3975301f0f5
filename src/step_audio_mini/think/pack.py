"""What a scenario pack holds: slot types, slots, intents, tools and replies, as checked data that every part reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from step_audio_mini.errors import UserError
from step_audio_mini.text.sounds_like import is_one_word
from step_audio_mini.types import Language

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Texts = Annotated[list[Text], Field(min_length=1, max_length=2000)]
ByLanguage = dict[Language, Texts]

PLACEHOLDER = re.compile(r"\[([A-Za-z][\w.-]*)\]")
"""`[slot]` and `[result.key]` in a reply."""
_RULE = re.compile(r"<([A-Za-z][\w-]*)>")


class Part(BaseModel):
    """Base of everything in a pack: unknown keys are errors, loaded values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Value(Part):
    """One value of a list: its canonical form and how it is said, the first form being the one that replies use."""

    value: Text | None = None
    en: list[Text] = []
    zh: list[Text] = []

    @model_validator(mode="after")
    def _is_sayable(self) -> Value:
        if not (self.en or self.zh):
            raise ValueError("a value needs at least one form under en or zh")
        return self

    @property
    def canonical(self) -> str:
        """The language-independent name: `value`, or the first English (else Chinese) form."""
        return self.value or (self.en or self.zh)[0]

    def forms(self, language: Language) -> list[str]:
        """How the value is said in a language; may be empty."""
        return self.en if language == "en" else self.zh


class SlotType(Part):
    """A kind of value. `list` needs `values`, or `each`: a template whose every expansion is a value of its own."""

    kind: Literal["list", "number", "duration", "time", "date", "text"]
    values: list[Value] = []
    each: dict[Language, Texts] = {}
    open: bool = False
    """True where every user has values of his own (rooms, devices): the mind is trained on invented ones too."""
    min: float = 0
    max: float = 1000
    step: float = 1

    @model_validator(mode="after")
    def _has_values(self) -> SlotType:
        if self.kind == "list" and not (self.values or self.each):
            raise ValueError("a list needs values, or templates under each")
        if self.kind == "number" and not (self.min < self.max and self.step > 0):
            raise ValueError("a number needs min < max and step > 0")
        return self


class Slot(Part):
    """A named value that an intent can carry, described for the mind, with questions that ask for it."""

    type: Name
    describe: dict[Language, Text]
    ask: ByLanguage = {}
    answers: ByLanguage = {}
    """Templates of a bare answer, around `{slot}`; the bare value always counts."""
    refers: bool = False
    """True where a later "it" may mean this value: `turn it off again`."""


class Intent(Part):
    """Something a person can want; `required` names slots that must be filled, `a|b` meaning either."""

    describe: dict[Language, Text]
    slots: list[Name] = []
    required: list[str] = []
    tool: Name | None = None
    sentences: ByLanguage
    """Templates of the usual ways to say it."""
    also: ByLanguage = {}
    """Templates of rarer ways: the mind learns them all the same, the ears expect them less."""
    replies: dict[Name, ByLanguage]
    """Outcome -> language -> variants: `done`, `confirm`, `failed`, and any that a tool result names as `outcome`."""

    def ways(self, language: Language) -> list[str]:
        """All templates of a language."""
        return [*self.sentences.get(language, []), *self.also.get(language, [])]

    def missing(self, filled: Mapping[str, object]) -> list[str]:
        """Required slots that are not filled, the first alternative of each requirement."""
        return [r.split("|")[0] for r in self.required if not any(s in filled for s in r.split("|"))]


class Tool(Part):
    """A tool by name: whether the person confirms first, how long it may take, which result keys it must return."""

    confirm: bool = False
    deadline_s: Annotated[float, Field(gt=0, le=30)] = 2.0
    returns: dict[Name, Literal["text", "number", "boolean"]] = {}


class Pack(Part):
    """A scenario: everything the mind, the search and the training generator need to know about one task."""

    name: Name
    languages: Annotated[list[Language], Field(min_length=1)]
    describe: dict[Language, Text]
    licence: Text
    attribution: Text | None = None
    rules: dict[Language, dict[Name, Text]] = {}
    types: dict[Name, SlotType] = {}
    slots: dict[Name, Slot] = {}
    intents: Annotated[dict[Name, Intent], Field(min_length=1)]
    tools: dict[Name, Tool] = {}
    replies: dict[Name, ByLanguage] = {}
    """Overrides of the repair replies (`not_understood`, `out_of_scope`, ...)."""
    sounds_like: dict[Text, Text] = {}
    """Word -> how it is spoken, where no list reads it rightly: in known words, pinyin or phones."""

    @field_validator("sounds_like")
    @classmethod
    def _are_words(cls, taught: dict[str, str]) -> dict[str, str]:
        for word in taught:
            if not is_one_word(word):
                raise ValueError(f"{word!r} is not one word; give each word its own line")
        return taught

    def type_of(self, slot: str) -> SlotType:
        """The type of a slot of this pack."""
        return self.types[self.slots[slot].type]

    def tool_of(self, intent: str) -> Tool | None:
        """The tool of an intent; None where the intent only talks."""
        name = self.intents[intent].tool
        return None if name is None else self.tools[name]

    @cached_property
    def intent_names(self) -> tuple[str, ...]:
        """Intents in the order of the file: the index the mind uses."""
        return tuple(self.intents)

    @cached_property
    def slot_names(self) -> tuple[str, ...]:
        """Slots in the order of the file: the index the mind uses."""
        return tuple(self.slots)

    def sentences(self, language: Language) -> Iterator[tuple[str, str]]:
        """(intent, template) of every sentence template of a language."""
        for name, intent in self.intents.items():
            for template in intent.ways(language):
                yield name, template

    def with_values(self, values: Mapping[str, list[Value]]) -> Pack:
        """The same pack with other values for some list types: a user's own rooms and devices."""
        types = {
            name: kind.model_copy(update={"values": values[name], "each": {}}) if name in values else kind
            for name, kind in self.types.items()
        }
        return self.model_copy(update={"types": types})


def join(packs: list[Pack]) -> Pack:
    """One pack made of several; names that two packs define differently are an error."""
    if len(packs) == 1:
        return packs[0]
    packs = [_with_own_rules(pack) for pack in packs]
    keys = ("types", "slots", "intents", "tools", "replies", "sounds_like")
    merged: dict[str, dict[str, Any]] = {key: {} for key in keys}
    rules: dict[str, dict[str, str]] = {}
    for pack in packs:
        for key, into in merged.items():
            for name, part in getattr(pack, key).items():
                if key != "replies" and into.get(name, part) != part:
                    raise UserError(f"packs {', '.join(p.name for p in packs)} both define {key} {name!r}; rename one")
                into.setdefault(name, part)
        for language, named in pack.rules.items():
            rules.setdefault(language, {}).update(named)
    first = packs[0]
    return Pack.model_construct(
        name="+".join(p.name for p in packs),
        languages=[lang for lang in ("en", "zh") if any(lang in p.languages for p in packs)],
        describe=first.describe,
        licence=" and ".join(dict.fromkeys(p.licence for p in packs)),
        attribution=" ".join(p.attribution for p in packs if p.attribution) or None,
        rules=rules,
        **merged,  # type: ignore[arg-type]
    )


def _with_own_rules(pack: Pack) -> Pack:
    """The same pack with its rules named after it, so that `<please>` of one pack is not that of another."""

    def own(template: str) -> str:
        return _RULE.sub(rf"<{pack.name}-\1>", template)

    def all_own(by_language: ByLanguage) -> ByLanguage:
        return {language: [own(text) for text in texts] for language, texts in by_language.items()}

    return pack.model_copy(
        update={
            "rules": {
                language: {f"{pack.name}-{name}": own(body) for name, body in rules.items()}
                for language, rules in pack.rules.items()
            },
            "intents": {
                name: intent.model_copy(update={"sentences": all_own(intent.sentences), "also": all_own(intent.also)})
                for name, intent in pack.intents.items()
            },
            "slots": {
                name: slot.model_copy(update={"answers": all_own(slot.answers)}) for name, slot in pack.slots.items()
            },
            "types": {name: kind.model_copy(update={"each": all_own(kind.each)}) for name, kind in pack.types.items()},
        }
    )
