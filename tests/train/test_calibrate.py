"""Confidences are scaled so that they mean what they say, and the weights' manifest remembers how."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from step_audio_mini.data.cache import Cache, build_cache
from step_audio_mini.errors import UserError
from step_audio_mini.evaluate.ears import Heard
from step_audio_mini.evaluate.reliability import calibration_error
from step_audio_mini.listen.alignment import CALIBRATION, calibration_of
from step_audio_mini.runtime.manifest import Part, Weights
from step_audio_mini.train.calibrate import calibrate, heard_words, scaling
from step_audio_mini.types import Samples
from tests.data.conftest import make_pack  # noqa: F401

pytestmark = pytest.mark.unit


class TooSure:
    """Ears that hear two words, one of them wrong, and are 90 % sure of both."""

    def hear(self, samples: Samples) -> Heard:
        return Heard((), "", (("hello", 0.9), ("word", 0.9), ("你", 0.9), ("们", 0.9)))

    def units(self, samples: Samples) -> list[str]:
        return []


@pytest.fixture
def cache(tmp_path: Path, make_pack: Any) -> Cache:  # noqa: F811
    row = {"seconds": 1.0, "lang": "en", "split": "dev", "text": "hello world 你 好"}
    packs = [make_pack("libri_mini", [row | {"id": f"c{i}", "speaker": f"s{i}"} for i in range(5)])]
    build_cache(packs, tmp_path / "cache")
    return Cache.open(tmp_path / "cache")


def test_odds_are_scaled_to_what_is_right() -> None:
    rng = np.random.default_rng(3)
    truth = rng.uniform(0.05, 0.95, 4_000)
    odds = np.log(truth / (1 - truth))
    told = 1 / (1 + np.exp(-(2 * odds + 1)))  # twice too sharp and too sure
    pairs = [(float(p), bool(rng.random() < t)) for p, t in zip(told, truth, strict=True)]
    slope, bias = scaling(pairs)
    assert slope == pytest.approx(0.5, abs=0.06)
    assert bias == pytest.approx(-0.5, abs=0.1)
    mended = [(float(1 / (1 + np.exp(-(slope * np.log(p / (1 - p)) + bias)))), good) for p, good in pairs]
    assert calibration_error(mended) < 0.03 < calibration_error(pairs)


def test_words_that_are_all_right_run_nowhere() -> None:
    slope, bias = scaling([(0.9, True)] * 20)
    assert 0 < slope * np.log(9) + bias < 10


def test_the_manifest_remembers_and_twice_changes_nothing_more(cache: Cache, tmp_path: Path) -> None:
    content = b"graph"
    part = Part("ears.onnx", hashlib.sha256(content).hexdigest())
    weights = Weights(tmp_path / "weights", {}).with_part("ears", part, content)
    assert calibration_of(weights) == CALIBRATION
    pairs = heard_words(cache, TooSure(), 9, lambda _: None)
    assert {language: [good for _, good in found[:2]] for language, found in pairs.items()} == {
        "en": [True, False],
        "zh": [True, False],
    }
    calibrate(cache, weights, TooSure(), 9)
    again = calibration_of(Weights.open(tmp_path / "weights"))
    bias, *factors = CALIBRATION["en"]
    slope = again["en"][1] / factors[0]
    assert again["en"][0] == pytest.approx(slope * bias + scaling(pairs["en"])[1], abs=1e-3)
    assert Weights.open(tmp_path / "weights").read("ears") == content


def test_one_language_alone_is_refused(tmp_path: Path, make_pack: Any) -> None:  # noqa: F811
    packs = [make_pack("so762", [{"id": "c", "seconds": 1.0, "lang": "en", "split": "dev", "text": ""}])]
    build_cache(packs, tmp_path / "cache")
    weights = Weights(tmp_path / "weights", {}).with_part("ears", Part("ears.onnx", ""), b"graph")
    with pytest.raises(UserError, match="lacks dev clips"):
        calibrate(Cache.open(tmp_path / "cache"), weights, TooSure(), 9)
