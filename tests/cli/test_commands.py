"""What the commands print, and the documented keys of their JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from step_audio_mini.audio import file as sound_file
from step_audio_mini.cli import main as command_line
from step_audio_mini.errors import UserError
from tests.cli.conftest import Run
from tests.fakes import FakeRooms, speech

pytestmark = pytest.mark.unit

WORD = {"w", "lang", "start", "end", "p"}


@pytest.fixture
def question(tmp_path: Path) -> Path:
    sound_file.write(tmp_path / "in.wav", speech())
    return tmp_path / "in.wav"


def test_talk_prints_the_documented_keys(run: Run, rooms: FakeRooms, question: Path) -> None:
    done = run("talk", question, "-o", "out.wav", "--json", "-p", "coffee", "-p", "home", "-l", "en")
    assert (done.code, done.err) == (0, "")
    content = json.loads(done.out)
    assert list(content) == [
        "transcript", "language", "confidence", "words", "attributes", "act", "state", "tool_calls", "reply", "style",
        "audio", "timings_ms",
    ]  # fmt: skip
    assert content["transcript"] == "turn on the light"
    assert set(content["words"][0]) == WORD
    assert set(content["attributes"]) == {"snr_db", "rate", "pitch_hz", "confidence"}
    assert content["state"] == {"intent": "HassTurnOn", "slots": {"name": "light"}}
    assert content["tool_calls"] == [
        {"name": "HassTurnOn", "arguments": {"name": "light"}, "result": {"state": "on", "turn": 1}}
    ]
    assert content["style"] == {"emotion": "neutral", "speed": 1.0}
    assert content["audio"] == {"path": "out.wav", "sample_rate": 16_000, "seconds": 0.6}
    assert set(content["timings_ms"]) == {"listen", "think", "speak_first", "total"}
    assert sf.info("out.wav").frames == 9_600
    assert rooms.asked == [(["coffee", "home"], "en")]


def test_talk_tells_people_what_happened(run: Run, rooms: FakeRooms, question: Path) -> None:
    done = run("talk", question, "-o", "out.wav")
    assert (done.code, done.err) == (0, "")
    labels = [line.split(maxsplit=1) for line in done.out.splitlines()]
    assert [label for label, _ in labels] == ["heard", "understood", "did", "says", "spoken"]
    assert labels[0][1].startswith("turn on the light   (en, 90% sure")
    assert labels[2][1] == "HassTurnOn(name=light) -> state=on, turn=1"
    assert labels[4][1].startswith("out.wav   (0.6 s;")


def test_the_same_call_twice_writes_the_same_bytes(run: Run, rooms: FakeRooms, question: Path) -> None:
    for name in ("a.wav", "b.wav"):
        run("talk", question, "-o", name)
    assert Path("a.wav").read_bytes() == Path("b.wav").read_bytes()


def test_listen(run: Run, rooms: FakeRooms, question: Path) -> None:
    content = json.loads(run("listen", question, "--json").out)
    assert list(content) == ["transcript", "language", "confidence", "words", "nbest", "attributes", "written"]
    assert content["written"] == "turn on the light"
    assert content["words"][0]["lang"] == "en"
    assert content["nbest"][0]["transcript"] == content["transcript"]
    assert set(content["nbest"][0]) == {"transcript", "score", "words"}
    assert run("listen", question).out.startswith("heard      turn on the light")


def test_listen_to_silence_says_so(run: Run, rooms: FakeRooms) -> None:
    sound_file.write("in.wav", np.zeros(16_000, np.float32))
    assert run("listen", "in.wav").out.startswith("heard      nothing that I understand")
    assert json.loads(run("listen", "in.wav", "--json").out)["words"] == []


def test_think_takes_turns_of_one_dialogue(run: Run, rooms: FakeRooms) -> None:
    done = run("think", "turn on the light", "and again", "--json")
    turns = [json.loads(line) for line in done.out.splitlines()]
    assert [list(turn) for turn in turns] == [["act", "state", "tool_calls", "reply", "style"]] * 2
    assert [turn["tool_calls"][0]["result"]["turn"] for turn in turns] == [1, 2]
    assert "says       The light is on." in run("think", "开灯").out


def test_think_takes_what_listen_prints(run: Run, rooms: FakeRooms, question: Path) -> None:
    heard = run("listen", question, "--json").out
    assert json.loads(run("think", heard, "--json").out)["act"] == "request"
    silence = json.dumps(json.loads(heard) | {"words": [], "nbest": []})
    assert json.loads(run("think", silence, "--json").out)["act"] == "not_understood"


def test_speak(run: Run, rooms: FakeRooms) -> None:
    done = run("speak", "one two", "-o", "out.wav", "--json")
    assert json.loads(done.out) == {"audio": {"path": "out.wav", "sample_rate": 16_000, "seconds": 0.2}}
    assert run("speak", "one two", "-o", "out.wav", "--speed", "2").out == "spoken     out.wav   (0.1 s)\n"


def test_help_names_every_command(run: Run) -> None:
    done = run("--help")
    assert done.code == 0
    assert all(f" {name} " in done.out for name in command_line.COMMANDS)


def test_no_command_shows_the_help(run: Run) -> None:
    done = run()
    assert done.code == 2
    assert "Usage" in done.out + done.err


def test_a_missing_extra_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(command_line, "import_module", missing)
    done = run("train")
    assert (done.code, done.err) == (2, "step-audio: needs torch: pip install 'step-audio-mini[train]'\n")


def test_no_traceback_reaches_a_user(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(asked: str) -> None:
        raise ValueError("a long\nstory")

    monkeypatch.setattr(command_line, "app_of", broken)
    done = run("talk")
    assert done.code == 1
    assert done.err.startswith("step-audio: unexpected ValueError: a long story; our fault, please report it")
    assert done.err.count("\n") == 1
    monkeypatch.setenv("STEP_AUDIO_DEBUG", "1")
    with pytest.raises(ValueError, match="a long"):
        run("talk")


def test_a_place_that_fails_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(asked: str) -> None:
        raise OSError(28, "No space left on device", "out/log.jsonl")

    monkeypatch.setattr(command_line, "app_of", full)
    done = run("train")
    assert (done.code, done.err) == (2, "step-audio: out/log.jsonl: no space left on device; check that place\n")


def test_ctrl_c_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(asked: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "app_of", stopped)
    done = run("talk")
    assert (done.code, done.err) == (130, "step-audio: stopped\n")


def test_a_user_error_is_one_line_and_exit_code_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(asked: str) -> None:
        raise UserError("this\nis wrong; do that")

    monkeypatch.setattr(command_line, "app_of", wrong)
    done = run("talk")
    assert (done.code, done.err) == (2, "step-audio: this is wrong; do that\n")
