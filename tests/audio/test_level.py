from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.audio import file
from step_audio_mini.audio.augment import coloured_noise, mix_noise
from step_audio_mini.audio.level import clipping_share, pitch_hz, rms, snr_db
from step_audio_mini.types import Samples

pytestmark = pytest.mark.unit

RECORDINGS = ("order", "shopping")
"""Clean recordings of people, in the fixtures."""


@cache
def recording(name: str) -> Samples:
    return file.read(Path(__file__).parents[1] / "fixtures" / f"{name}.opus")


def mixed(name: str, db: float, slope: float = 1.0) -> Samples:
    """A recording in steady noise; slope 0 is white, 2 brown."""
    sound = recording(name)
    return mix_noise(sound, coloured_noise(len(sound), slope, np.random.default_rng(0)), db)


def voice(hz: float, seconds: float = 1.0) -> Samples:
    """A buzz like a voice: ten harmonics that fall off."""
    t = np.arange(round(16_000 * seconds)) / 16_000
    return sum(0.3 / k * np.sin(2 * np.pi * hz * k * t) for k in range(1, 11)).astype(np.float32)  # type: ignore[union-attr]


def noise(seconds: float, level: float, seed: int = 0) -> Samples:
    return (level * np.random.default_rng(seed).standard_normal(round(16_000 * seconds))).astype(np.float32)


def speech_in_noise(db: float) -> Samples:
    """One second of buzz between two half seconds of pause, in noise `db` below it."""
    sound = np.concatenate([np.zeros(8_000, np.float32), voice(150), np.zeros(8_000, np.float32)])
    return sound + noise(2.0, rms(voice(150)) * 10 ** (-db / 20))


@pytest.mark.parametrize("name", RECORDINGS)
@pytest.mark.parametrize("slope", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("db", [-5.0, 0.0, 5.0, 10.0, 15.0, 20.0, 30.0])
def test_snr_of_known_mixtures(name: str, slope: float, db: float) -> None:
    assert snr_db(mixed(name, db, slope)) == pytest.approx(db, abs=4.5 if db < 30 else 7.5)


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_quiet_room_reads_high_and_more_noise_reads_lower(name: str) -> None:
    read = [snr_db(mixed(name, db)) for db in (-5, 0, 5, 10, 15, 20, 30)]
    assert read == sorted(read)
    assert snr_db(recording(name)) > 40


@pytest.mark.parametrize("db", [5.0, 20.0])
def test_waiting_does_not_count(db: float) -> None:
    sound = np.pad(recording("order"), (64_000, 96_000))
    noise = coloured_noise(len(sound), 1.0, np.random.default_rng(0))
    waited = mix_noise(sound, noise, db)
    assert snr_db(waited) == pytest.approx(snr_db(waited[64_000:-96_000]), abs=3.0)


@pytest.mark.parametrize("sound", [np.zeros(0, np.float32), np.zeros(1, np.float32), np.zeros(16_000, np.float32)])
def test_nothing_has_no_snr_and_no_pitch(sound: Samples) -> None:
    assert snr_db(sound) == -20.0
    assert pitch_hz(sound) is None
    assert rms(sound) == clipping_share(sound) == 0.0


def test_noise_alone_is_below_zero_db() -> None:
    assert snr_db(noise(2.0, 0.1)) < -3.0


@given(gain=st.floats(1e-3, 10.0), db=st.floats(-10, 40))
def test_snr_does_not_depend_on_gain_and_stays_in_range(gain: float, db: float) -> None:
    sound = speech_in_noise(db)
    assert -20.0 <= snr_db(sound) <= 60.0
    assert snr_db(np.float32(gain) * sound) == pytest.approx(snr_db(sound), abs=0.05)


@pytest.mark.parametrize("db", [5.0, 20.0])
def test_digital_silence_around_speech_is_no_noise_floor(db: float) -> None:
    sound = mixed("shopping", db)
    for silence in (np.zeros(16_000, np.float32), (1e-6 * rms(sound) * noise(1.0, 1.0)).astype(np.float32)):
        muted = np.concatenate([silence, sound, silence])
        assert snr_db(muted) == pytest.approx(snr_db(sound), abs=1.0)


def test_a_voice_without_any_background_stays_in_range() -> None:
    sound = np.concatenate([np.zeros(8_000, np.float32), voice(150), np.zeros(8_000, np.float32)])
    assert -20.0 <= snr_db(sound) <= 60.0
    assert -20.0 <= snr_db((sound > 0).astype(np.float32)) <= 60.0


@given(hz=st.floats(75, 380))
def test_pitch_of_a_buzz(hz: float) -> None:
    assert pitch_hz(voice(hz, 0.4)) == pytest.approx(hz, rel=0.02)


def test_pitch_survives_noise_and_a_missing_fundamental() -> None:
    assert pitch_hz(speech_in_noise(10.0)) == pytest.approx(150, rel=0.03)
    t = np.arange(16_000) / 16_000
    without = sum(0.2 * np.sin(2 * np.pi * 120 * k * t) for k in range(2, 9)).astype(np.float32)  # type: ignore[union-attr]
    assert pitch_hz(without) == pytest.approx(120, rel=0.03)


def test_noise_has_no_pitch() -> None:
    assert pitch_hz(noise(1.0, 0.1)) is None


def test_clipping_share() -> None:
    sound = np.clip(2 * np.sin(np.linspace(0, 200, 16_000)), -1, 1).astype(np.float32)
    assert clipping_share(sound) == pytest.approx(2 / 3, abs=0.02)
    assert clipping_share(0.5 * sound) == 0.0
