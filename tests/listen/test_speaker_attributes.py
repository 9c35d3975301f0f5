"""Attributes of a turn: told where sure, null where unsure, absent without the part; silence around is not heard."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from step_audio_mini import StepAudio2Mini
from step_audio_mini.audio.features import log_mel
from step_audio_mini.cli.output import hearing_json
from step_audio_mini.listen.speaker_attributes import LONGEST, SpeakerModel, attributes, background, spoken
from step_audio_mini.runtime.manifest import Part, Weights
from step_audio_mini.types import Samples
from tests import tiny

pytestmark = pytest.mark.unit


class Script:
    """A network that says what it is told to, and remembers what it was shown."""

    facts: Mapping[str, Any] = MappingProxyType(
        {"attributes": {"language": ["en", "zh"], "gender": ["female", "male"]}}
    )

    def __init__(self, language: float, gender: float) -> None:
        self.chances, self.shown = (language, gender), 0

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        self.shown = int(feeds["counts"][0])
        assert feeds["frames"].shape == (1, self.shown, 80)
        names = ("language", "gender")
        rows = {name: np.array([[1 - p, p]], np.float32) for name, p in zip(names, self.chances, strict=True)}
        return rows | {"embedding": np.eye(1, 4, dtype=np.float32)}


def voice(seconds: float, before: float = 0.0) -> Samples:
    rng = np.random.default_rng(0)
    sound = np.sin(np.arange(int(16_000 * seconds)) * 2 * np.pi * 150 / 16_000) + 0.1 * rng.standard_normal(
        int(16_000 * seconds)
    )
    return np.concatenate([np.zeros(int(16_000 * before)), 0.2 * sound]).astype(np.float32)


def test_the_sure_is_told_and_the_unsure_is_not() -> None:
    told = attributes(voice(1.0), 9.0, 0.7, SpeakerModel(Script(0.95, 0.6)))
    assert (told.language, told.gender, told.age) == ("zh", None, None)
    assert told.confidence["language"] == pytest.approx(0.95)
    assert told.confidence["gender"] == pytest.approx(0.6)
    assert (told.rate, told.confidence["rate"]) == (9.0, 0.7)
    assert "age" not in told.confidence
    assert all(0 <= chance <= 1 for chance in told.confidence.values())


def test_without_the_part_the_measured_attributes_remain(tmp_path: Path) -> None:
    assert SpeakerModel.open(Weights.open(tiny.weights(tmp_path))) is None
    plain = attributes(voice(1.0), 9.0, 0.7, None)
    assert set(plain.confidence) == {"snr_db", "rate", "pitch_hz"}
    assert plain.pitch_hz == pytest.approx(150, rel=0.02)
    assert (plain.language, plain.gender, plain.age) == (None, None, None)


def test_the_background_alone_is_as_in_all_attributes_and_tells_nothing_of_who_speaks() -> None:
    told, whole = background(voice(1.0), 9.0, 0.7), attributes(voice(1.0), 9.0, 0.7, SpeakerModel(Script(0.95, 0.9)))
    assert (told.snr_db, told.rate) == (whole.snr_db, 9.0)
    assert (told.pitch_hz, told.gender) == (None, None)
    assert set(told.confidence) == {"snr_db", "rate"}


@pytest.mark.parametrize("sound", [np.zeros(0, np.float32), np.zeros(300, np.float32), voice(0.2)])
def test_too_little_speech_tells_nothing(sound: Samples) -> None:
    told = attributes(sound, 0.0, 0.0, SpeakerModel(Script(0.99, 0.99)))
    assert (told.language, told.gender) == (None, None)
    assert (told.confidence["language"], told.confidence["gender"]) == (0.0, 0.0)
    assert (told.confidence["pitch_hz"] == 0) == (told.pitch_hz is None)


def test_pauses_around_speech_are_cut_and_work_is_bounded() -> None:
    assert len(spoken(log_mel(voice(1.0, before=2.0)))) == pytest.approx(100, abs=4)
    network = Script(0.5, 0.5)
    SpeakerModel(network).look(voice(20.0))
    assert network.shown == LONGEST
    assert len(spoken(np.zeros((0, 80), np.float32))) == 0


def test_the_pitch_of_cleaner_sound_is_surer() -> None:
    rng = np.random.default_rng(1)
    sound = np.concatenate([voice(1.0), np.zeros(8_000, np.float32)])
    noise = rng.standard_normal(len(sound)).astype(np.float32)
    clean, noisy = (attributes(sound + level * noise, 9.0, 0.5, None) for level in (1e-4, 0.05))
    assert clean.confidence["pitch_hz"] > noisy.confidence["pitch_hz"]


def test_a_turn_carries_what_the_part_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    content = tiny.speaker()
    part = Part("speaker.onnx", hashlib.sha256(content).hexdigest(), parameters=1)
    Weights.open(tiny.weights(tmp_path / "w")).with_part("speaker", part, content)
    model, sound = StepAudio2Mini.from_pretrained(tmp_path / "w"), tiny.say("hello")
    hearing = model.listen(sound, pack="coffee")
    told = hearing_json(hearing)["attributes"]
    assert (told["language"], told["gender"], told["age"]) == ("zh", None, "adult")
    assert told["confidence"]["gender"] == 0.6
    assert 0 < told["confidence"]["rate"] == pytest.approx(hearing.best.confidence, abs=1e-3)
    ears = model._rooms.ears("coffee", "auto")
    for piece in np.split(sound, range(1_000, len(sound), 1_000)):
        ears.accept(piece)
    assert ears.finish().attributes == hearing.attributes
