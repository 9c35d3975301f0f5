"""The source: right pitch, no drift, no clicks, the same noise at the same place, streamed = whole."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from step_audio_mini.audio.spectrum import BINS, OverlapAdd
from step_audio_mini.speak.source import AHEAD, SourceStream, harmonics, noise, pitch_features

pytestmark = pytest.mark.unit


def rendered(f0: np.ndarray, part: int) -> np.ndarray:
    """Sound of the harmonics (0) or the noise (1) for F0 (T,)."""
    stream, adder = SourceStream(), OverlapAdd()
    spectra = np.concatenate([stream.push(f0.astype(np.float32)), stream.finish()])
    return np.concatenate([adder.push(spectra[:, part]), adder.finish()])


def test_pitch_features_are_zero_where_voiceless() -> None:
    np.testing.assert_allclose(pitch_features(np.array([0, 200, 400], np.float32)), [[0, 0], [0, 1], [np.log(2), 1]])


def test_harmonics_are_the_sum_of_cosines() -> None:
    cycles = np.linspace(-3, 3, 1001)
    f0 = np.full_like(cycles, 1500.0)  # five harmonics up to 7.5 kHz, none half in
    expected = sum(np.cos(2 * np.pi * k * cycles) for k in range(1, 6)) * np.sqrt(2 / 5)
    np.testing.assert_allclose(harmonics(cycles, f0), expected, atol=1e-6)


def test_a_gliding_pitch_does_not_click() -> None:
    f0 = np.linspace(100.0, 130.0, 48_000)
    high = np.diff(harmonics(np.cumsum(f0 / 16_000), f0), 2)
    steady = np.diff(harmonics(np.cumsum(np.full(48_000, 115.0)) / 16_000, np.full(48_000, 115.0)), 2)
    assert np.abs(high).max() < 1.2 * np.abs(steady).max()


@pytest.mark.parametrize("hertz", [80.0, 155.0, 320.0])
def test_harmonics_keep_the_pitch_over_a_long_time(hertz: float) -> None:
    made = rendered(np.full(1000, hertz), 0)[16_000:-16_000]
    peak = np.abs(np.fft.rfft(made * np.hanning(len(made)))).argmax() * 16_000 / len(made)
    assert peak % hertz == pytest.approx(0, abs=0.2) or peak % hertz == pytest.approx(hertz, abs=0.2)
    assert np.mean(made**2) == pytest.approx(1.0, abs=0.05)


def test_voice_sets_in_where_f0_does() -> None:
    f0 = np.zeros(60)
    f0[30:] = 150.0
    made = rendered(f0, 0)
    centre = 160 * 30 + 200
    assert np.abs(made[: centre - 161]).max() < 1e-5  # rises over the 10 ms before the first voiced centre
    assert np.mean(made[centre : centre + 3200] ** 2) == pytest.approx(1.0, abs=0.1)


def test_noise_is_white_and_a_function_of_position() -> None:
    whole = noise(7, 0, 5000)
    for start, stop in [(0, 1), (3, 4), (1001, 1777), (4999, 5000)]:
        np.testing.assert_array_equal(noise(7, start, stop - start), whole[start:stop])
    assert abs(whole.mean()) < 0.05
    assert whole.var() == pytest.approx(1.0, abs=0.05)
    assert abs(np.corrcoef(whole[:-1], whole[1:])[0, 1]) < 0.05
    assert not np.array_equal(noise(8, 0, 100), whole[:100])


@settings(deadline=None, max_examples=30)
@given(
    cuts=st.lists(st.integers(0, 40), max_size=6),
    f0=st.lists(st.one_of(st.just(0.0), st.floats(60, 500)), min_size=40, max_size=40),
)
def test_pieces_equal_the_whole(cuts: list[int], f0: list[float]) -> None:
    track = np.array(f0, np.float32)
    whole, pieces = SourceStream(3), SourceStream(3)
    expected = np.concatenate([whole.push(track), whole.finish()])
    assert expected.shape == (40, 2, BINS, 2)
    edges = [0, *sorted(cuts), 40]
    made = [pieces.push(track[a:b]) for a, b in pairwise(edges)]
    np.testing.assert_allclose(np.concatenate([*made, pieces.finish()]), expected, atol=1e-5)


def test_a_frame_waits_for_the_f0_that_it_depends_on() -> None:
    assert len(SourceStream().push(np.full(10, 100.0, np.float32))) == 10 - AHEAD


def test_nothing_gives_nothing() -> None:
    stream = SourceStream()
    assert stream.push(np.zeros(0, np.float32)).shape == (0, 2, BINS, 2)
    assert stream.finish().shape == (0, 2, BINS, 2)
