from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from step_audio_mini.audio.features import frame_count
from step_audio_mini.data.cache import Cache, build_cache
from step_audio_mini.evaluate import peers, voice
from step_audio_mini.evaluate.likeness import align, aligned, melody_correlation, speech_frames
from step_audio_mini.evaluate.voice import VoiceTest, mandarin_clips
from step_audio_mini.types import Language, Samples
from tests.data.conftest import MakePack, make_pack  # noqa: F401 - a fixture

pytestmark = pytest.mark.unit


def babble(seconds: float, seed: int, slower: float = 1.0) -> Samples:
    rng = np.random.default_rng(seed)
    pitches = rng.uniform(150, 900, int(seconds * 5))
    tones = [np.sin(2 * np.pi * pitch * np.arange(int(3200 * slower)) / 16000) for pitch in pitches]
    voiced = np.concatenate(tones)
    return (0.3 * voiced + 0.01 * rng.standard_normal(len(voiced))).astype(np.float32)


def test_a_sound_is_like_itself_later_louder_and_slower() -> None:
    sound = babble(2.0, 0)
    path, distortion = aligned(sound, np.concatenate([np.zeros(4800, np.float32), 0.5 * sound]))
    assert distortion < 0.6
    shift = np.median(path[:, 1] - path[:, 0])
    assert shift == pytest.approx(30, abs=1)
    assert aligned(sound, babble(2.0, 0, slower=1.5))[1] < 0.5 * aligned(sound, babble(2.0, 1))[1]
    with pytest.raises(ValueError, match="frame"):
        aligned(sound, sound[:100])


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 99))
def test_alignment_is_a_monotonous_walk_of_least_cost(rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(rows, 2)), rng.normal(size=(columns, 2))
    path = align(a, b)
    assert path[0].tolist() == [0, 0]
    assert path[-1].tolist() == [rows - 1, columns - 1]
    steps = np.diff(path, axis=0)
    assert ((steps >= 0) & (steps <= 1)).all() and (steps.sum(axis=1) > 0).all()
    diagonal = [(min(n, rows - 1), min(n, columns - 1)) for n in range(max(rows, columns))]
    cost = sum(np.linalg.norm(a[i] - b[j]) for i, j in path)
    assert cost <= sum(np.linalg.norm(a[i] - b[j]) for i, j in diagonal) + 1e-9


def test_melody() -> None:
    path = np.stack([np.arange(50)] * 2, axis=1)
    up = np.linspace(100, 200, 50).astype(np.float32)
    assert melody_correlation(up, 2 * up, path) == pytest.approx(1)
    assert melody_correlation(up, up[::-1], path) == pytest.approx(-1, abs=0.05)
    assert melody_correlation(up, np.zeros(50, np.float32), path) is None
    assert melody_correlation(up, np.full(50, 100, np.float32), path) is None


def test_speech_frames_cut_silence() -> None:
    sound = np.concatenate([np.zeros(8000), babble(1.0, 0), np.zeros(8000)]).astype(np.float32)
    span = speech_frames(sound)
    assert span.start == pytest.approx(48, abs=3)
    assert span.stop == pytest.approx(150, abs=3)
    assert speech_frames(sound[:10]) == slice(0, 0)


class Half:
    """Hears natural clips (0.5 s) right, and half of everything else."""

    name = "half"

    def hear(self, samples: NDArray[np.int16]) -> str:
        return "hello there" if len(samples) == 8000 else "hello"

    def units(self, samples: Samples) -> Sequence[str]:
        return ["n", "i3", "h", "ao3"] if len(samples) == 8000 else ["n", "i3"]


@pytest.fixture
def cache(make_pack: MakePack, tmp_path: Path) -> Cache:  # noqa: F811
    base = {"seconds": 0.5, "split": "test"}
    english = [{"id": f"k{n}", "text": "hello there", "lang": "en"} | base for n in range(2)]
    english[1]["text"] = "hello friend"
    chinese = {"speaker": voice.MANDARIN_SPEAKER, "pinyin": "ni3 hao3", "lang": "zh", "seconds": 0.5, "split": "train"}
    mandarin = [{"id": f"m{n}", "text": f"你好{'啊' * (n // 2)}"} | chinese for n in range(100)]
    for row in mandarin[::2]:
        row["pinyin"] = "ni3 hai2"
    build_cache([make_pack("kathleen", english), make_pack("cv_zh", mandarin)], tmp_path / "cache")
    return Cache.open(tmp_path / "cache")


def say(text: str, language: Language) -> Samples:
    return babble(0.6, len(text))


RANGES: list[tuple[float, float]] = []


def track(samples: Samples, lowest: float, highest: float) -> NDArray[np.float32]:
    RANGES.append((lowest, highest))
    return (100 + np.arange(frame_count(len(samples))) % 51).astype(np.float32)


def test_held_out_sentences_are_forty_texts(cache: Cache) -> None:
    clips = mandarin_clips(cache, 1000)
    assert len(clips) == len({clip.text for clip in clips}) == 40
    assert [clip.id for clip in mandarin_clips(cache, 1000)] == [clip.id for clip in clips]


def test_rows(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "flite", lambda text, name: babble(0.6, 1))
    monkeypatch.setattr(peers, "espeak", lambda text, name="": babble(0.6, 2))
    test = VoiceTest(cache, say, Half(), Half(), track)
    rows = {(row.measure, row.system, row.data): row for row in voice.measure(test, lambda _: None)}
    heard = "word error heard by half"
    prompts = "kathleen prompts"
    assert rows[heard, "natural recording", prompts].value == 25
    assert rows[heard, "step-audio-mini", prompts].value == 50
    assert rows[f"{heard}, ours over natural", "step-audio-mini", prompts].value == 2
    assert rows[heard, "natural recording", prompts].kind == "real"
    assert rows[heard, "flite slt", prompts].kind == "synthetic"
    syllables = "toneless-syllable error heard by our ears"
    assert rows[syllables, "step-audio-mini", f"{voice.MANDARIN_SPEAKER} sentences"].n == 40
    assert rows["mel-cepstral distortion", "step-audio-mini", "kathleen"].unit == "dB"
    assert rows["F0 correlation", "step-audio-mini", voice.MANDARIN_SPEAKER].n == 40
    assert RANGES[0] == voice.ANYBODY
    assert RANGES[-1] == pytest.approx((125 / 1.75, 125 * 1.75), rel=0.02)


@pytest.mark.skipif(not shutil.which("flite"), reason="flite is not installed")
def test_a_voice_is_nearer_to_itself_than_to_another() -> None:
    one, other = peers.flite("the light is on", "slt"), peers.flite("the light is on", "rms")
    assert aligned(one, one)[1] < 0.1
    assert aligned(one, other)[1] > 3
