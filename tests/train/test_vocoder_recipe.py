"""The vocoder recipe and its F0: who is left out, pure batches in time with their sound, a tone learnt by heart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402

from step_audio_mini.audio.features import HOP, log_mel  # noqa: E402
from step_audio_mini.data.cache import Cache, build_cache  # noqa: E402
from step_audio_mini.errors import UserError  # noqa: E402
from step_audio_mini.nn.vocoder import VocoderConfig  # noqa: E402
from step_audio_mini.speak.model import AcousticConfig  # noqa: E402
from step_audio_mini.speak.source import pitch_features  # noqa: E402
from step_audio_mini.speak.vocoder import Vocoder  # noqa: E402
from step_audio_mini.train.export_vocoder import export_vocoder  # noqa: E402
from step_audio_mini.train.loop import LoopConfig, Trainer  # noqa: E402
from step_audio_mini.train.ownmels import FILE, OwnMels, write_own_mels  # noqa: E402
from step_audio_mini.train.pitch import PitchCache, track  # noqa: E402
from step_audio_mini.train.recipes.vocoder import Options, VocoderRecipe, blur  # noqa: E402
from step_audio_mini.train.recipes.voice import VoiceRecipe  # noqa: E402
from tests.data.conftest import make_pack  # noqa: E402, F401

pytestmark = pytest.mark.unit

SMALL = VocoderConfig(dimension=16, layers=2, expansion=2)
SHORT = Options(cuts=4, frames=20, dev_cuts=2)
PHONES = {"phones": [1], "tones": [0], "marks": [0], "ends": [0]}


@pytest.fixture
def cache(tmp_path: Path, make_pack: Any) -> Cache:  # noqa: F811
    voice = [
        {"id": f"k{i}", "split": split, "seconds": 0.6, "speaker": "kathleen", "pitch": 100.0 + 20 * i}
        for i, split in enumerate(["train", "train", "dev", "test"])
    ]
    voice.append({"id": "short", "split": "train", "seconds": 0.1, "speaker": "kathleen"})
    other = [
        {"id": f"l{i}", "split": split, "seconds": 0.6, "speaker": "l"} for i, split in enumerate(["train", "dev"])
    ]
    noise = [{"id": "hum", "split": "train", "seconds": 0.6}]
    build_cache(
        [make_pack("kathleen", voice), make_pack("lj_part1", other), make_pack("ambient", noise)], tmp_path / "c"
    )
    return Cache.open(tmp_path / "c")


@pytest.fixture
def recipe(cache: Cache, tmp_path: Path) -> VocoderRecipe:
    return VocoderRecipe(cache, PitchCache(cache, tmp_path / "f0"), SMALL, SHORT)


def test_only_train_speech_is_drawn(recipe: VocoderRecipe) -> None:
    drawn = {name for step in range(20) for name in recipe.batch(step).ids}
    assert drawn == {"k0", "k1", "l0"}


def test_a_batch_is_a_pure_function_of_the_step(recipe: VocoderRecipe) -> None:
    first, second, other = recipe.batch(3), recipe.batch(3), recipe.batch(4)
    for name in ("mel", "pitch", "source", "sound"):
        assert torch.equal(getattr(first, name), getattr(second, name))
    assert not torch.equal(first.sound, other.sound)
    assert first.mel.shape == (4, 23, 80) and first.source.shape == (4, 2, 20, 2, 241, 2)
    assert first.sound.shape == (4, 20 * HOP + 240)


def test_frames_belong_to_the_sound(recipe: VocoderRecipe) -> None:
    batch = recipe.batch(0)
    natural = np.stack([log_mel(sound) for sound in batch.sound.numpy()])
    off = [np.abs(batch.mel[:, shift : shift + 18].numpy() - natural[:, :18]).mean() for shift in range(3)]
    assert np.argmin(off) == 0 or off[0] < 0.2  # a steady tone looks much the same a frame later
    assert off[0] < 0.2


def test_loss_and_dev_figures_are_finite(recipe: VocoderRecipe) -> None:
    model = recipe.build()
    loss, told = recipe.loss(model, recipe.batch(0))
    assert torch.isfinite(loss) and told["near"] > told["apart"] / 2 > 0
    with torch.no_grad():
        figures = recipe.evaluate(model.eval())
    assert list(figures) == ["energy", "mel", "stft"] and all(np.isfinite(value) for value in figures.values())


def test_training_brings_the_sound_nearer(recipe: VocoderRecipe, tmp_path: Path) -> None:
    trainer = Trainer(recipe, LoopConfig(steps=15, rate=3e-3, warmup=2, bf16=False, ema=0.5), tmp_path / "run")
    before = trainer.evaluate()["dev_stft"]
    trainer.run()
    assert trainer.evaluate()["dev_stft"] < 0.9 * before


def test_no_clip_no_recipe(tmp_path: Path, make_pack: Any) -> None:  # noqa: F811
    build_cache([make_pack("ambient", [{"id": "hum", "split": "train", "seconds": 1.0}])], tmp_path / "c")
    empty = Cache.open(tmp_path / "c")
    with pytest.raises(UserError, match="cache packs of speech first"):
        VocoderRecipe(empty, PitchCache(empty, tmp_path / "f0"), SMALL, SHORT)


def test_blur_keeps_shape_and_level() -> None:
    mel = np.random.default_rng(0).standard_normal((50, 80)).astype(np.float32)
    for seed in range(8):
        smooth = blur(mel, np.random.default_rng(seed))
        assert smooth.shape == mel.shape and smooth.dtype == np.float32
        assert abs(float(smooth.mean() - mel.mean())) < 0.05
        assert smooth.std() < mel.std() + 0.02


# F0


def glide(start: float, stop: float, seconds: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """A buzz whose F0 glides, and that F0 at every sample."""
    f0 = np.linspace(start, stop, int(16_000 * seconds))
    cycles = np.cumsum(f0 / 16_000)
    partials = np.arange(1, 20)[:, None]
    return (0.1 * np.cos(2 * np.pi * partials * cycles) / partials).sum(0).astype(np.float32), f0


@pytest.mark.parametrize(("start", "stop"), [(80.0, 120.0), (300.0, 180.0), (150.0, 150.0)])
def test_f0_of_a_glide(start: float, stop: float) -> None:
    sound, truth = glide(start, stop)
    f0 = track(sound)
    centres = np.arange(len(f0)) * HOP + 200
    assert len(f0) == len(log_mel(sound))
    assert np.abs(f0 / truth[centres] - 1).max() < 0.02


def test_noise_and_silence_are_voiceless() -> None:
    hiss = (np.random.default_rng(0).standard_normal(16_000) * 0.05).astype(np.float32)
    assert (track(hiss) > 0).mean() < 0.1
    assert not track(np.zeros(16_000, np.float32)).any()
    assert track(np.zeros(100, np.float32)).shape == (0,)


def test_voice_between_pauses_is_found_in_place() -> None:
    sound = np.zeros(32_000, np.float32)
    sound[8000:24_000] = glide(140.0, 140.0)[0]
    voiced = np.flatnonzero(track(sound))
    assert abs(voiced[0] * HOP + 200 - 8000) < 400 and abs(voiced[-1] * HOP + 200 - 24_000) < 400
    assert len(voiced) == voiced[-1] - voiced[0] + 1


def test_tracks_are_computed_once_and_shared(cache: Cache, tmp_path: Path) -> None:
    clip = next(clip for clip in cache.clips if clip.id == "k0")
    asked: list[int] = []

    def tracker(samples: np.ndarray) -> np.ndarray:
        asked.append(len(samples))
        return track(samples)

    first = PitchCache(cache, tmp_path / "f0", tracker)(clip)
    second = PitchCache(cache, tmp_path / "f0", tracker)(clip)
    np.testing.assert_array_equal(first, second)
    assert len(asked) == 1
    assert np.median(first) == pytest.approx(100.0, rel=0.02)
    assert pitch_features(first).shape == (len(first), 2)


def test_a_run_becomes_a_part_of_the_weights(recipe: VocoderRecipe, tmp_path: Path) -> None:
    Trainer(recipe, LoopConfig(steps=1, bf16=False), tmp_path / "run").run()
    weights = export_vocoder(recipe, tmp_path / "run", tmp_path / "weights", "step-audio train vocoder")
    part = weights.part("vocoder")
    assert part.parameters == sum(p.numel() for p in recipe.build().parameters())
    assert part.training["packs"]["kathleen"]["clips"] == 2 and set(part.training["packs"]) == {"kathleen", "lj_part1"}
    stream = Vocoder.load(weights).start()
    sound = np.concatenate([stream.push(np.zeros((9, 80), np.float32), np.zeros(9, np.float32)), stream.finish()])
    assert sound.shape == (9 * HOP + 240,) and np.isfinite(sound).all()


# frames of the acoustic model


@pytest.fixture
def voices(tmp_path: Path) -> Path:
    """Prepared voices of two items, and the acoustic model's frames for them: level 1 and level 2."""
    folder = tmp_path / "voices"
    folder.mkdir()
    frames = (30, 40)
    rows = [
        {"id": f"o{n}", "voice": "kathleen", "split": split, "text": "", "offset": 0, "frame": 0} | PHONES
        for n, split in enumerate(("train", "dev"))
    ]
    sound = np.random.default_rng(0).standard_normal(sum(frames) * HOP + 480) * 2000
    offset = frame = 0
    with (folder / "items.jsonl").open("w") as lines:
        for row, count in zip(rows, frames, strict=True):
            lines.write(json.dumps(row | {"offset": offset, "frame": frame, "durations": [count]}) + "\n")
            offset, frame = offset + count * HOP + 240, frame + count
    sound.astype(np.int16).tofile(folder / "samples.i16")
    np.full(sum(frames), 123.0, np.float32).tofile(folder / "f0.f32")
    np.repeat(np.array([1.0, 2.0], np.float16), frames)[:, None].repeat(80, 1).tofile(folder / FILE)
    return folder


