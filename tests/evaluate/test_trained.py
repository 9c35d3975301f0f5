from __future__ import annotations

from pathlib import Path

import pytest

from step_audio_mini.data.packs import Clip
from step_audio_mini.evaluate.intervals import Figure
from step_audio_mini.evaluate.results import row
from step_audio_mini.evaluate.trained import MARK, by_acquaintance, marked, trained_speakers
from step_audio_mini.runtime.manifest import Part, Weights

pytestmark = pytest.mark.unit


def clip(name: str, speaker: str) -> Clip:
    return Clip(name, "librispeech", "test", 1.0, "CC0", "a", speaker=speaker)


def test_the_manifest_names_the_speakers_of_all_packs() -> None:
    packs = {"libri": {"speakers": ["libri-1"]}, "cv": {"speakers": ["cv1", "cv2"]}, "noise": {}}
    weights = Weights(Path(), {"ears": Part("f", "s", training={"packs": packs}), "bare": Part("f", "s")})
    assert trained_speakers(weights) == {"libri-1", "cv1", "cv2"}
    assert trained_speakers(weights, "bare") == frozenset()


def test_strangers_and_acquaintances_are_apart() -> None:
    clips = [clip("a", "x"), clip("b", "y"), clip("c", "x"), clip("d", "")]
    groups = by_acquaintance(clips, {"x"})
    assert {mark: [c.id for c in group] for mark, group in groups.items()} == {"": ["b", "d"], MARK: ["a", "c"]}
    assert list(by_acquaintance(clips, frozenset())) == [""]
    assert list(by_acquaintance(clips[:1], {"x"})) == [MARK]


def test_only_acquaintances_are_marked() -> None:
    rows = [row("word error", "librispeech", Figure(0.1, 0, 0.2, 3, "clips"), "real")]
    assert marked(rows, "") == rows
    assert [row.measure for row in marked(rows, MARK)] == [f"word error, {MARK}"]
