"""A turn becomes a valid decision whatever the network scores; what it writes really happens and is spoken about."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from step_audio_mini.think.alphabet import ACTS, Role
from step_audio_mini.think.mind import Mind, hearing_of, shipped_tools
from step_audio_mini.think.state import Dialogue
from step_audio_mini.think.store import Store
from step_audio_mini.think.units import units_of
from step_audio_mini.types import Attributes, Decision, Hearing, Hypothesis, Language, Word

from .fakes import RandomNet, WishNet, make_mind

pytestmark = pytest.mark.unit
WORDS = [*["turn", "on", "the", "kitchen", "lights", "forty", "percent"], *"把客厅的灯调到五分钟"]
RANDOM = make_mind(RandomNet(1), shipped_tools(Store(None)), "home", "clock-weather")


def check(mind: Mind, decision: Decision) -> None:
    """The laws of every decision."""
    pack = mind.pack
    assert decision.act in ACTS
    assert decision.reply
    assert "[" not in decision.reply
    if decision.state.intent is not None:
        intent = pack.intents[decision.state.intent]
        assert set(decision.state.slots) <= set(intent.slots)
    for call in decision.tool_calls:
        assert decision.state.intent is not None
        assert call.name == pack.intents[decision.state.intent].tool
        assert not pack.intents[decision.state.intent].missing(call.arguments)
        assert call.result is not None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=4))
def test_any_text_gives_valid_decisions_with_a_random_network(texts: list[str]) -> None:
    dialogue = RANDOM.dialogue()
    for text in texts:
        check(RANDOM, RANDOM.decide(hearing_of(text), dialogue))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=30))
def test_words_of_the_pack_give_valid_decisions_too(words: list[str]) -> None:
    dialogue = RANDOM.dialogue()
    for _ in range(3):
        check(RANDOM, RANDOM.decide(hearing_of(" ".join(words)), dialogue))


def turn_on_kitchen_lights() -> WishNet:
    return WishNet(
        {
            Role.ACT: ["act:request"], Role.INTENT: ["HassTurnOn"], Role.SLOT: ["area", "domain", "end_slots"],
            Role.START: [3, 4], Role.END: [3, 4], Role.CALL: ["call:call"], Role.STYLE: ["style:neutral"],
        }
    )  # fmt: skip


def test_a_request_is_done_and_answered() -> None:
    store = Store(None)
    mind = make_mind(turn_on_kitchen_lights(), shipped_tools(store))
    dialogue = mind.dialogue()
    decision = mind.decide(hearing_of("turn on the kitchen lights"), dialogue)
    assert decision.state.slots == {"area": "kitchen", "domain": "light"}
    assert decision.tool_calls[0].name == "HassTurnOn"
    assert decision.reply == "The kitchen light is on."
    assert store.get("home/light/kitchen/lights")["state"] == "on"
    assert dialogue.last_act == "done"


def test_a_chinese_request_is_answered_in_chinese() -> None:
    net = turn_on_kitchen_lights()
    net._wishes |= {Role.START: [2, 5], Role.END: [3, 5]}
    mind = make_mind(net, shipped_tools(Store(None)))
    decision = mind.decide(hearing_of("打开厨房的灯"), mind.dialogue())
    assert (decision.language, decision.reply) == ("zh", "厨房的灯打开了。")


@pytest.mark.parametrize(("language", "asked"), [("zh", "您还在吗？"), ("en", "Are you still there?")])
def test_a_prompt_is_a_question_in_the_language_of_the_dialogue(language: Language, asked: str) -> None:
    mind = make_mind(WishNet({}), {})
    dialogue = mind.dialogue(language)
    before = replace(dialogue)
    assert mind.prompt(dialogue) == (asked, language)
    assert dialogue == before


def test_silence_is_not_understood_and_changes_nothing() -> None:
    mind = make_mind(WishNet({}), {})
    dialogue = mind.dialogue("zh")
    silence = Hearing((), Attributes(0.0, 0.0, None), np.zeros((0, 192), np.float32))
    decision = mind.decide(silence, dialogue)
    assert (decision.act, decision.reply, decision.tool_calls) == ("not_understood", "对不起，我没听清。", ())


def test_a_missing_slot_is_asked_for_and_then_filled() -> None:
    net = WishNet({Role.ACT: ["act:request", "act:inform"], Role.INTENT: ["HassTurnOn", "HassTurnOn"],
                   Role.SLOT: ["area", "end_slots", "name", "end_slots"], Role.START: [3, 1], Role.END: [],
                   Role.CALL: ["call:call"]})  # fmt: skip
    mind = make_mind(net, shipped_tools(Store(None)))
    dialogue = mind.dialogue()
    first = mind.decide(hearing_of("turn on the kitchen something"), dialogue)
    assert (first.tool_calls, dialogue.asked, first.reply) == ((), "name", "Which device?")
    second = mind.decide(hearing_of("the coffee machine"), dialogue)
    assert second.tool_calls[0].arguments == {"name": "coffee machine"}


@pytest.mark.parametrize(
    ("tool", "reply"),
    [
        (lambda arguments: arguments["no"], "Sorry, that did not work."),
        (lambda _: time.sleep(5), "Sorry, that took too long, so I stopped waiting."),
        (lambda _: 7, "Sorry, that did not work."),
    ],
)
def test_a_broken_tool_gets_a_spoken_apology(tool: Any, reply: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mind = make_mind(turn_on_kitchen_lights(), {"HassTurnOn": tool})
    quick = {n: t.model_copy(update={"deadline_s": 0.1}) for n, t in mind.pack.tools.items()}
    monkeypatch.setattr(mind.toolbox, "_tools", quick)
    decision = mind.decide(hearing_of("turn on the kitchen lights"), mind.dialogue())
    assert (decision.reply, decision.style.emotion) == (reply, "sorry")


def test_a_tool_nobody_connected_is_admitted() -> None:
    decision = (mind := make_mind(turn_on_kitchen_lights(), {})).decide(
        hearing_of("turn on the kitchen lights"), mind.dialogue()
    )
    assert decision.reply.startswith("I understood, but nothing is connected")


def test_an_unsure_call_is_confirmed_and_yes_does_it() -> None:
    done: list[Mapping[str, Any]] = []
    net = turn_on_kitchen_lights()
    net._wishes |= {Role.CALL: ["call:confirm"], Role.ACT: ["act:request", "act:affirm"]}
    mind = make_mind(net, {"HassTurnOn": lambda a: done.append(a) or {}})  # type: ignore[func-returns-value]
    dialogue = mind.dialogue()
    asked = mind.decide(hearing_of("turn on the kitchen lights"), dialogue)
    assert (asked.reply, asked.tool_calls, done) == ("Shall I turn on the kitchen light?", (), [])
    mind.decide(hearing_of("yes please"), dialogue)
    assert done == [{"area": "kitchen", "domain": "light"}]


@pytest.mark.parametrize("act", ["request", "inform", "deny", "cancel", "repeat"])
def test_what_is_hardly_believed_is_asked_for_again(act: str) -> None:
    mind = make_mind(WishNet({Role.ACT: [f"act:{act}"]}, strength=0.3), shipped_tools(Store(None)))
    dialogue = mind.dialogue()
    dialogue.last_reply = "It is noon."
    decision = mind.decide(hearing_of("yes"), dialogue)
    assert (decision.act, decision.tool_calls, decision.reply) == ("not_understood", (), "Sorry, I did not catch that.")


def test_a_value_that_is_none_is_never_written() -> None:
    net = turn_on_kitchen_lights()
    # the network wants "turn" as a room, again and again
    net._wishes |= {Role.START: [0] * 8, Role.END: [0] * 8, Role.SLOT: ["area", "area", "end_slots"], Role.CALL: []}
    mind = make_mind(net, shipped_tools(Store(None)))
    decision = mind.decide(hearing_of("turn on the kitchen lights"), mind.dialogue())
    assert "area" not in decision.state.slots or decision.state.slots["area"] == "kitchen"


def test_repeat_says_the_last_answer_again_slowly() -> None:
    net = turn_on_kitchen_lights()
    net._wishes[Role.ACT] = ["act:request", "act:repeat"]
    mind = make_mind(net, shipped_tools(Store(None)))
    dialogue = mind.dialogue()
    first = mind.decide(hearing_of("turn on the kitchen lights"), dialogue)
    second = mind.decide(hearing_of("say that again"), dialogue)
    assert (second.reply, second.tool_calls) == (first.reply, ())
    assert second.style.speed < 1


def test_confidences_and_alternatives_are_read() -> None:
    words = tuple(Word(w, 0.0, 0.1, c, "en") for w, c in (("turn", 0.95), ("on", 0.55)))
    other = (Word("turn", 0.0, 0.1, 0.5, "en"), Word("off", 0.0, 0.1, 0.5, "en"))
    hearing = Hearing(
        (Hypothesis(words, -1.0), Hypothesis(other, -2.0)), Attributes(20.0, 4.0, None), np.zeros((3, 192), np.float32)
    )
    reading = RANDOM._reader.read(Dialogue(), [units_of(h) for h in hearing.nbest])
    assert [tuple(u.text for u in h) for h in reading.hypotheses] == [("turn", "on"), ("turn", "off")]
    assert reading.confidences.tolist()[2:4] == [5, 2]
    check(RANDOM, RANDOM.decide(hearing, RANDOM.dialogue()))


def test_a_turn_that_was_but_a_beginning_is_taken_back() -> None:
    net = WishNet({Role.ACT: ["act:request"], Role.INTENT: ["HassTurnOn"], Role.SLOT: ["area", "end_slots"],
                   Role.START: [3], Role.END: [3], Role.CALL: []})  # fmt: skip
    mind = make_mind(net, shipped_tools(Store(None)))
    dialogue = mind.dialogue("zh")
    decision = mind.decide(hearing_of("turn on the kitchen"), dialogue)
    assert not decision.tool_calls and dialogue != mind.dialogue("zh")
    dialogue.take_back()
    assert replace(dialogue, turns=0) == mind.dialogue("zh")
    dialogue.take_back()
    assert replace(dialogue, turns=0) == mind.dialogue("zh")


def test_what_was_done_is_not_taken_back() -> None:
    mind = make_mind(turn_on_kitchen_lights(), shipped_tools(Store(None)))
    dialogue = mind.dialogue()
    mind.decide(hearing_of("turn on the kitchen lights"), dialogue)
    done = replace(dialogue)
    dialogue.take_back()
    assert dialogue == done
