"""Slot values: said exactly, said a little wrong, not said at all; and where they stand in a sentence."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.think.pack_file import load_pack
from step_audio_mini.think.units import split
from step_audio_mini.think.values import Values

pytestmark = pytest.mark.unit
HOME, COFFEE = Values(load_pack("home")), Values(load_pack("coffee"))


@pytest.mark.parametrize(
    ("slot", "said", "value"),
    [
        ("area", "the living room", "living room"), ("area", "lounge", "living room"),
        ("area", "客厅的", "living room"),
        ("area", "课厅", "living room"), ("name", "ceeling fan", "ceiling fan"), ("domain", "灯", "light"),
        ("brightness", "百分之四十", 40), ("brightness", "forty percent", 40), ("temperature", "21.5", 21.5),
        ("message", "dinner is ready", "dinner is ready"), ("color", "暖光", "warm white"),
    ],
)  # fmt: skip
def test_what_is_said_becomes_a_canonical_value(slot: str, said: str, value: object) -> None:
    assert HOME.normalise(slot, split(said)) == value


@pytest.mark.parametrize(
    ("slot", "said"), [("area", "elephant"), ("brightness", "two hundred"), ("temperature", "red")]
)
def test_what_is_no_value_is_none(slot: str, said: str) -> None:
    assert HOME.normalise(slot, split(said)) is None


def test_every_expansion_of_a_template_is_a_value_of_its_own() -> None:
    assert COFFEE.normalise("milkAmount", split("a little bit of skim milk")) == "a little bit of skim milk"
    assert COFFEE.normalise("milkAmount", split("cream")) == "cream"


@given(st.sampled_from(list(HOME.pack.slot_names)), st.lists(st.text(max_size=8), max_size=5))
def test_no_words_make_it_fail(slot: str, words: list[str]) -> None:
    HOME.normalise(slot, words)


@given(st.integers(0, 10**6), st.sampled_from(["en", "zh"]))
def test_drawn_values_are_understood(seed: int, language: str) -> None:
    rng = random.Random(seed)
    slot = rng.choice([s for s in HOME.pack.slot_names if s != "message"])
    drawn = HOME.draw(slot, language, rng)  # type: ignore[arg-type]
    assert drawn is not None
    assert HOME.normalise(slot, split(drawn[0])) == drawn[1]


def test_values_are_found_where_they_stand() -> None:
    units = split("set the living room lights to forty two percent")
    found = {(m.first, m.last, HOME.pack.slot_names[s]) for m in HOME.matches(units) for s in m.slots}
    assert {(2, 3, "area"), (4, 4, "domain"), (6, 7, "brightness"), (6, 7, "position")} <= found
    assert (6, 6, "brightness") not in found


def test_times_and_days_are_found() -> None:
    clock = Values(load_pack("clock-weather"))
    units = split("明天早上七点半叫我")
    found = {(m.first, m.last, clock.pack.slot_names[s]) for m in clock.matches(units) for s in m.slots}
    assert {(0, 1, "date"), (2, 6, "time")} <= found
