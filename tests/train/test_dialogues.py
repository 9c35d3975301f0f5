"""Generated dialogues are consistent, held-out phrasings stay held out, and the channel keeps track of every unit."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from step_audio_mini.think.pack import join
from step_audio_mini.think.pack_file import load_pack
from step_audio_mini.think.sentences import split_of
from step_audio_mini.think.state import Dialogue
from step_audio_mini.think.units import split
from step_audio_mini.train.confusion import Confusion, Rates, confusion_from_lexicons
from step_audio_mini.train.dialogues import Person, Sources, Turn, after
from step_audio_mini.train.mindtexts import MindTexts
from tests.train.mindtexts import EN, ZH, make_texts

pytestmark = pytest.mark.unit
TEXTS = {"en": EN, "zh": ZH}
PACK = join([load_pack(name) for name in ("clock-weather", "coffee", "home")])  # those that the mind is trained on


def person(split_name: str) -> Person:
    return Person(PACK, split_name, Sources(TEXTS, TEXTS))  # type: ignore[arg-type]


TRAIN = person("train")
RNG = random.Random(9)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10**6))
def test_every_turn_follows_from_the_one_before(seed: int) -> None:
    for turn in TRAIN.dialogue(random.Random(seed)):
        check(turn)


def check(turn: Turn) -> None:
    if turn.act in ("request", "inform"):
        intent = PACK.intents[str(turn.intent)]
        assert set(turn.slots) <= set(intent.slots)
        for slot, value in turn.slots.items():
            if slot in turn.carried:
                assert turn.before.state.slots[turn.carried[slot]] == value
            else:
                assert turn.said.values[slot] == value
        assert (turn.call == "ask") == bool(intent.missing(turn.slots))
    if turn.act == "affirm":
        assert turn.before.last_act == "confirm"
        assert turn.state == turn.before.state
    if turn.act in ("cancel", "deny"):
        assert turn.state.intent is None
    if turn.act == "out_of_scope":
        assert turn.call == "none"
        assert turn.state == turn.before.state


def test_all_kinds_of_turns_come_up() -> None:
    rng, acts = random.Random(3), set[str]()
    informed = carried = 0
    for _ in range(400):
        for turn in TRAIN.dialogue(rng):
            acts.add(turn.act)
            informed += turn.act == "inform"
            carried += turn.act == "request" and bool(turn.carried)
    assert acts == {"request", "inform", "affirm", "deny", "cancel", "repeat", "out_of_scope"}
    assert informed > 20
    assert carried > 0


@pytest.mark.parametrize("name", ["train", "test"])
def test_phrasings_of_a_split_are_of_that_split(name: str) -> None:
    people, rng = person(name), random.Random(1)
    for intent in PACK.intents:
        said = people.phrases.request(intent, "en", rng)
        if said is not None:
            assert split_of(f"en {intent} {said.key}") == name


def test_the_same_seed_gives_the_same_dialogue() -> None:
    assert TRAIN.dialogue(random.Random(5)) == TRAIN.dialogue(random.Random(5))


def test_scraps_of_requests_do_not_make_a_request() -> None:
    own = {unit for intent in PACK.intents for _ in range(20) if (said := TRAIN.phrases.request(intent, "en", RNG))
           for unit in said.units}  # fmt: skip
    plain = {unit for text in EN for unit in split(text)}
    turns = [TRAIN._off_topic(Dialogue(), "en", RNG) for _ in range(200)]
    assert all(t is not None and t.act == "out_of_scope" and t.call == "none" for t in turns)
    with_scrap = sum(bool(set(t.said.units) & (own - plain)) for t in turns if t)
    assert 20 < with_scrap < 80


def test_after_an_asked_question_the_dialogue_waits() -> None:
    rng = random.Random(0)
    while True:
        for turn in TRAIN.dialogue(rng):
            if turn.call == "ask":
                memory = after(PACK, turn, rng)
                assert (memory.last_act, memory.asked) == ("ask", PACK.intents[str(turn.intent)].missing(turn.slots)[0])
                return


@settings(deadline=None)
@given(st.lists(st.sampled_from(["turn", "on", "the", "light", "开", "灯"]), max_size=12), st.integers(0, 999))
def test_the_channel_knows_where_every_unit_went(units: list[str], seed: int) -> None:
    channel = Confusion({"light": ["night"]}, {False: ["you"], True: ["的"]})
    heard = channel.hear(units, random.Random(seed), level=0.4)
    assert len(heard.places) == len(units)
    went = [p for p in heard.places if p >= 0]
    assert went == sorted(set(went))
    assert all(0 <= u.confidence <= 1 for u in heard.units)
    assert sum(heard.units[p].text != u for u, p in zip(units, heard.places, strict=True) if p >= 0) <= heard.errors


def test_without_errors_everything_arrives() -> None:
    channel = Confusion({}, {False: ["you"], True: ["的"]}, Rates())
    heard = channel.hear(["turn", "on"], random.Random(1), level=0.0)
    assert ([u.text for u in heard.units], heard.places, heard.errors) == (["turn", "on"], (0, 1), 0)


def test_what_sounds_alike_is_confused(tmp_path: Path) -> None:
    channel = confusion_from_lexicons(make_texts(tmp_path), ["light", "kitchen", "灯", "客"])
    rng = random.Random(2)
    assert "night" in {channel.near("light", rng) for _ in range(30)}
    assert "等" in {channel.near("灯", rng) for _ in range(30)}


def test_what_a_pack_is_for_is_never_elsewhere(tmp_path: Path) -> None:
    texts = MindTexts(make_texts(tmp_path))
    assert "what is my balance" in texts.elsewhere["en"]
    assert "set a timer" not in texts.elsewhere["en"]
    names = texts.names("zh", random.Random(1), 5)
    assert len(names) == 5
    assert all(2 <= len(split(name)) <= 3 for name in names)
