"""Measures the mind on text: held-out phrasings, dialogues of several turns, and talk that asks for nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

from step_audio_mini.evaluate.intervals import Count, rate
from step_audio_mini.evaluate.measures import slots_right
from step_audio_mini.evaluate.results import Kind, Row, row
from step_audio_mini.think.mind import hearing_of
from step_audio_mini.types import Decision, Hearing, Language

LANGUAGES: dict[Language, str] = {"en": "English", "zh": "Mandarin"}

HELD_OUT, HANDWRITTEN = "held-out phrasings", "hand-written phrasings"
"""Drawn from templates that training never sees; and written by hand, as no template has them."""


class Mind(Protocol):
    """A loaded pack."""

    def dialogue(self, language: Language | None = None) -> Any:
        """A new conversation."""

    def decide(self, hearing: Hearing, dialogue: Any) -> Decision:
        """Understand, run tools, fill the reply."""


Minds = Callable[[str], Mind]
"""The mind with a pack, by the pack's name."""


@dataclass(frozen=True)
class Expected:
    """A right answer: of a phrasing, or of one turn of a dialogue."""

    text: str
    intent: str | None
    slots: Mapping[str, Any]
    tool: str | None
    """Tool that must be called with just these slots; None where none may be."""


@dataclass(frozen=True)
class Case:
    """One line of a test set: one turn or several."""

    id: str
    pack: str
    language: Language
    turns: tuple[Expected, ...]


@cache
def read_set(name: str) -> tuple[Case, ...]:
    """A test set that comes with the package: phrasings, handwritten, dialogues or idle."""
    text = (files("step_audio_mini.evaluate") / "sets" / f"{name}.jsonl").read_text(encoding="utf-8")
    return tuple(_case(json.loads(line)) for line in text.splitlines())


def _case(line: Mapping[str, Any]) -> Case:
    turns = line.get("turns") or [{**line, "call": "call" if line["tool"] else "none"}]
    expected = tuple(
        # the shipped packs name a tool like its intent
        Expected(turn["text"], turn["intent"], turn["slots"], turn["intent"] if turn["call"] == "call" else None)
        for turn in turns
    )
    return Case(line["id"], line["pack"], line["lang"], expected)


def intent_right(expected: Expected, decision: Decision) -> bool:
    """True where the state holds the right intent."""
    return decision.state.intent == expected.intent


def state_right(expected: Expected, decision: Decision) -> bool:
    """True where intent and every slot are right, none missing, none too many."""
    return intent_right(expected, decision) and slots_right(expected.slots, decision.state.slots)


def calls_right(expected: Expected, decision: Decision) -> bool:
    """True where just the right tool was called with just the right arguments, or none where none may be."""
    if expected.tool is None:
        return not decision.tool_calls
    if len(decision.tool_calls) != 1 or decision.tool_calls[0].name != expected.tool:
        return False
    return slots_right(expected.slots, decision.tool_calls[0].arguments)


def measure(minds: Minds, tell: Callable[[str], None]) -> list[Row]:
    """All rows on text; `tell` hears the name of each set."""
    rows: list[Row] = []
    tell("phrasings")
    rows += phrasing_rows((case, _run(minds, case)) for case in read_set("phrasings"))
    tell("hand-written phrasings")
    rows += phrasing_rows(((case, _run(minds, case)) for case in read_set("handwritten")), "text", HANDWRITTEN)
    tell("dialogues")
    rows += _dialogue_rows([(case, _run(minds, case)) for case in read_set("dialogues")])
    tell("idle")
    idle = [(case, _run(minds, case)) for case in read_set("idle")]
    counts = [Count(float(any(d.tool_calls for d in decisions)), 1, case.id) for case, decisions in idle]
    name = "false tool calls, of dialogues where none may be called"
    rows.append(row(name, "home + clock-weather", rate(counts, groups="dialogues"), "text"))
    return rows


def _run(minds: Minds, case: Case) -> list[Decision]:
    """The mind's decisions over the turns of a case, heard perfectly."""
    mind = minds(case.pack)
    dialogue = mind.dialogue(case.language)
    return [mind.decide(hearing_of(turn.text), dialogue) for turn in case.turns]


def phrasing_rows(
    answers: Iterable[tuple[Case, list[Decision]]], kind: Kind = "text", name: str = HELD_OUT, note: str = ""
) -> list[Row]:
    """Intent, state and call of single requests, languages apart; `note` says who spoke them."""
    done = list(answers)
    rows: list[Row] = []
    for language, spoken in LANGUAGES.items():
        pairs = [(case.turns[0], decisions[0]) for case, decisions in done if case.language == language]
        checks = {"intent": intent_right, "intent and slots exact": state_right, "tool call exact": calls_right}
        for measure_name, check in checks.items():
            counts = [Count(float(check(*pair)), 1, str(n)) for n, pair in enumerate(pairs)]
            if counts:
                figure = rate(counts, groups="phrasings", items="phrasings")
                title = f"{measure_name}, {name} in {spoken}"
                rows.append(row(title, "home + clock-weather", figure, kind, note=note))
    return rows


def _dialogue_rows(done: list[tuple[Case, list[Decision]]]) -> list[Row]:
    rows: list[Row] = []
    for name, check in {"joint goal, turns": state_right, "tool calls exact, turns": calls_right}.items():
        counts = [
            Count(float(check(turn, decision)), 1, case.id)
            for case, decisions in done
            for turn, decision in zip(case.turns, decisions, strict=True)
        ]
        figure = rate(counts, groups="dialogues", items="turns")
        rows.append(row(name, "dialogues of 2-4 turns, all packs", figure, "text"))
    whole = [
        Count(float(all(state_right(t, d) for t, d in zip(case.turns, decisions, strict=True))), 1, case.id)
        for case, decisions in done
    ]
    figure = rate(whole, groups="dialogues", items="dialogues")
    rows.append(row("joint goal, whole dialogues", "dialogues of 2-4 turns, all packs", figure, "text"))
    return rows
