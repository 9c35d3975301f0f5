from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from step_audio_mini.data.cache import to_int16
from step_audio_mini.errors import UserError
from step_audio_mini.evaluate.endurance import MINUTE, Minute, listener, measure, minutes_of, rows_of, slope, speech
from tests import tiny
from tests.fakes import FakeEars
from tests.fakes import speech as loud

pytestmark = pytest.mark.unit


def test_sound_is_as_long_as_asked_with_a_pause_after_each_clip() -> None:
    clip = np.ones(50_000, np.int16)
    sound = np.concatenate(list(speech([clip, 2 * clip], 2)))
    assert len(sound) == 2 * MINUTE
    assert list(sound[[0, 49_999, 50_000, 65_999, 66_000]]) == [1, 1, 0, 0, 2]


def test_every_turn_has_ears_of_its_own_and_every_minute_a_reading() -> None:
    given: list[FakeEars] = []

    def ears() -> FakeEars:
        given.append(FakeEars("turn on the light"))
        return given[-1]

    turn = loud(1.0, 1.0)
    sound = np.tile(turn, 61)
    readings = iter([(100.0, 120.0), (101.0, 121.0)])
    found = list(minutes_of(ears, np.split(sound, range(16_000, len(sound), 16_000)), lambda: next(readings)))
    assert [(minute.resident, minute.peak) for minute in found] == [(100, 120), (101, 121)]
    assert all(0 < minute.processor < 60 for minute in found)
    assert len(given) == 62


def test_rows_tell_growth_but_not_that_of_the_beginning() -> None:
    flat = [Minute(3.0 if n else 9.0, 200.0 if n < 2 else 250.0, 260.0) for n in range(10)]
    table = {row.measure: row for row in rows_of(flat, "sound")}
    assert table["growth of memory an hour"].value == pytest.approx(0)
    assert table["real-time factor, ears with search"].value == pytest.approx(0.05)
    assert (table["peak memory, ears with search"].value, table["memory held"].value) == (260, 250)
    leaking = [Minute(3.0, 200.0 + n, 260.0) for n in range(10)]
    assert rows_of(leaking, "sound")[3].value == pytest.approx(60)
    assert slope([5.0]) == 0.0


def test_what_cannot_be_measured_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="two minutes"):
        measure("w", "home", [np.ones(9, np.int16)], 1)
    with pytest.raises(UserError, match="no test recordings"):
        measure("w", "home", [], 2)


@pytest.mark.slow
def test_memory_is_flat_over_minutes_of_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tiny.weights(tmp_path / "w")
    clips = [to_int16(tiny.say(text)) for text in ("i want a small coffee", "a light", "i want")]
    found = listener(str(tmp_path / "w"), "coffee", speech(clips, 5))
    assert len(found) == 5
    assert found[-1].resident - found[1].resident < 6
    assert found[-1].peak - found[1].peak < 12
