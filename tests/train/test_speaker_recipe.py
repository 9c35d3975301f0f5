"""The speaker recipe: who teaches what, pure batches, the margin, voices learnt by heart, the exported part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402

from step_audio_mini.data.cache import Cache, build_cache  # noqa: E402
from step_audio_mini.errors import UserError  # noqa: E402
from step_audio_mini.evaluate.speaker import ATTRIBUTES  # noqa: E402
from step_audio_mini.listen.speaker_attributes import SpeakerModel  # noqa: E402
from step_audio_mini.nn.speaker import SpeakerConfig  # noqa: E402
from step_audio_mini.runtime.manifest import Weights  # noqa: E402
from step_audio_mini.train.export_speaker import export_speaker  # noqa: E402
from step_audio_mini.train.loop import LoopConfig, Trainer  # noqa: E402
from step_audio_mini.train.recipes.ears import JUDGED_VOICE  # noqa: E402
from step_audio_mini.train.recipes.speaker import SpeakerRecipe, angular, filled, voices_of  # noqa: E402
from tests.data.conftest import make_pack, tone  # noqa: E402, F401

pytestmark = pytest.mark.unit

SMALL = SpeakerConfig(dimension=16, dilations=(1,), pooled=16, embedding=8, attributes=ATTRIBUTES)


def row(name: str, speaker: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "split": "train", "seconds": 1.0, "lang": "en", "speaker": speaker} | more


@pytest.fixture
def cache(tmp_path: Path, make_pack: Any) -> Cache:  # noqa: F811
    low, high = {"gender": "m", "age": 30, "pitch": 300.0}, {"gender": "f", "age": 7, "pitch": 1500.0, "lang": "zh"}
    clips = [row(f"{who}{n}", who, **labels) for who, labels in (("low", low), ("high", high)) for n in range(3)]
    clips += [
        row("once", "once", gender="f"),
        row("nobody", "", gender="m"),
        row("nobody at all", "", lang="en"),
        row("guess", "sti-guess01", age=40),
        row("judged", JUDGED_VOICE),
        *(row(f"machine{n}", "flite slt", source="synthetic:flite slt", gender="f") for n in range(2)),
        row("leak", "tested"),
        row("test", "tested", split="test"),
        *(row(f"dev{n}", f"dev{n % 10}", split="dev", gender="m", pitch=300.0 + 100 * (n % 10)) for n in range(20)),
    ]
    one_voice = [row("v1", "voice"), row("v2", "voice"), row("v3", "voice", split="test")]
    noise = [{"id": "hum", "split": "train", "seconds": 1.0, "noise_type": "fan", "pitch": 60.0}]
    packs = [make_pack("people", clips), make_pack("kathleen", one_voice), make_pack("ambient", noise)]
    build_cache(packs, tmp_path / "cache")
    return Cache.open(tmp_path / "cache")


def test_who_teaches_identity_and_who_only_attributes(cache: Cache) -> None:
    voices, names = voices_of(cache)
    assert names == ["high", "low", "voice"]
    nameless = {clip.id for voice in voices if voice.speaker < 0 for clip in voice.clips}
    assert nameless == {"once", "nobody", "guess"}
    assert not {"judged", "leak", "test", "nobody at all"} & {clip.id for voice in voices for clip in voice.clips}


def test_a_batch_is_a_pure_function_of_the_step(cache: Cache) -> None:
    one, other = (SpeakerRecipe(cache, SMALL, batch_frames=600) for _ in range(2))
    a, b = one.batch(7), other.batch(7)
    assert a.ids == b.ids
    assert torch.equal(a.frames, b.frames)
    assert one.batch(8).ids != a.ids
    assert a.frames.shape[0] * a.frames.shape[1] == 600
    assert (one.batch(0).margin, one.batch(10_000).margin) == (0.0, 0.2)
    assert torch.isfinite(a.frames).all()


def test_the_margin_makes_the_own_voice_harder() -> None:
    cosine, speakers = torch.tensor([[0.5, 0.1], [-0.99, 0.3]]), torch.tensor([0, 0])
    plain, hard = angular(cosine, speakers, 0.0), angular(cosine, speakers, 0.2)
    assert torch.allclose(plain, 30 * cosine, atol=1e-3)
    assert (hard[:, 0] < plain[:, 0]).all()
    assert torch.equal(hard[:, 1], plain[:, 1])


def test_short_clips_are_said_again() -> None:
    frames = np.arange(3 * 80, dtype=np.float32).reshape(3, 80)
    assert filled(frames, 7)[:, 0].tolist() == [0, 80, 160, 0, 80, 160, 0]


def pulsed(samples: Any) -> Any:
    """A tone that comes and goes: of one that stays the network hears nothing, as of a microphone's colour."""
    return (samples * (np.arange(len(samples)) // 1_600 % 2)).astype(samples.dtype)


def test_voices_are_learnt_exported_and_told_apart(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Cache.samples
    monkeypatch.setattr(Cache, "samples", lambda self, clip: pulsed(plain(self, clip)))
    recipe = SpeakerRecipe(cache, SMALL, batch_frames=1_200)
    loop = LoopConfig(steps=30, rate=1e-2, warmup=2, ema=0.5, bf16=False, evaluate_every=30, log_every=10)
    figures = Trainer(recipe, loop, tmp_path / "run").run()
    assert next(iter(figures)) == "dev_equal_error"
    weights = export_speaker(recipe, tmp_path / "run", tmp_path / "weights", "step-audio train speaker")
    part = Weights.open(tmp_path / "weights").part("speaker")
    assert part.parameters < 20_000
    assert "tested" not in part.training["packs"]["people"]["speakers"]
    assert set(part.facts["temperatures"]) == set(ATTRIBUTES)
    model = SpeakerModel.open(weights)
    assert model is not None
    low, same, high = (model.look(pulsed(tone(1.0, 16_000, pitch))) for pitch in (300.0, 301.0, 1500.0))
    assert low is not None and same is not None and high is not None
    assert low[0] @ same[0] > low[0] @ high[0]
    assert low[1]["gender"][1] > high[1]["gender"][1]  # the low one is the man


def test_too_few_speakers(tmp_path: Path, make_pack: Any) -> None:  # noqa: F811
    build_cache([make_pack("people", [row("a", "one"), row("b", "one")])], tmp_path / "cache")
    with pytest.raises(UserError, match="fewer than two train speakers"):
        SpeakerRecipe(Cache.open(tmp_path / "cache"), SMALL)
