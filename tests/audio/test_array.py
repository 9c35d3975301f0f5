from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.audio.array import as_batch, as_samples
from step_audio_mini.errors import UserError

pytestmark = pytest.mark.unit


@given(dtype=st.sampled_from([np.int8, np.int16, np.int32, np.float16, np.float32, np.float64]))
def test_every_type_means_the_same_sound(dtype: type[np.generic]) -> None:
    wave = np.array([0.0, 0.5, -0.5, -1.0])
    scale = -float(np.iinfo(dtype).min) if issubclass(dtype, np.signedinteger) else 1.0
    got = as_samples((wave * scale).astype(dtype))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, wave, atol=1e-6)


def test_shapes() -> None:
    assert as_batch(np.zeros(5)).shape == (1, 5)
    assert as_batch(np.zeros((3, 5))).shape == (3, 5)
    assert as_samples(np.zeros((1, 5))).shape == (5,)
    assert as_samples([0.0, 0.1]).shape == (2,)
    assert as_samples(np.zeros(0)).shape == (0,)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((1, 1, 5)),
        np.float32(1),
        np.zeros(5, complex),
        np.zeros(5, np.uint8),
        np.array(["a"]),
        np.array([0.0, np.nan]),
        np.array([np.inf]),
    ],
)
def test_what_is_no_sound_is_refused(array: np.ndarray) -> None:
    with pytest.raises(UserError):
        as_batch(array)


@pytest.mark.parametrize("sounds", [0, 2])
def test_only_one_sound_is_one(sounds: int) -> None:
    with pytest.raises(UserError, match=f"{sounds} sounds"):
        as_samples(np.zeros((sounds, 5)))