def test_own_mels_are_drawn_for_training_items_with_their_sound(voices: Path) -> None:
    own = OwnMels(voices, 23)
    assert {own.draw(np.random.default_rng(seed)).id for seed in range(9)} == {"o0"}
    sound, f0, mel = own.read(own.draw(np.random.default_rng(0)))
    assert len(sound) == 30 * HOP + 240 and f0.shape == (30,) and mel.shape == (30, 80)
    assert (mel == 1.0).all() and (f0 == 123.0).all()


def test_a_share_of_the_cuts_has_the_acoustic_models_frames(cache: Cache, voices: Path, tmp_path: Path) -> None:
    recipe = VocoderRecipe(cache, PitchCache(cache, tmp_path / "f0"), SMALL, SHORT, own=OwnMels(voices, 23))
    names: list[str] = []
    flat: list[bool] = []
    for step in range(25):
        batch = recipe.batch(step)
        names += batch.ids
        flat += [float(mel.std()) < 1e-6 for mel in batch.mel]
    assert flat == [name == "o0" for name in names]
    assert 0.25 < sum(flat) / len(flat) < 0.55


def test_own_mels_of_other_voices_are_refused(voices: Path) -> None:
    np.zeros(7, np.float16).tofile(voices / FILE)
    with pytest.raises(UserError, match="write it again"):
        OwnMels(voices, 23)


def test_own_mels_are_written_in_place(voices: Path, tmp_path: Path) -> None:
    (voices / FILE).unlink()
    recipe = VoiceRecipe(voices, AcousticConfig(width=64, decoder_width=64, voices=("kathleen",)))
    Trainer(recipe, LoopConfig(steps=1, bf16=False, evaluate_every=9), tmp_path / "run").save()
    write_own_mels(recipe, tmp_path / "run", voices)
    made = np.fromfile(voices / FILE, np.float16).reshape(70, 80)
    assert np.abs(made[:30]).max() > 0 and not made[30:].any()  # the dev item is left out
