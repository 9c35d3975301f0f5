"""The voice recipe: pure batches that fit together, prosody targets, the loop runs on it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from step_audio_mini.data.packs import Clip  # noqa: E402
from step_audio_mini.runtime.session import Graph  # noqa: E402
from step_audio_mini.speak.acoustic import AcousticVoice  # noqa: E402
from step_audio_mini.speak.model import AcousticConfig  # noqa: E402
from step_audio_mini.train import export_voice  # noqa: E402
from step_audio_mini.train.loop import LoopConfig, Trainer  # noqa: E402
from step_audio_mini.train.recipes.voice import VoiceRecipe, natural_prosody  # noqa: E402
from step_audio_mini.train.voicedata import VoiceSource  # noqa: E402

pytestmark = pytest.mark.unit

CONFIG = AcousticConfig(voices=("v",), width=32, blocks=2, decoder_width=48, decoder_blocks=1, expansion=2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six made items of one voice."""
    rng = np.random.default_rng(0)
    rows, sound, pitch, offset, frame = [], [], [], 0, 0
    for n in range(6):
        durations = [3, *(int(d) for d in rng.integers(2, 9, 6)), 3]
        frames = sum(durations)
        samples = rng.normal(0, 1000, (frames - 1) * 160 + 400).astype(np.int16)
        zeros = [0] * len(durations)
        rows.append({
            "id": f"i{n}", "voice": "v", "split": "dev" if n == 5 else "train", "text": "", "offset": offset,
            "frame": frame, "phones": [1, 5, 6, 7, 8, 9, 10, 1], "tones": zeros, "marks": zeros, "ends": zeros,
            "durations": durations,
        })  # fmt: skip
        sound.append(samples)
        pitch.append(np.full(frames, 150, np.float32))
        offset, frame = offset + len(samples), frame + frames
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "samples.i16").write_bytes(np.concatenate(sound).tobytes())
    (tmp_path / "f0.f32").write_bytes(np.concatenate(pitch).tobytes())
    return tmp_path


def test_batches_are_pure_and_fit(folder: Path) -> None:
    recipe, again = VoiceRecipe(folder, CONFIG), VoiceRecipe(folder, CONFIG)
    again.batch(3)
    first, second = recipe.batch(7), again.batch(7)
    assert first.ids == second.ids
    assert torch.equal(first.natural.mel, second.natural.mel)
    B, T, _ = first.natural.mel.shape
    assert T % 2 == 0
    assert first.natural.prosody.shape == (B, T, 3)
    assert first.text.phones.shape == first.natural.durations.shape
    assert int(first.natural.durations.sum(1).max()) in (T, T - 1)
    assert "i5" not in {name for name, _ in [(i, 0) for step in range(9) for i in recipe.batch(step).ids]}


def test_prosody_bridges_voiceless_frames() -> None:
    f0 = np.array([0, 100, 0, 0, 200, 0], np.float32)
    mel = np.arange(6, dtype=np.float32)[:, None] * np.ones((1, 80), np.float32)
    out = natural_prosody(f0, mel, float(np.log(100)))
    assert out[:, 1].tolist() == [0, 1, 0, 0, 1, 0]
    assert np.all(np.diff(out[1:5, 0]) > 0)
    assert out[0, 0] == out[1, 0] == pytest.approx(0, abs=1e-5)
    assert out[:, 2].tolist() == [0, 1, 2, 3, 4, 5]
    assert not natural_prosody(np.zeros(6, np.float32), mel, 5.0)[:, :2].any()


def test_the_loop_trains_it(folder: Path, tmp_path: Path) -> None:
    config = LoopConfig(steps=6, warmup=1, evaluate_every=3, log_every=2)
    figures = Trainer(VoiceRecipe(folder, CONFIG), config, tmp_path / "run").run()
    assert np.isfinite(figures["dev_loss"])
    assert next(iter(figures)) == "dev_loss"


def test_a_run_becomes_a_part_of_the_weights(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = VoiceRecipe(folder, CONFIG)
    Trainer(recipe, LoopConfig(steps=1), tmp_path / "run").run()
    monkeypatch.setattr(export_voice, "SOURCES", (VoiceSource("v", "p", "v", "en"),))
    clips = [
        Clip(id=f"i{n}", pack="p", split="train", seconds=3.6, licence="CC0", source="a/b@c:d", speaker="v")
        for n in range(9)
    ]
    weights = export_voice.export_voice(recipe, tmp_path / "run", tmp_path / "weights", clips, "the command")
    voice = AcousticVoice(Graph(weights.read("acoustic")))
    assert [one.name for one in voice.voices] == ["v"]
    part = weights.part("acoustic")
    assert part.training["packs"]["p"]["clips"] == 5  # i5 is dev, the rest was never prepared
    assert part.parameters == sum(p.numel() for p in recipe.build().parameters())
    assert part.quality["step"] == 1
    assert part.quality["dev_loss"] > 0
