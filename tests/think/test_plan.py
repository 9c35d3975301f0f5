"""A turn is planned without any effect, may be thrown away, and is carried out once."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from step_audio_mini.think.alphabet import Role
from step_audio_mini.think.mind import Mind, hearing_of, shipped_tools
from step_audio_mini.think.state import Dialogue
from step_audio_mini.think.store import Store
from step_audio_mini.think.tools import Outcome

from .fakes import RandomNet, WishNet, make_mind

pytestmark = pytest.mark.unit
WORDS = [*["turn", "on", "the", "kitchen", "lights", "what", "time", "is", "it"], *"把客厅的灯调到五分钟"]


class SeededNet(RandomNet):
    """Random scores that are the same for every turn with the same words."""

    def __init__(self) -> None:
        super().__init__(0)

    def encode(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        super().__init__(int(inputs["pieces"].sum()))
        return super().encode(inputs)


SEEDED = [make_mind(SeededNet(), shipped_tools(Store(None)), "home") for _ in range(2)]


def lights(*more: str) -> WishNet:
    return WishNet(
        {
            Role.ACT: ["act:request", *more], Role.INTENT: ["HassTurnOn"], Role.SLOT: ["area", "domain", "end_slots"],
            Role.START: [3, 4], Role.END: [3, 4], Role.CALL: ["call:call"], Role.STYLE: ["style:neutral"],
        }
    )  # fmt: skip


def clock() -> Mind:
    net = WishNet({Role.ACT: ["act:request"], Role.INTENT: ["HassGetCurrentTime"], Role.CALL: ["call:call"]})
    return make_mind(net, {}, "clock-weather")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=12), min_size=1, max_size=4))
def test_planning_is_pure_and_the_steps_together_are_the_decision(turns: list[list[str]]) -> None:
    minds = SEEDED
    stepped, decided = (mind.dialogue() for mind in minds)
    for words in turns:
        hearing = hearing_of(" ".join(words))
        before = copy.deepcopy(stepped)
        plan = minds[0].plan(hearing, stepped)
        assert minds[0].plan(hearing, stepped) == plan
        assert stepped == before
        decision = minds[0].complete(plan, minds[0].run(plan), stepped)
        assert decision == minds[1].decide(hearing, decided)
        assert stepped == decided
        assert bool(plan.calls) != bool(plan.reply)
        assert bool(plan.calls) == bool(plan.waiting)


def test_no_tool_runs_before_it_is_told_to() -> None:
    done: list[Mapping[str, Any]] = []
    mind = make_mind(lights(), {"HassTurnOn": lambda a: done.append(a) or {}})  # type: ignore[func-returns-value]
    dialogue = mind.dialogue()
    plan = mind.plan(hearing_of("turn on the kitchen lights"), dialogue)
    assert (done, plan.reply, plan.opening, plan.waiting) == ([], "", "", "One moment.")
    assert (plan.calls[0].name, plan.calls[0].result) == ("HassTurnOn", None)
    assert mind.run(plan) == (Outcome("done", {}),)
    assert len(done) == 1


def test_the_fixed_part_of_an_answer_comes_before_its_result() -> None:
    mind = clock()
    dialogue = mind.dialogue()
    plan = mind.plan(hearing_of("what time is it"), dialogue)
    assert plan.opening == "It is "
    decision = mind.complete(plan, [Outcome("done", {"time": "14:20"})], dialogue)
    assert decision.reply == "It is 14:20."
    assert decision.tool_calls[0].result == {"time": "14:20", "outcome": "done"}


def test_a_chinese_answer_has_its_fixed_part_too() -> None:
    mind = clock()
    assert mind.plan(hearing_of("现在几点"), mind.dialogue()).opening == "现在"


def test_a_failed_tool_ends_in_an_apology() -> None:
    mind = clock()
    dialogue = mind.dialogue()
    decision = mind.complete(mind.plan(hearing_of("time"), dialogue), [Outcome("timeout", {})], dialogue)
    assert (decision.style.emotion, dialogue.last_act) == ("sorry", "sorry")


def test_an_accepted_turn_is_what_the_next_is_about_while_its_tool_still_runs() -> None:
    mind = make_mind(lights("act:repeat"), {})
    dialogue = mind.dialogue()
    first = mind.plan(hearing_of("turn on the kitchen lights"), dialogue)
    mind.accept(first, dialogue)
    mind.accept(first, dialogue)
    assert (dialogue.turns, dialogue.state.intent) == (1, "HassTurnOn")
    second = mind.plan(hearing_of("say that again"), dialogue)
    mind.complete(second, [], dialogue)
    state, act = dialogue.state, dialogue.last_act
    late = mind.complete(first, [Outcome("failed", {})], dialogue)
    assert late.reply == "Sorry, that did not work."
    assert (dialogue.turns, dialogue.state, dialogue.last_act) == (2, state, act)
    assert dialogue.last_reply == late.reply


def test_every_call_has_its_outcome() -> None:
    mind = clock()
    dialogue = mind.dialogue()
    plan = mind.plan(hearing_of("what time is it"), dialogue)
    with pytest.raises(ValueError, match="argument"):
        mind.complete(plan, [], dialogue)


def test_a_question_that_was_hardly_heard_was_not_asked() -> None:
    heard = Dialogue(last_act="confirm", last_reply="Shall I order a large latte?")
    heard.cut_short("Shall I order a")
    assert heard.pending
    heard.cut_short("Shall I")
    assert not heard.pending
    done = Dialogue(last_act="done", last_reply="One large latte, coming up.")
    done.cut_short("")
    assert done.last_act == "done"
