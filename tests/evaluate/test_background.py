"""Pauses sound like the recordings they stand between."""

import numpy as np
import pytest

from step_audio_mini.evaluate.background import LEAST, background

pytestmark = pytest.mark.unit


def test_a_pause_is_as_loud_as_the_quietest_moments() -> None:
    rng = np.random.default_rng(1)
    speech = rng.normal(0, 0.2, 16_000).astype(np.float32)
    room = rng.normal(0, 0.003, 8_000).astype(np.float32)
    pause = background([np.concatenate([speech, room])], 16_000)
    assert pause.shape == (16_000,)
    assert np.std(pause) == pytest.approx(0.003, rel=0.1)
    assert np.array_equal(pause, background([np.concatenate([speech, room])], 16_000))


@pytest.mark.parametrize("sound", [np.zeros(16_000, np.float32), np.zeros(10, np.float32)])
def test_a_pause_is_never_digital_silence(sound: np.ndarray) -> None:
    assert np.std(background([sound], 16_000)) == pytest.approx(LEAST, rel=0.1)
