"""The one object, with scripted rooms: what it hands on, in which order, in which kind."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini import StepAudio2Mini
from step_audio_mini.audio import file as sound_file
from step_audio_mini.errors import UserError
from step_audio_mini.model import END_STEP
from step_audio_mini.types import Turn
from tests.fakes import FakeRooms, speech

pytestmark = pytest.mark.unit


@pytest.fixture
def model() -> StepAudio2Mini:
    return StepAudio2Mini(FakeRooms())


def test_talk_answers_a_file_and_an_array_alike(model: StepAudio2Mini, tmp_path: Path) -> None:
    sound_file.write(tmp_path / "in.wav", speech())
    turn, same = model.talk(tmp_path / "in.wav"), model.talk(speech())
    assert turn.hearing.best.text == "turn on the light"
    assert turn.decision == same.decision
    np.testing.assert_array_equal(turn.audio.samples, same.audio.samples)
    assert set(turn.timings_ms) == {"listen", "think", "speak_first", "total"}
    parts = [turn.timings_ms[name] for name in ("listen", "think", "speak_first")]
    assert min(parts) >= 0.0
    assert sum(parts) <= turn.timings_ms["total"] + 1e-9


def test_talk_takes_pauses_as_part_of_the_turn(model: StepAudio2Mini) -> None:
    assert model.talk(np.concatenate([speech(0.2), speech(0.2)])).hearing.best.text == "turn on the light"


def test_pack_and_language_reach_the_ears() -> None:
    rooms = FakeRooms()
    StepAudio2Mini(rooms).talk(speech(), pack="coffee", language="zh")
    assert rooms.asked == [("coffee", "zh")]


def test_silence_gets_a_spoken_answer(model: StepAudio2Mini) -> None:
    for sound in (np.zeros(1), np.zeros(16_000), 1e-4 * np.random.default_rng(0).standard_normal(16_000)):
        turn = model.talk(sound)
        assert turn.decision.act == "not_understood"
        assert len(turn.audio.samples)


def test_a_dialogue_goes_on_over_calls(model: StepAudio2Mini) -> None:
    dialogue = model.open_dialogue()
    results = [model.talk(speech(), dialogue=dialogue).decision.tool_calls[0].result for _ in range(3)]
    assert [r and r["turn"] for r in results] == [1, 2, 3]


def test_a_stream_tells_what_happens_in_order(model: StepAudio2Mini) -> None:
    sound = np.concatenate([speech(), speech(), np.zeros(64_000, np.float32)])
    events = list(model.stream(np.split(sound, range(800, len(sound), 800))))
    kinds = [e.type for e in events if e.type != "partial"]
    turn = ["end_of_turn", "tool_call", "decision", "audio", "audio", "turn"]
    assert kinds == turn + turn
    partials = [e.data.text for e in events[: [e.type for e in events].index("end_of_turn")]]
    assert list(dict.fromkeys(partials)) == ["turn", "turn on", "turn on the", "turn on the light"]
    turns = [e.data for e in events if isinstance(e.data, Turn)]
    assert [t.decision.tool_calls[0].result for t in turns] == [{"state": "on", "turn": n} for n in (1, 2)]


def test_a_stream_tells_how_likely_the_person_has_finished(model: StepAudio2Mini) -> None:
    sound = speech()
    heard = [e for e in model.stream(np.split(sound, range(160, len(sound), 160))) if e.type != "turn"]
    ends = [e.end_probability for e in heard if e.type == "partial"]
    silence = [e.end_probability for e in heard if e.type == "partial" and e.data.text == "turn on the light"]
    assert ends[0] == 0.0
    assert silence == sorted(silence)
    assert len(silence) >= 9  # told as it grows, though no word is added
    assert all(b - a >= END_STEP for a, b in itertools.pairwise(silence))
    assert [e.end_probability for e in heard if e.type == "end_of_turn"] == [1.0]


def test_the_pieces_of_a_stream_make_the_sound_of_its_turn(model: StepAudio2Mini) -> None:
    events = list(model.stream([speech()]))
    pieces = np.concatenate([e.data.samples for e in events if e.type == "audio"])
    np.testing.assert_array_equal(pieces, events[-1].data.audio.samples)


def test_a_silent_stream_is_answered_once(model: StepAudio2Mini) -> None:
    kinds = [e.type for e in model.stream([np.zeros(800, np.float32)] * 400)]
    assert kinds.count("turn") == 1


@given(st.lists(st.integers(1, 17_000), max_size=8))
def test_cuts_of_a_stream_do_not_matter(cuts: list[int]) -> None:
    sound, model = speech(), StepAudio2Mini(FakeRooms())
    *_, last = model.stream(np.split(sound, sorted(cuts)) if cuts else [sound])
    assert last.data.hearing.best.text == "turn on the light"


@pytest.mark.parametrize("shape", [(16_000,), (1, 16_000), (3, 16_000)])
@pytest.mark.parametrize("match_length", [False, True])
def test_generate_gives_the_kind_and_shape_it_took(
    model: StepAudio2Mini, shape: tuple[int, ...], match_length: bool
) -> None:
    x = 0.3 * np.random.default_rng(0).standard_normal(shape)
    y = model.generate(x, match_length=match_length)
    assert isinstance(y, np.ndarray)
    assert y.dtype == np.float32
    assert y.shape[:-1] == shape[:-1]
    assert y.shape[-1] == (16_000 if match_length else 6 * 1_600)
    assert np.abs(y).max() > 0.1


def test_generate_takes_and_gives_torch_tensors(model: StepAudio2Mini) -> None:
    torch = pytest.importorskip("torch")
    for x in (
        0.3 * torch.randn(1, 16_000),
        (9_000 * torch.randn(2, 8_000)).to(torch.int16),
        torch.ones(1, 800).bfloat16(),
    ):
        y = model.generate(x, match_length=True)
        assert isinstance(y, torch.Tensor)
        assert y.shape == x.shape
        assert y.dtype == torch.float32
    assert model.module(torch.randn(1, 16_000)).shape == (1, 9_600)


def test_batched_is_alone(model: StepAudio2Mini) -> None:
    x = np.stack([np.pad(speech(), (0, 100)), np.zeros(len(speech()) + 100, np.float32)])
    y = model.generate(x)
    for row, alone in zip(y, (model.generate(x[0]), model.generate(x[1])), strict=True):
        np.testing.assert_array_equal(row[: len(alone)], alone)
        assert not row[len(alone) :].any()


def test_bad_arguments_are_named(model: StepAudio2Mini) -> None:
    for bad in ("", "no.wav", np.zeros(0), np.full(100, np.nan), np.zeros((2, 100)), np.zeros(16_000 * 61)):
        with pytest.raises(UserError):
            model.talk(bad)
    french: Any = "fr"
    calls = (model.talk, model.listen, model.speak)
    for call, what in zip(calls, (speech(), speech(), "hello"), strict=True):
        with pytest.raises(UserError, match="no language 'fr'; use auto, zh or en"):
            call(what, language=french)  # type: ignore[operator]
    with pytest.raises(UserError, match="nothing that can be spoken"):
        model.speak("")


def test_speak_follows_the_style(model: StepAudio2Mini) -> None:
    assert len(model.speak("one two").samples) == 3_200


def test_the_package_names_its_one_object() -> None:
    import step_audio_mini

    assert step_audio_mini.__all__ == ["StepAudio2Mini"]
    with pytest.raises(AttributeError):
        _ = step_audio_mini.nothing
    code = "import step_audio_mini as s, sys; s.StepAudio2Mini; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
