from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from step_audio_mini import StepAudio2Mini
from step_audio_mini.data.cache import Cache, build_cache
from step_audio_mini.evaluate.conditions import CONDITIONS, NOISY, World
from step_audio_mini.evaluate.ears import Heard
from step_audio_mini.evaluate.robust import SHUT, WAYS, RobustTest, measure, order_rows
from step_audio_mini.evaluate.talk import TalkTest
from step_audio_mini.text.lexicon import Lexicon
from step_audio_mini.types import Attributes, Decision, Hearing, Samples
from tests.data.conftest import MakePack, make_pack  # noqa: F401 - a fixture
from tests.fakes import FakeRooms

pytestmark = pytest.mark.unit


class Halved:
    """Ears that hear the first syllable only."""

    def hear(self, samples: Samples) -> Heard:
        raise AssertionError("no words are asked for")

    def units(self, samples: Samples) -> Sequence[str]:
        return ("n", "i3")


@pytest.fixture
def test(make_pack: MakePack, tmp_path: Path) -> RobustTest:  # noqa: F811
    base = {"split": "test", "seconds": 1.0}
    right = {"intent": "HassTurnOn", "slots": {"name": "light"}, "lang": "en"}
    sti = [base | right | {"id": f"sti/{n}", "speaker": "trained" if n == 3 else f"s{n}"} for n in range(4)]
    sti[1] |= {"slots": {"name": "fan"}}
    zh = [base | {"id": "z", "speaker": "z", "lang": "zh", "text": "你好", "pinyin": "ni3 hao3"}]
    yue = base | {"id": "y", "speaker": "y", "lang": "yue", "text": "你好", "pinyin": "nei5 hou2"}
    build_cache([make_pack("sti", sti), make_pack("cv_rsample", [*zh, yue])], tmp_path / "cache")
    world = World([np.arange(-8000, 8000, dtype=np.int16)], [np.ones(1, np.float32)])
    talk = TalkTest(StepAudio2Mini(FakeRooms()), Cache.open(tmp_path / "cache"), trained=frozenset({"trained"}))
    return RobustTest(talk, Halved(), Lexicon({}), world)


def test_every_condition_has_its_rows(test: RobustTest) -> None:
    seen: list[str] = []
    rows = {row.measure: row for row in measure(test, seen.append)}
    assert tuple(seen) == CONDITIONS
    for condition in CONDITIONS:
        for way in WAYS:
            orders = rows[f"all slots right, {way}, {condition}"]
            assert orders.value == pytest.approx(200 / 3)  # one wrong, one left out
            assert orders.n == 3
        assert rows[f"toneless-syllable error, greedy, {condition}"].value == 50
        assert rows[f"toneless-syllable error, greedy, {condition}"].data == "cv_rsample"
        assert (f"error of the SNR estimate, {condition}" in rows) == ("noise" in condition)
    assert rows["error of the SNR estimate, noise 20 dB"].unit == "dB"
    assert "phone error, greedy, clean" not in rows  # no English clip
    assert len(NOISY) == 5
    assert "no recording of a car" in rows["drink right, words alone, car-like noise 0 dB"].note


@pytest.mark.parametrize("open_gate", [False, True])
def test_a_gate_that_changes_nothing_is_called_shut(
    test: RobustTest, monkeypatch: pytest.MonkeyPatch, open_gate: bool
) -> None:
    think = test.talk.model.think

    def decide(hearing: Hearing, pack: str) -> Decision:
        decision = think(hearing, pack)
        return replace(decision, confidence=0.5) if open_gate and len(hearing.vectors) else decision

    monkeypatch.setattr(test.talk.model, "think", decide)
    rows = order_rows(test, test.talk.clips(["sti"], 9), "clean")
    assert [SHUT in row.note for row in rows] == [not open_gate] * 6


def test_the_ways_change_what_they_say_and_nothing_else() -> None:
    hearing = Hearing((), Attributes(3.0, 4.0, None), np.ones((2, 4), np.float32))
    whole, steady, blind = (change(hearing) for change in WAYS.values())
    assert whole is hearing
    assert (steady.attributes, len(steady.vectors)) == (Attributes(20.0, 4.0, None), 2)
    assert (blind.attributes, blind.vectors.shape) == (hearing.attributes, (0, 4))
