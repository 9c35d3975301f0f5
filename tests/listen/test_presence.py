"""Speech is told from noise by whether the network is sure which unit it hears."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.listen.presence import speech_probability, sureness

pytestmark = pytest.mark.unit


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_surer_unit_is_likelier_speech(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0.0 <= speech_probability(low) <= speech_probability(high) <= 1.0


def test_units_that_could_be_any_are_noise_and_those_that_are_sure_are_speech() -> None:
    assert speech_probability(0.12) < 0.1
    assert speech_probability(0.8) > 0.95
    assert (speech_probability(0.0), speech_probability(1.0)) == (0.0, 1.0)


def test_a_path_is_as_sure_as_its_units_at_their_peaks() -> None:
    posteriors = np.full((6, 4), 0.05, np.float32)
    posteriors[1, 2], posteriors[4, 3] = 0.8, 0.2
    log_probs = np.log(posteriors)
    assert sureness(log_probs, [(2, 2), (3, 4)]) == pytest.approx(0.4)
    assert sureness(log_probs, [(2, 0), (3, 5)]) == pytest.approx(0.4), "near its frame, at the edges too"
    assert sureness(log_probs, [(1, 2)]) == pytest.approx(0.05)
    assert sureness(log_probs, []) == 0.0
