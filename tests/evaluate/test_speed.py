from __future__ import annotations

from pathlib import Path

import pytest

from step_audio_mini import StepAudio2Mini
from step_audio_mini.audio import file
from step_audio_mini.errors import UserError
from step_audio_mini.evaluate import speed
from tests import tiny
from tests.fakes import FakeRooms, speech

pytestmark = pytest.mark.unit


def test_medians_and_spans() -> None:
    values = iter([99.0, 3.0, 1.0, 2.0, 5.0, 4.0])
    figure = speed.repeated(lambda: next(values))
    assert (figure.value, figure.low, figure.high, figure.n) == (3, 1, 5, 5)
    assert speed.cpu_seconds(lambda: sum(range(200_000))) > 0


def test_rows_of_the_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = StepAudio2Mini(FakeRooms())
    (listen,) = speed.listen_rows(model, [speech()], "home")
    assert (listen.measure, listen.kind, listen.unit) == ("real-time factor, listen", "real", "x")
    assert 0 <= listen.low <= listen.value <= listen.high
    assert [row.kind for row in speed.speak_rows(model)] == ["synthetic"] * 2
    file.write(tmp_path / "in.wav", speech())
    monkeypatch.setattr(speed, "cold_start", lambda recording, pack, weights: (1.0, 0.5, 200.0))
    rows = {row.measure: row for row in speed.talk_rows(model, tmp_path / "in.wav", "home", "")}
    assert rows["talk from a cold start, peak memory"].value == 200
    assert rows["talk, speak_first"].unit == "ms"


def test_this_machine_has_a_name_and_memory() -> None:
    assert "one thread" in speed.machine()
    assert 10 < speed.peak_megabytes() < 100_000


def test_a_process_that_answers_is_weighed_and_its_failure_told(tmp_path: Path) -> None:
    folder = tiny.weights(tmp_path / "weights")
    sound = tiny.say("a light")
    assert 20 < speed.answering_megabytes([(sound, "home"), (sound, "home")], str(folder)) < 10_000
    with pytest.raises(UserError, match="ended with 1"):
        speed.answering_megabytes([(sound, "no-such-pack")], str(folder))
