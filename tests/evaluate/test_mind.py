from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from step_audio_mini.evaluate.mind import Case, Expected, calls_right, measure, read_set, state_right
from step_audio_mini.types import Decision, DialogueState, Hearing, Language, Style, ToolCall

pytestmark = pytest.mark.unit


def decision(intent: str | None, slots: Mapping[str, Any], *calls: ToolCall) -> Decision:
    return Decision("request", DialogueState(intent, slots), calls, "", "en", Style(), 1.0)


class Knowing:
    """A mind that looks the right answers up, except that it never answers in Chinese and never remembers."""

    def __init__(self) -> None:
        sets = (read_set("phrasings"), read_set("dialogues"))
        self.answers = {turn.text: turn for cases in sets for case in cases for turn in case.turns}

    def dialogue(self, language: Language | None = None) -> str:
        return str(language)

    def decide(self, hearing: Hearing, dialogue: Any) -> Decision:
        text = "".join(hearing.best.text.split())
        found = next((t for t in self.answers.values() if "".join(t.text.split()) == text), None)
        if found is None or dialogue == "zh":
            return decision(None, {})
        calls = [ToolCall(found.tool, found.slots)] if found.tool else []
        return decision(found.intent, found.slots, *calls)


def test_shipped_sets_are_what_the_figures_promise() -> None:
    phrasings, dialogues, idle = (read_set(name) for name in ("phrasings", "dialogues", "idle"))
    handwritten = read_set("handwritten")
    assert [sum(case.language == lang for case in handwritten) for lang in ("en", "zh")] == [60, 60]
    assert not {case.turns[0].text for case in handwritten} & {case.turns[0].text for case in phrasings}
    assert [sum(case.language == lang for case in phrasings) for lang in ("en", "zh")] == [100, 100]
    assert all(len(case.turns) == 1 and case.turns[0].tool for case in phrasings if case.turns[0].tool)
    assert len(dialogues) >= 100
    assert all(2 <= len(case.turns) <= 4 for case in dialogues)
    assert len(idle) >= 200
    assert not any(turn.tool for case in idle for turn in case.turns)
    for cases in (phrasings, handwritten, dialogues, idle):
        assert len({case.id for case in cases}) == len(cases)
        assert len({tuple(t.text for t in case.turns) for case in cases}) == len(cases)


def test_rows_of_a_mind_that_knows_english() -> None:
    seen: list[str] = []
    rows = {r.measure: r for r in measure(lambda pack: Knowing(), seen.append)}
    assert seen == ["phrasings", "hand-written phrasings", "dialogues", "idle"]
    assert rows["intent, held-out phrasings in English"].value == 100
    assert rows["tool call exact, held-out phrasings in English"].n == 100
    assert rows["intent, held-out phrasings in Mandarin"].value == 0
    assert rows["tool call exact, hand-written phrasings in English"].n == 60
    assert 0 < rows["joint goal, whole dialogues"].value < 100
    assert rows["joint goal, turns"].over == "dialogues"
    assert rows["false tool calls, of dialogues where none may be called"].n >= 200
    assert all(r.kind == "text" for r in rows.values())


@pytest.mark.parametrize(
    ("given", "state", "calls"),
    [
        (decision("A", {"x": 1}, ToolCall("A", {"x": 1})), True, True),
        (decision("A", {"x": 1.0}), True, False),
        (decision("A", {"x": 2}, ToolCall("A", {"x": 2})), False, False),
        (decision("A", {"x": 1, "y": 1}, ToolCall("A", {"x": 1})), False, True),
        (decision("B", {"x": 1}, ToolCall("B", {"x": 1})), False, False),
        (decision("A", {"x": 1}, ToolCall("A", {"x": 1}), ToolCall("A", {"x": 1})), True, False),
    ],
)
def test_what_counts_as_right(given: Decision, state: bool, calls: bool) -> None:
    expected = Expected("", "A", {"x": 1}, "A")
    assert state_right(expected, given) == state
    assert calls_right(expected, given) == calls
    assert calls_right(Expected("", "A", {}, None), given) == (not given.tool_calls)


def test_case_is_plain_data() -> None:
    assert Case("a", "home", "en", ()) == Case("a", "home", "en", ())
