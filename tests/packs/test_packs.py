"""The shipped packs: sound, sayable in every language they claim, attributed, and able to answer."""

import random

import pytest

from step_audio_mini.think.pack_file import available, load_pack
from step_audio_mini.think.phrases import Phrases
from step_audio_mini.think.reply import Replies, repair
from step_audio_mini.think.sentences import Templates
from step_audio_mini.think.values import Values
from step_audio_mini.types import DialogueState, SlotValue

pytestmark = pytest.mark.unit
PACKS = available()
TEXTS = {"en": ["dinner is ready"], "zh": ["吃饭了"]}


def test_the_packs_are_there() -> None:
    assert PACKS == ["clock-weather", "coffee", "home", "manners"]


@pytest.mark.parametrize("name", PACKS)
def test_templates_taken_from_others_are_attributed(name: str) -> None:
    assert load_pack(name).attribution


@pytest.mark.parametrize("name", PACKS)
def test_every_intent_can_be_said_and_understood_from_its_own_words(name: str) -> None:
    """Values drawn into sentences are read back from the units they stand on."""
    pack, rng = load_pack(name), random.Random(1)
    phrases = Phrases(pack, "train", TEXTS)  # type: ignore[arg-type]
    for intent in pack.intents:
        for language in pack.languages:
            said = phrases.request(intent, language, rng)
            assert said is not None, f"{intent} has no sentence in {language}"
            for slot, (first, last) in said.spans.items():
                assert phrases.values.normalise(slot, said.units[first : last + 1]) == said.values[slot]


@pytest.mark.parametrize("name", PACKS)
def test_every_complete_request_has_a_reply_in_its_language(name: str) -> None:
    """Whatever slots a sentence fills, `done` can be said; required slots can be asked for."""
    pack, rng = load_pack(name), random.Random(2)
    values, phrases = Values(pack), Phrases(pack, "train", TEXTS)  # type: ignore[arg-type]
    replies = Replies(pack, values)
    for intent, about in pack.intents.items():
        results = {k: "x" for tool in pack.tools.values() for k in tool.returns} | {"state_zh": "开着", "time_zh": "x",
                   "date_zh": "x", "left": "x", "left_zh": "x", "alarms": "x", "alarms_zh": "x", "weather": "x",
                   "weather_zh": "x"}  # fmt: skip
        for language in pack.languages:
            for _ in range(12):
                said = phrases.request(intent, language, rng)
                assert said is not None
                slots: dict[str, SlotValue] = {s: v for s, v in said.values.items() if s in about.slots}
                if missing := about.missing(slots):
                    assert replies.ask(missing[0], language, 0)
                    continue
                reply = replies.outcome(DialogueState(intent, slots), "done", language, 0, results)
                assert reply, (intent, language, slots)
                assert "[" not in reply


@pytest.mark.parametrize("name", PACKS)
def test_templates_are_rich_but_never_expanded(name: str) -> None:
    pack = load_pack(name)
    for language in pack.languages:
        templates = Templates(pack, language)
        assert sum(templates.count(t) for _, t in pack.sentences(language)) > (1000 if pack.tools else 100)


def test_a_time_at_the_end_of_a_sentence_has_one_full_stop() -> None:
    pack = load_pack("clock-weather")
    state = DialogueState("HassGetCurrentTime", {})
    reply = Replies(pack, Values(pack)).outcome(state, "done", "en", 0, {"time": "12:22 a.m."})
    assert reply == "It is 12:22 a.m."


def test_repair_acts_can_be_said_in_both_languages() -> None:
    for act in ("affirm", "deny", "cancel", "repeat"):
        assert all(repair()["sentences"][act][language] for language in ("en", "zh"))
    for name in ("not_understood", "out_of_scope", "cancelled", "failed", "timeout", "unconnected"):
        assert all(repair()["replies"][name][language] for language in ("en", "zh"))
