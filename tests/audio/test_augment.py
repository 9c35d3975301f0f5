from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.audio.augment import (
    Augmenter,
    _fast_length,
    align_room,
    change_speed,
    coloured_noise,
    in_room,
    mix_noise,
    overdrive,
    spec_augment,
    speech_power,
    telephone,
    warp_mel,
)
from step_audio_mini.types import Samples

pytestmark = pytest.mark.unit


def sine(seconds: float = 0.5, hertz: float = 440.0, level: float = 0.3) -> Samples:
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * 16000)) / 16000)).astype(np.float32)


def noise(count: int, seed: int = 0, level: float = 0.1) -> Samples:
    return level * np.random.default_rng(seed).standard_normal(count, dtype=np.float32)


@pytest.fixture(scope="module")
def augmenter() -> Augmenter:
    room = np.concatenate([np.zeros(30), [1.0], noise(4000) * np.exp(-np.arange(4000) / 600)]).astype(np.float32)
    ambient = (noise(3000, 1) * 32767).astype(np.int16)
    return Augmenter([ambient, noise(20000, 2)], [room], [noise(9000, n) for n in range(3)])


@given(st.integers(0, 2**32 - 1), st.integers(0, 9000), st.floats(0, 1))
def test_same_seed_same_sound_within_full_scale(augmenter: Augmenter, seed: int, count: int, strength: float) -> None:
    samples = sine(1.0)[:count]
    first, second = (augmenter(samples, np.random.default_rng(seed), strength) for _ in range(2))
    assert np.array_equal(first, second)
    assert first.dtype == np.float32
    assert np.isfinite(first).all()
    assert np.abs(first).max(initial=0.0) <= 1
    assert any(abs(len(first) - 10 * count / tenths) <= 1 for tenths in (9, 10, 11))


def test_input_is_left_alone(augmenter: Augmenter) -> None:
    samples = sine()
    before = samples.copy()
    for seed in range(30):
        augmenter(samples, np.random.default_rng(seed))
    assert np.array_equal(samples, before)


def test_strength_zero_changes_nothing_and_full_strength_does(augmenter: Augmenter) -> None:
    samples = sine()
    assert np.array_equal(augmenter(samples, np.random.default_rng(0), 0.0), samples)
    changed = [
        len(out := augmenter(samples, np.random.default_rng(s))) != 8000 or (out != samples).any() for s in range(50)
    ]
    assert np.mean(changed) > 0.9


@given(st.floats(-5, 30))
def test_noise_has_the_asked_level(snr_db: float) -> None:
    speech = np.concatenate([sine(), np.zeros(8000, np.float32)])  # the pause does not count
    mixed = mix_noise(speech, noise(16000), snr_db)
    assert 10 * np.log10(speech_power(speech) / np.mean((mixed - speech) ** 2)) == pytest.approx(snr_db, abs=0.1)


def test_silence_gets_no_noise() -> None:
    assert not mix_noise(np.zeros(100, np.float32), noise(100), 0).any()
    assert np.array_equal(mix_noise(sine(), np.zeros(8000, np.float32), 0), sine())


def test_room_keeps_time_and_energy() -> None:
    late = np.zeros(8000, np.float32)
    late[50], late[700] = 1.0, 0.4
    click = np.zeros(4000, np.float32)
    click[1000] = 0.5
    wet = in_room(click, align_room(late))
    assert len(wet) == len(click)
    assert np.argmax(np.abs(wet)) == 1000
    assert wet[1650] == pytest.approx(0.4 * wet[1000], abs=1e-4)
    assert np.sum(wet**2) == pytest.approx(np.sum(click**2), rel=1e-4)


def test_bad_rooms_change_nothing() -> None:
    for room in (np.zeros(0, np.int16), np.zeros(9, np.int16)):
        assert np.allclose(in_room(sine(), align_room(room)), sine(), atol=1e-6)


@pytest.mark.parametrize("tenths", [9, 10, 11])
def test_speed_moves_pitch(tenths: int) -> None:
    fast = change_speed(sine(1.0, 400), tenths)
    assert len(fast) == pytest.approx(160000 / tenths, abs=1)
    peak = np.argmax(np.abs(np.fft.rfft(fast))) * 16000 / len(fast)
    assert peak == pytest.approx(40 * tenths, abs=2)


def test_overdrive_flattens_peaks_only() -> None:
    loud = overdrive(sine(), 6)
    assert loud.max() == pytest.approx(0.15, abs=1e-3)
    quiet = np.abs(sine()) < 0.14
    assert np.array_equal(loud[quiet], sine()[quiet])


def test_telephone_keeps_the_voice_band_only() -> None:
    for hertz, kept in ((60, False), (1000, True), (6000, False)):
        out = telephone(sine(0.5, 1000) + sine(0.5, hertz))
        spectrum = np.abs(np.fft.rfft(out))
        assert (spectrum[hertz // 2] > 0.3 * spectrum[500]) == kept
    assert len(np.unique(telephone(sine()))) <= 256


def test_coloured_noise_tilts() -> None:
    power = np.abs(np.fft.rfft(coloured_noise(32000, 2.0, np.random.default_rng(0)))) ** 2
    fall = 10 * np.log10(power[200:220].mean() / power[2000:2200].mean())
    assert fall == pytest.approx(20, abs=3)


@given(st.integers(0, 300_000))
def test_fast_length_is_enough_and_close(count: int) -> None:
    size = _fast_length(count)
    assert max(count, 1) <= size <= max(16, 1.26 * count)


def test_warp_moves_a_peak_up_and_one_is_identity() -> None:
    frames = np.zeros((3, 80), np.float32)
    frames[:, 30] = 1
    assert np.array_equal(warp_mel(frames, 1.0), frames)
    assert np.argmax(warp_mel(frames, 0.9)[0]) > 30 > np.argmax(warp_mel(frames, 1.1)[0])
    flat = np.full((2, 80), 3.0, np.float32)
    for alpha in (0.9, 0.97, 1.1):
        assert np.allclose(warp_mel(flat, alpha), flat, atol=1e-5)


@given(st.integers(0, 1600), st.integers(0, 1000), st.floats(0, 1))
def test_spec_augment_masks_bounded_parts(count: int, seed: int, strength: float) -> None:
    frames = np.ones((count, 80), np.float32)
    out = spec_augment(frames, np.random.default_rng(seed), strength)
    assert frames.all()
    assert out.shape == frames.shape
    if count:
        assert (~out.any(axis=0)).sum() <= 54 * strength or not out.any()
        assert (~out.any(axis=1)).sum() <= min(10, round(count / 100)) * 0.05 * count * strength


def test_spec_augment_does_mask() -> None:
    shares = [1 - spec_augment(np.ones((500, 80), np.float32), np.random.default_rng(s)).mean() for s in range(50)]
    assert 0.2 < np.mean(shares) < 0.6
