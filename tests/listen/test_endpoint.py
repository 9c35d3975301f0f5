"""End of turn: scripted frames, time as an argument."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.listen.endpoint import Endpoint, EndRules

pytestmark = pytest.mark.unit

RULES = EndRules()
QUIET, LOUD = -60.0, -20.0


def ends_at(frames: list[tuple[float, float, float]], rules: EndRules = RULES) -> float | None:
    """Time of the first frame that ends the turn; frames are (seconds they last, blank posterior, level)."""
    endpoint, time = Endpoint(rules), 0.0
    for seconds, blank, level in frames:
        for _ in range(round(seconds / 0.04)):
            time += 0.04
            if endpoint.update(time, blank, level):
                return round(time, 2)
    return None


def test_a_pause_after_speech_ends_the_turn() -> None:
    assert ends_at([(0.4, 1.0, QUIET), (1.0, 0.1, LOUD), (5.0, 1.0, QUIET)]) == pytest.approx(
        1.4 + RULES.pause, abs=0.05
    )


def test_a_short_pause_does_not() -> None:
    assert ends_at([(0.4, 1.0, QUIET), (1.0, 0.1, LOUD), (0.6, 1.0, QUIET), (1.0, 0.1, LOUD)]) is None


def test_a_drawn_out_sound_holds_the_turn_open() -> None:
    drawn = [(0.4, 1.0, QUIET), (1.0, 0.1, LOUD), (1.0, 1.0, LOUD), (2.0, 1.0, QUIET)]
    assert ends_at(drawn) == pytest.approx(2.4 + RULES.hush, abs=0.1)


def test_steady_noise_ends_by_the_long_pause() -> None:
    # speech on noise of nearly its own level: the floor never lies far below
    assert ends_at([(0.4, 1.0, LOUD), (1.0, 0.1, LOUD + 3), (5.0, 1.0, LOUD)]) == pytest.approx(
        1.4 + RULES.pause, abs=0.1
    )
    rough = [(0.4, 1.0, QUIET), (1.0, 0.1, LOUD), (5.0, 1.0, LOUD)]
    end = ends_at(rough)
    assert end is not None
    assert end <= 1.4 + RULES.long_pause + 0.05


def test_no_speech_ends_by_patience_and_a_click_is_no_speech() -> None:
    assert ends_at([(20.0, 1.0, QUIET)]) == pytest.approx(RULES.patience, abs=0.05)
    assert ends_at([(1.0, 1.0, QUIET), (0.04, 0.1, LOUD), (20.0, 1.0, QUIET)]) == pytest.approx(
        RULES.patience, abs=0.05
    )


def test_endless_speech_ends_by_length() -> None:
    assert ends_at([(100.0, 0.1, LOUD)]) == pytest.approx(RULES.longest, abs=0.05)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(-90, 0)), min_size=1, max_size=300))
def test_over_stays_over(frames: list[tuple[float, float]]) -> None:
    endpoint = Endpoint(EndRules(patience=2.0, longest=5.0))
    answers = [endpoint.update(0.04 * (place + 1), *frame) for place, frame in enumerate(frames)]
    assert answers == sorted(answers)
    assert endpoint.over == answers[-1]
