from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from step_audio_mini.data.packs import read_manifest
from step_audio_mini.evaluate import peers
from step_audio_mini.evaluate.mind import read_set
from step_audio_mini.think.units import join
from step_audio_mini.train import requests
from step_audio_mini.train.requests import VOICES, plans, say_requests
from step_audio_mini.types import Samples

pytestmark = pytest.mark.unit


def test_requests_are_drawn_alike_and_none_is_a_test_phrasing() -> None:
    first = list(plans(300))
    assert first == list(plans(300))
    assert {plan.said.language for plan in first} == {"en", "zh"}
    assert {plan.split for plan in first} == {"train", "dev"}
    tested = {turn.text for name in ("phrasings", "handwritten") for case in read_set(name) for turn in case.turns}
    assert not tested & {join(plan.said.units) for plan in first}


def test_no_test_voice_speaks() -> None:
    spoken = {voice for voices in VOICES.values() for voice in voices}
    tested = {f"flite {v}" for v in peers.FLITE_VOICES} | {
        f"espeak {peers.ESPEAK_MANDARIN}{v}" for v in peers.ESPEAK_VARIANTS
    }
    assert not spoken & tested
    assert not {*VOICES["train", "en"], *VOICES["train", "zh"]} & {*VOICES["dev", "en"], *VOICES["dev", "zh"]}


def test_a_pack_of_requests_has_meanings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def say(text: str, voice: str, **_: int) -> Samples:
        random = np.random.default_rng(list(f"{text} {voice}".encode()))
        return (0.2 * random.standard_normal(16_000 + 100 * len(text))).astype(np.float32)

    monkeypatch.setattr(requests, "pinyin", lambda text: "ni3 hao3")
    monkeypatch.setattr(peers, "flite", say)
    monkeypatch.setattr(peers, "espeak", say)
    folder, _ = say_requests(60, tmp_path)
    clips = list(read_manifest(folder))
    assert len(clips) > 40
    for clip in clips:
        assert clip.labels["intent"] and clip.text and clip.source.startswith("synthetic:")
        assert bool(clip.pinyin) == (clip.lang == "zh")
