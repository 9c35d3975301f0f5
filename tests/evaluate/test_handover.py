"""The threshold of a hand-over, and what it is told to do."""

from __future__ import annotations

from typing import Any

import pytest

from step_audio_mini.evaluate.handover import Judged, judge, measure, threshold
from step_audio_mini.evaluate.mind import read_set
from step_audio_mini.think.plan import MEANT, Plan
from step_audio_mini.types import DialogueState, Hearing, Language, Style

pytestmark = pytest.mark.unit


def plan(meant: float, act: str = "request") -> Plan:
    return Plan(
        act=act, state=DialogueState(), calls=(), reply="", opening="", waiting="", language="en", style=Style(),
        confidence=1.0, meant=meant, system="done", asked=None, keeps=False, turn=0,
    )  # fmt: skip


class KnowsAll:
    """A mind that is sure of every request, and of nothing else."""

    def __init__(self) -> None:
        names = ("phrasings", "handwritten", "dialogues", "idle")
        self.requests = {c.turns[0].text for name in names for c in read_set(name) if c.turns[0].intent}

    def dialogue(self, language: Language | None = None) -> Any:
        return None

    def plan(self, hearing: Hearing, dialogue: Any) -> Plan:
        texts = {text.replace(" ", "") for text in self.requests}
        return plan(0.95 if hearing.best.text.replace(" ", "") in texts else 0.05)


def test_a_mind_that_knows_hands_over_just_what_is_open() -> None:
    rows = measure(KnowsAll(), lambda _: None)
    assert {row.value for row in rows if "falsely" in row.measure} == {0.0}
    assert {row.value for row in rows if "falsely" not in row.measure} == {100.0}
    assert {row.n for row in rows if row.measure.startswith("open questions")} == {40}


def test_the_threshold_loses_no_request() -> None:
    scores = [(0.9, True), (0.4, True), (0.35, False), (0.1, False), (0.6, False)]
    judged = [Judged(str(n), "en", asks, plan(meant)) for n, (meant, asks) in enumerate(scores)]
    above = threshold(judged)
    assert all(one.plan.openness <= above for one in judged if one.asks)
    assert sum(one.plan.openness > above for one in judged if not one.asks) == 2


def test_words_about_the_conversation_are_never_open() -> None:
    assert not any(plan(0.0, act).is_open for act in ("repeat", "cancel", "affirm", "deny"))
    assert plan(0.0, "out_of_scope").is_open
    assert not plan(MEANT + 0.01).is_open


def test_every_set_is_judged_by_its_first_turns() -> None:
    judged = judge(KnowsAll(), "open")
    assert len(judged) == len(read_set("open")) == 80
    assert not any(one.asks for one in judged)
