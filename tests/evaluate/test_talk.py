from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from step_audio_mini import StepAudio2Mini
from step_audio_mini.data.cache import Cache, build_cache
from step_audio_mini.evaluate import talk
from step_audio_mini.evaluate.talk import TalkTest, ending, is_clean
from step_audio_mini.types import AudioChunk
from tests.data.conftest import MakePack, make_pack  # noqa: F401 - a fixture
from tests.fakes import FakeRooms, speech

pytestmark = pytest.mark.unit


@pytest.fixture
def test(make_pack: MakePack, tmp_path: Path) -> TalkTest:  # noqa: F811
    order = {"intent": "HassTurnOn", "slots": {"name": "light"}, "lang": "en", "speaker": "a"}
    other = order | {"slots": {"name": "fan", "coffeeDrink": "mocha"}, "speaker": "b"}
    base = {"split": "test", "seconds": 1.0}
    sti = [
        {"id": "1"} | base | order,
        {"id": "2"} | base | other,
        {"id": "3", "split": "train", "seconds": 1.0} | order,
    ]
    read = [{"id": f"r{n}", "speaker": f"s{n}", "lang": "zh", "text": "你好"} | base for n in range(3)]
    build_cache([make_pack("sti", sti), make_pack("cv_zh", read)], tmp_path / "cache")
    return TalkTest(StepAudio2Mini(FakeRooms()), Cache.open(tmp_path / "cache"))


def test_rows_of_a_model_that_always_switches_a_light(test: TalkTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talk, "answering_megabytes", lambda sounds, weights: 100.0 * len(list(sounds)))
    rows = {row.measure: row for row in [*talk.order_rows(test), *talk.idle_rows(test), *talk.answer_rows(test)]}
    assert rows["all slots right, words alone"].value == 50
    assert rows["all slots right, words alone"].n == 2
    assert rows["answer names the order, words and the ears' vectors"].value == 50
    assert rows["drink right, words alone"].value == 50
    assert rows["false tool calls on read sentences, Mandarin"].value == 100
    assert "false tool calls on read sentences, English" not in rows
    assert rows["clean spoken answers"].value == 100
    assert rows["clean spoken answers"].n == 5
    assert rows["endpoint to first audio, p95"].unit == "ms"
    assert rows["peak memory, packs coffee and home"].value == 500


@pytest.mark.skipif(not (shutil.which("flite") and shutil.which("espeak-ng")), reason="no synthesisers")
def test_phrasings_are_spoken_and_called_synthetic(test: TalkTest) -> None:
    rows = talk.phrasing_voice_rows(TalkTest(test.model, test.cache, most=4))
    assert {row.kind for row in rows} == {"synthetic"}
    assert sum(row.n for row in rows) == 3 * 4
    assert "espeak-ng" in rows[0].note


def test_end_of_turn_is_measured_from_the_last_voiced_sample() -> None:
    model = StepAudio2Mini(FakeRooms())
    wait = ending(model, speech(0.5, 0.1), "home")
    assert wait == pytest.approx(0.5, abs=0.05)  # the fake ears wait half a second
    gap = np.concatenate([speech(0.5, 0.7), speech(0.5, 0.1)])
    assert ending(model, gap, "home") < 0
    assert ending(model, np.zeros(100, np.float32), "home") > 0


def test_packs_take_turns(test: TalkTest) -> None:
    assert [clip.id for clip in test.clips(["sti", "cv_zh", "missing"], 4)] == ["1", "r0", "2", "r1"]


@pytest.mark.parametrize(
    ("samples", "clean"),
    [
        (0.5 * np.ones(8000), True),
        (np.ones(8000), False),
        (np.zeros(8000), False),
        (np.full(8000, np.nan), False),
        (0.5 * np.ones(800), False),
    ],
)
def test_clean(samples: np.ndarray[tuple[int], np.dtype[np.float64]], clean: bool) -> None:
    assert is_clean(AudioChunk(samples.astype(np.float32))) == clean


@pytest.mark.skipif(not (shutil.which("flite") and shutil.which("espeak-ng")), reason="no synthesisers")
def test_held_out_phrasings_are_asked_of_the_model_that_never_saw_them(test: TalkTest) -> None:
    deaf = StepAudio2Mini(FakeRooms())
    asked: list[str] = []
    deaf.listen = lambda sound, pack: asked.append(str(pack)) or test.model.listen(sound, pack)  # type: ignore
    talk.phrasing_voice_rows(replace(test, most=3, strict=deaf))
    assert len(asked) == 3
