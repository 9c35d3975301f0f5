"""Spectra turn back into the sound they came from, in place, whatever the cut."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from step_audio_mini.audio.features import HOP, WINDOW, frame_count
from step_audio_mini.audio.spectrum import BINS, EARLY, SPAN, OverlapAdd, analyse

pytestmark = pytest.mark.unit


def sound(frames: int) -> np.ndarray:
    """Noise that so many log-mel frames cover."""
    return np.random.default_rng(frames).standard_normal(frames * HOP + WINDOW - HOP).astype(np.float32)


def around(samples: np.ndarray) -> np.ndarray:
    return np.pad(samples, (EARLY, EARLY))


@pytest.mark.parametrize("frames", [1, 2, 3, 50])
def test_sound_comes_back_in_place(frames: int) -> None:
    samples = sound(frames)
    assert frame_count(len(samples)) == frames
    spectra = analyse(around(samples))
    assert spectra.shape == (frames, BINS, 2)
    adder = OverlapAdd()
    made = np.concatenate([adder.push(spectra), adder.finish()])
    assert made.shape == samples.shape
    inner = slice(SPAN - HOP - EARLY, -(SPAN - HOP - EARLY))  # covered by all windows: the edges fade
    np.testing.assert_allclose(made[inner], samples[inner], atol=1e-5)
    assert np.all(np.abs(made) <= np.abs(samples) + 1e-5)


@settings(deadline=None, max_examples=30)
@given(cuts=st.lists(st.integers(0, 30), max_size=6))
def test_pieces_equal_the_whole(cuts: list[int]) -> None:
    spectra = analyse(around(sound(30)))
    whole, pieces = OverlapAdd(), OverlapAdd()
    expected = np.concatenate([whole.push(spectra), whole.finish()])
    edges = [0, *sorted(cuts), 30]
    made = [pieces.push(spectra[a:b]) for a, b in pairwise(edges)]
    np.testing.assert_allclose(np.concatenate([*made, pieces.finish()]), expected, atol=1e-5)


def test_white_noise_has_bins_of_power_one() -> None:
    spectra = analyse(np.random.default_rng(0).standard_normal(SPAN * 200).astype(np.float32))
    power = (spectra[:, 1:-1] ** 2).sum(-1).mean()
    assert power == pytest.approx(1.0, abs=0.03)


def test_nothing_gives_nothing() -> None:
    assert OverlapAdd().finish().shape == (0,)
