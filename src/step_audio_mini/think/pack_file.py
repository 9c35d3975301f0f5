"""Reads a pack folder and says in one line what is wrong with it: file, line and field."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hassil.parser import ParseError
from pydantic import ValidationError

from step_audio_mini.errors import UserError
from step_audio_mini.think.pack import PLACEHOLDER, ByLanguage, Pack
from step_audio_mini.think.sentences import MAX_EXPANSIONS, Templates, parse

PACKS = Path(__file__).parent.parent / "packs"
"""Packs that come with the package."""
MAX_BYTES = 1_000_000
# libyaml's twin of the safe loader is ten times faster; not every platform's wheel has it
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Path_ = tuple[str | int, ...]


def available() -> list[str]:
    """Names of the packs that come with the package."""
    return sorted(p.parent.name for p in PACKS.glob("*/pack.yaml"))


def load_pack(name: str | Path) -> Pack:
    """The pack of a shipped name, or of a folder that holds a pack.yaml."""
    folder = PACKS / name if (PACKS / name / "pack.yaml").is_file() else Path(name)
    file = folder / "pack.yaml"
    if not file.is_file():
        raise UserError(
            f"no pack {str(name)!r}; use one of {', '.join(available())}, or a folder with a pack.yaml",
            code="unknown_pack",
        )
    return read_pack(file)


def read_pack(file: Path) -> Pack:
    """A checked pack from its file; every fault is a UserError with file, line and field."""
    node, raw = _read_yaml(file)
    try:
        pack = Pack.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise _fault(file, node, tuple(first["loc"]), first["msg"] + more) from None
    for path, message in _broken_references(pack):
        raise _fault(file, node, path, message)
    for path, message in _broken_templates(pack):
        raise _fault(file, node, path, message)
    return pack


def _read_yaml(file: Path) -> tuple[yaml.Node | None, Any]:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise UserError(f"{file}: larger than {MAX_BYTES // 1000} kB; split the pack")
        text = file.read_text(encoding="utf-8")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=_Loader)):
            raise UserError(f"{file}: anchors and aliases are not read; write the value out")
        return yaml.compose(text, Loader=_Loader), yaml.load(text, Loader=_Loader)
    except UnicodeDecodeError:
        raise UserError(f"{file}: not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); check the path and its rights") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{file}, line {line}: not YAML: {error.problem}; mend that line", code="bad_pack") from None
    except yaml.YAMLError as error:
        raise UserError(f"{file}: not YAML: {error}; mend the file", code="bad_pack") from None


def _fault(file: Path, node: yaml.Node | None, path: Path_, message: str) -> UserError:
    """The error for a field, with the line of the deepest part of its path that the file has."""
    line = 1
    for step in path:
        found: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(step):
                    line, found = key.start_mark.line + 1, value
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            found = node.value[step]
            line = found.start_mark.line + 1
        if found is None:
            break
        node = found
    field = ".".join(str(step) for step in path) or "the file"
    return UserError(f"{file}, line {line}, {field}: {message}; mend the pack", code="bad_pack")


def _broken_references(pack: Pack) -> Iterator[tuple[Path_, str]]:
    for name, slot in pack.slots.items():
        if slot.type not in pack.types:
            yield ("slots", name, "type"), f"no type {slot.type!r} under types"
    for name, intent in pack.intents.items():
        at: Path_ = ("intents", name)
        for index, slot_name in enumerate(intent.slots):
            if slot_name not in pack.slots:
                yield (*at, "slots", index), f"no slot {slot_name!r} under slots"
        for index, requirement in enumerate(intent.required):
            for slot_name in requirement.split("|"):
                if slot_name not in intent.slots:
                    yield (*at, "required", index), f"{slot_name!r} is not among the slots of the intent"
                elif not pack.slots[slot_name].ask:
                    yield ("slots", slot_name), "a required slot needs questions under ask"
        if intent.tool is not None and intent.tool not in pack.tools:
            yield (*at, "tool"), f"no tool {intent.tool!r} under tools"
        if "done" not in intent.replies:
            yield (*at, "replies"), "an intent needs replies for the outcome done"
        yield from _broken_replies(pack, name)


def _broken_replies(pack: Pack, name: str) -> Iterator[tuple[Path_, str]]:
    intent = pack.intents[name]
    for outcome, by_language in intent.replies.items():
        for language, variants in by_language.items():
            for index, text in enumerate(variants):
                for key in PLACEHOLDER.findall(text):
                    if not key.startswith("result.") and key not in intent.slots:
                        path = ("intents", name, "replies", outcome, language, index)
                        yield path, f"[{key}] is neither a slot of the intent nor [result.key]"


def _broken_templates(pack: Pack) -> Iterator[tuple[Path_, str]]:
    for language, rules in pack.rules.items():
        for rule, body in rules.items():
            path: Path_ = ("rules", language, rule)
            yield from ((path, m) for m in _template_faults(pack, language, body, set(pack.slots)))
    for name, intent in pack.intents.items():
        for field, ways in (("sentences", intent.sentences), ("also", intent.also)):
            yield from _broken_list(pack, ("intents", name, field), ways, set(intent.slots))
    for name, slot in pack.slots.items():
        yield from _broken_list(pack, ("slots", name, "answers"), slot.answers, set(pack.slots))
    for name, kind in pack.types.items():
        for language, templates in kind.each.items():
            total = 0
            for index, template in enumerate(templates):
                path = ("types", name, "each", language, index)
                faults = list(_template_faults(pack, language, template, set()))
                yield from ((path, m) for m in faults)
                total += 0 if faults else Templates(pack, language).count(template)
                if total > MAX_EXPANSIONS:
                    yield path, f"more than {MAX_EXPANSIONS} values"


def _broken_list(pack: Pack, at: Path_, by_language: ByLanguage, slots: set[str]) -> Iterator[tuple[Path_, str]]:
    for language, templates in by_language.items():
        for index, template in enumerate(templates):
            yield from (((*at, language, index), m) for m in _template_faults(pack, language, template, slots))


def _template_faults(pack: Pack, language: str, template: str, slots: set[str]) -> Iterator[str]:
    rules = pack.rules.get(language, {})  # type: ignore[call-overload]
    try:
        used_slots, used_rules = parse(template).references
        open_rules, seen = list(used_rules), set[str]()
        while open_rules:
            rule = open_rules.pop()
            if rule not in rules:
                yield f"no rule <{rule}> under rules.{language}"
            elif rule not in seen:
                seen.add(rule)
                more_slots, more_rules = parse(rules[rule]).references
                if rule in more_rules or seen & more_rules:
                    used = _reaches(rules, rule)
                    if rule in used:
                        yield f"the rule <{rule}> refers to itself"
                        return
                used_slots = used_slots | more_slots
                open_rules.extend(more_rules)
        for slot in sorted(used_slots - slots):
            yield f"{{{slot}}} is not a slot that may stand here"
    except ParseError as error:
        yield f"not a sentence template: {error}"


def _reaches(rules: dict[str, str], start: str) -> set[str]:
    """Rules that a rule refers to, at any depth."""
    seen = set[str]()
    todo = list(parse(rules[start]).references[1])
    while todo:
        rule = todo.pop()
        if rule in rules and rule not in seen:
            seen.add(rule)
            todo.extend(parse(rules[rule]).references[1])
    return seen
