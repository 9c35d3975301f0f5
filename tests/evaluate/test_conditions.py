from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from step_audio_mini.data.cache import Cache, build_cache, to_int16
from step_audio_mini.errors import UserError
from step_audio_mini.evaluate.conditions import CAR, CONDITIONS, FAR, NOISY, OPUS, TELEPHONE, World, opus, true_snr
from step_audio_mini.types import Samples
from tests.data.conftest import MakePack, make_pack  # noqa: F401 - a fixture

pytestmark = pytest.mark.unit


def speech(seconds: float = 1.0) -> Samples:
    """A tone that comes and goes."""
    t = np.arange(int(16_000 * seconds)) / 16_000
    return (0.3 * np.sin(2 * np.pi * 1000 * t) * (np.sin(2 * np.pi * 2 * t) > 0)).astype(np.float32)


@pytest.fixture(scope="module")
def world() -> World:
    rng = np.random.default_rng(0)
    noises = [to_int16(0.1 * rng.standard_normal(n).astype(np.float32)) for n in (8_000, 40_000)]
    return World(noises, [np.array([1, 0, 0, 0.5], np.float32), np.array([1, 0.9], np.float32)])


@pytest.mark.parametrize("condition", CONDITIONS)
def test_same_clip_same_sound(world: World, condition: str) -> None:
    one, snr = world.heard(speech(), condition, "a")
    two, _ = world.heard(speech(), condition, "a")
    assert one.dtype == np.float32
    assert one.shape == speech().shape
    assert np.abs(one).max() <= 1
    assert np.array_equal(one, two)
    assert (snr is not None) == (condition in NOISY or condition == CAR)
    assert np.array_equal(one, speech()) == (condition == "clean")


@pytest.mark.parametrize("condition", [*NOISY, CAR])
def test_noise_has_the_snr_of_its_name(world: World, condition: str) -> None:
    _, snr = world.heard(speech(2), condition, "clip")
    assert snr == pytest.approx(NOISY.get(condition, 0), abs=1 if condition in NOISY else 6)


def test_a_clip_meets_the_same_background_at_every_snr(world: World) -> None:
    quiet, loud = (world.heard(0.1 * speech(), f"noise {snr} dB", "a")[0] - 0.1 * speech() for snr in (20, 10))
    assert np.allclose(loud, quiet * np.sqrt(10), atol=1e-4)
    other = world.heard(0.1 * speech(), "noise 10 dB", "b")[0] - 0.1 * speech()
    assert not np.allclose(loud, other, atol=1e-3)


def test_lines_lose_what_lines_lose(world: World) -> None:
    t = np.arange(16_000) / 16_000
    high = (0.5 * np.sin(2 * np.pi * 6000 * t)).astype(np.float32)
    assert np.abs(world.heard(high, TELEPHONE, "a")[0][1000:-1000]).max() < 0.02
    low = world.heard(speech(), TELEPHONE, "a")[0]
    assert np.corrcoef(low, speech())[0, 1] > 0.98
    assert np.corrcoef(world.heard(speech(), OPUS, "a")[0], speech())[0, 1] > 0.9
    assert world.heard(speech(), FAR, "a")[0].std() == pytest.approx(speech().std(), rel=0.01)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1200), st.sampled_from(CONDITIONS))
def test_short_sounds_keep_their_length(world: World, count: int, condition: str) -> None:
    sound, _ = world.heard(speech()[:count], condition, "a")
    assert len(sound) == count
    assert np.isfinite(sound).all()


def test_snr_counts_frames_with_speech_only() -> None:
    half = np.where(np.arange(16_000) < 8_000, speech(), 0).astype(np.float32)
    burst = np.where(np.arange(16_000) >= 8_000, 0.3, 0).astype(np.float32)
    assert true_snr(half, burst) is None
    assert true_snr(half, 0.1 * half) == pytest.approx(20, abs=1e-3)
    assert true_snr(np.zeros(0, np.float32), np.zeros(0, np.float32)) is None


def test_opus_is_small_and_as_long(world: World) -> None:
    assert len(opus(speech(0.5))) == 8_000


def test_only_test_clips_make_the_world(make_pack: MakePack, tmp_path: Path) -> None:  # noqa: F811
    rows = [{"id": split, "split": split, "seconds": 0.2} for split in ("train", "test")]
    build_cache([make_pack("ambient", rows)], tmp_path / "cache")
    with pytest.raises(UserError, match="ambient and rir_real"):
        World.of(Cache.open(tmp_path / "cache"))
    build_cache([make_pack("rir_real", rows)], tmp_path / "cache")
    found = World.of(Cache.open(tmp_path / "cache"))
    assert (len(found.noises), len(found.rooms)) == (1, 1)
    assert np.linalg.norm(found.rooms[0]) == pytest.approx(1)
