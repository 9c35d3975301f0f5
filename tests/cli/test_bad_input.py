"""Whatever is handed in: one clear line and exit code 2, or a sensible spoken answer; never a half-written file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from step_audio_mini.types import Samples
from tests.cli.conftest import Done, Run
from tests.fakes import FakeRooms, speech

pytestmark = pytest.mark.unit

OUT = "answer.wav"


def noise(seconds: float, level: float) -> Samples:
    return (level * np.random.default_rng(0).standard_normal(round(16_000 * seconds))).astype(np.float32)


def refused(done: Done, *what: str) -> None:
    """One line, exit code 2, and no trace of an output file."""
    assert done.code == 2, done
    assert done.out == ""
    assert done.err.startswith("step-audio: ")
    assert done.err.count("\n") == 1
    assert all(w in done.err for w in what), done.err
    assert not [p for p in Path().iterdir() if p.name.startswith((OUT, f".{OUT}"))]


def answered(done: Done) -> str:
    """A spoken answer that is no silence and does not clip; its act."""
    assert (done.code, done.err) == (0, ""), done
    sound, rate = sf.read(OUT, dtype="float32")
    assert rate == 16_000
    assert 0.01 < np.abs(sound).max() < 0.999
    return str(json.loads(done.out)["act"])


NO_SOUND: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda p: None, "does not exist"),
    "folder": (lambda p: p.mkdir(), "is a folder"),
    "empty": (lambda p: p.touch(), "is empty"),
    "text": (lambda p: p.write_text("no sound\n" * 99), "is no sound file"),
    "only a header": (lambda p: p.write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt "), "is no sound file"),
    "no samples": (lambda p: sf.write(p, np.zeros(0), 16_000, format="WAV"), "holds no sound"),
    "NaN": (lambda p: sf.write(p, np.full(99, np.nan), 16_000, "FLOAT", format="WAV"), "no numbers"),
    "infinite": (lambda p: sf.write(p, np.full(99, np.inf), 16_000, "FLOAT", format="WAV"), "no numbers"),
    "odd rate": (lambda p: sf.write(p, np.zeros(99), 40, format="WAV"), "sample rate of 40 Hz"),
    "one hour": (lambda p: sf.write(p, np.zeros(3_600 * 8_000, np.int16), 8_000, format="WAV"), "lasts 3600 s"),
}


@pytest.mark.parametrize("make", NO_SOUND.values(), ids=NO_SOUND)
@pytest.mark.parametrize("command", ["talk", "listen"])
def test_files_without_usable_sound(
    run: Run, rooms: FakeRooms, make: tuple[Callable[[Path], object], str], command: str
) -> None:
    build, what = make
    build(Path("in.wav"))
    output = ["-o", OUT] if command == "talk" else []
    refused(run(command, "in.wav", *output, "--json"), "in.wav", what)


@pytest.mark.parametrize("kind", ["flac", "ogg"])
def test_a_truncated_file_is_named(run: Run, rooms: FakeRooms, kind: str) -> None:
    path = Path(f"in.{kind}")
    sf.write(path, speech(3), 16_000)
    path.write_bytes(path.read_bytes()[:-2_000])
    refused(run("talk", path, "-o", OUT), path.name)


SPEECH = speech()
SOUND: dict[str, Callable[[Path], object]] = {
    "8 channels at 96 kHz": lambda p: sf.write(p, np.repeat(np.repeat(SPEECH, 6)[:, None], 8, 1), 96_000),
    "8 bit": lambda p: sf.write(p, SPEECH, 16_000, "PCM_U8"),
    "clipped": lambda p: sf.write(p, np.clip(50 * SPEECH, -1, 1), 16_000),
    "floats beyond 1": lambda p: sf.write(p, 1e30 * SPEECH, 16_000, "FLOAT"),
    "truncated": lambda p: (sf.write(p, SPEECH, 16_000), p.write_bytes(p.read_bytes()[:-9_001])),
}


@pytest.mark.parametrize("make", SOUND.values(), ids=SOUND)
def test_speech_in_odd_files_is_answered(run: Run, rooms: FakeRooms, make: Callable[[Path], object]) -> None:
    make(Path("in.wav"))
    assert answered(run("talk", "in.wav", "-o", OUT, "--json")) == "request"


SILENCE: dict[str, Samples] = {
    "one sample": np.zeros(1, np.float32),
    "silence": np.zeros(16_000, np.float32),
    "half a minute of silence": np.zeros(480_000, np.float32),
    "faint noise": noise(2.0, 0.01),
}


@pytest.mark.parametrize("sound", SILENCE.values(), ids=SILENCE)
def test_silence_and_noise_get_a_spoken_excuse(run: Run, rooms: FakeRooms, sound: Samples) -> None:
    sf.write("in.wav", sound, 16_000)
    assert answered(run("talk", "in.wav", "-o", OUT, "--json")) == "not_understood"


def test_unwritable_output_is_refused_before_any_work(run: Run, rooms: FakeRooms) -> None:
    sf.write("in.wav", SPEECH, 16_000)
    Path("folder").mkdir()
    for output in ("folder", "none/answer.wav", "in.wav/answer.wav", "/dev/null", "n" * 300):
        for command in (("talk", "in.wav"), ("speak", "hello")):
            done = run(*command, "-o", output)
            refused(done, output)
    assert rooms.asked == []


@pytest.mark.parametrize(
    "words", [("",), ("   ",), ("x" * 10_001,), ("{not json}",), ('{"words": 3}',), ('{"words": [{}]}',)]
)
def test_words_that_are_none(run: Run, rooms: FakeRooms, words: tuple[str, ...]) -> None:
    refused(run("think", *words))


def test_text_that_is_none(run: Run, rooms: FakeRooms) -> None:
    refused(run("speak", "", "-o", OUT), "nothing that can be spoken")


def test_unknown_names(run: Run, rooms: FakeRooms) -> None:
    sf.write("in.wav", SPEECH, 16_000)
    for command in (
        ("talk", "in.wav", "-o", OUT),
        ("listen", "in.wav"),
        ("speak", "hello", "-o", OUT),
        ("think", "hi"),
    ):
        refused(run(*command, "--language", "fr"), "no language 'fr'; use auto, zh or en")
    refused(run("sing", "hello"), "No such command 'sing'")
    refused(run("talk", "in.wav"), "Missing option")
    refused(run("speak", "hello", "-o", OUT, "--speed", "fast"), "--speed")
