from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.audio.resample import Resampler, resample
from step_audio_mini.errors import UserError
from step_audio_mini.types import Samples

pytestmark = pytest.mark.unit


def tone(hz: float, rate: int, seconds: float) -> Samples:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


@given(
    rate=st.sampled_from([8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000]),
    cuts=st.lists(st.integers(0, 4_000), max_size=12),
    seed=st.integers(0, 9),
)
def test_any_cuts_of_the_stream_give_the_whole(rate: int, cuts: list[int], seed: int) -> None:
    sound = np.random.default_rng(seed).uniform(-1, 1, 5_000).astype(np.float32)
    stream = Resampler(rate)
    parts = [stream.push(part) for part in np.split(sound, sorted(cuts))]
    streamed = np.concatenate([*parts, stream.finish()])
    np.testing.assert_allclose(streamed, resample(sound, rate), atol=1e-6)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000, 96_000])
def test_a_tone_keeps_its_time_pitch_and_level(rate: int) -> None:
    got, want = resample(tone(440, rate, 0.5), rate), tone(440, 16_000, 0.5)
    assert abs(len(got) - len(want)) <= 1
    middle = slice(800, -800)
    np.testing.assert_allclose(got[: len(want)][middle], want[: len(got)][middle], atol=2e-3)


def test_the_same_rate_passes_through() -> None:
    sound = tone(440, 16_000, 0.1)
    np.testing.assert_array_equal(resample(sound, 16_000), sound)


def test_above_the_new_band_is_silence() -> None:
    assert np.abs(resample(tone(11_000, 48_000, 0.5), 48_000)[400:-400]).max() < 1e-3


@pytest.mark.parametrize("rate", [0, 1, 3_999, 400_000])
def test_an_unlikely_rate_is_refused(rate: int) -> None:
    with pytest.raises(UserError, match="sample rate"):
        Resampler(rate)
