"""The weights that ship, on real recordings: answers that can be used, fast and small enough."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from step_audio_mini import StepAudio2Mini
from step_audio_mini.runtime.manifest import Weights
from step_audio_mini.runtime.session import Graph
from step_audio_mini.think.mind import hearing_of
from tests import tiny
from tests.shipped import needs_weights

pytestmark = [pytest.mark.golden, needs_weights]

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture(scope="module")
def model() -> StepAudio2Mini:
    return StepAudio2Mini.from_pretrained()


def test_a_real_order_is_understood(model: StepAudio2Mini) -> None:
    turn = model.talk(FIXTURES / "order.opus", pack="coffee")
    assert turn.hearing.best.language == "en"
    assert "coffee" in turn.hearing.best.text
    assert turn.decision.state.intent == "orderDrink"
    assert turn.decision.state.slots["coffeeDrink"] == "house coffee"


def test_a_read_sentence_calls_no_tool(model: StepAudio2Mini) -> None:
    turn = model.talk(FIXTURES / "shopping.opus", pack="home")
    assert turn.hearing.best.language == "zh"
    assert turn.decision.tool_calls == ()


@pytest.mark.parametrize(
    ("typed", "intent"),
    [("good morning", "Greet"), ("thanks a lot", "Thank"), ("what can you do", "WhatCanYouDo"), ("你好", "Greet"),
     ("谢谢", "Thank"), ("再见", "Goodbye"), ("你会做什么", "WhatCanYouDo")],
)  # fmt: skip
def test_a_pack_that_the_mind_was_never_trained_on_answers_greetings(
    model: StepAudio2Mini, typed: str, intent: str
) -> None:
    decision = model.think(hearing_of(typed), ["home", "clock-weather", "manners"])
    assert decision.state.intent == intent
    assert decision.tool_calls == ()
    assert decision.reply


def test_answers_are_clean_sound(model: StepAudio2Mini) -> None:
    for recording in ("order.opus", "shopping.opus"):
        for pack in ("home", "clock-weather", "coffee"):
            samples = model.talk(FIXTURES / recording, pack=pack).audio.samples
            assert len(samples) > 4_000
            assert np.isfinite(samples).all()
            assert 0.05 < np.abs(samples).max() < 1.0


def test_silence_and_noise_get_a_spoken_excuse(model: StepAudio2Mini) -> None:
    noise = (0.02 * np.random.default_rng(0).standard_normal(32_000)).astype(np.float32)
    for sound in (np.zeros(1, np.float32), np.zeros(32_000, np.float32), noise):
        turn = model.talk(sound, pack="home")
        assert turn.decision.tool_calls == ()
        assert np.abs(turn.audio.samples).max() > 0.05
    assert model.talk(np.zeros(32_000, np.float32)).decision.act == "not_understood"


COLD = """
import json, resource, sys
from pathlib import Path
from step_audio_mini.cli.main import main

code = main(sys.argv[1:])
usage = resource.getrusage(resource.RUSAGE_SELF)
peak = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
print(json.dumps({"code": code, "seconds": usage.ru_utime + usage.ru_stime, "peak_kb": int(peak)}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of the process from /proc")
def test_a_cold_start_is_quick_and_small(tmp_path: Path) -> None:
    """Processor time stands for wall time, so that a busy machine does not fail it; the cache is cold too."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "STEP_AUDIO_STATE": str(tmp_path / "s.sqlite")}
    talk = ["talk", str(FIXTURES / "order.opus"), "-o", str(tmp_path / "out.wav"), "-p", "coffee", "--json"]
    command = [sys.executable, "-c", COLD, *talk]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    answer, cost = map(json.loads, done.stdout.splitlines())
    assert cost["code"] == 0
    assert answer["reply"]
    assert cost["seconds"] < 5.0
    assert cost["peak_kb"] < 500 * 1024


@pytest.mark.parametrize("part", ["ears", "mind_encoder", "mind_decoder", "acoustic", "vocoder"])
def test_tiny_graphs_stand_for_the_shipped_ones(part: str) -> None:
    shipped, small = Graph(Weights.open().read(part), part), Graph(getattr(tiny, part)(), part)
    assert [*shipped.inputs] == [*small.inputs]
    assert [*shipped.outputs] == [*small.outputs]
    for name, (shape, dtype) in shipped.inputs.items():
        assert (len(shape), dtype) == (len(small.inputs[name][0]), small.inputs[name][1]), name


def test_every_part_names_its_data_and_their_licences() -> None:
    for name, part in Weights.open().parts.items():
        assert part.training["command"].startswith(("step-audio ", "python -m step_audio_mini.")), name
        assert part.training.get("sources") or "licence" in json.dumps(part.training), name
        assert "/home/" not in json.dumps(part.training), name
        # the word graph, the lexicon and the pieces are made, not trained by steps
        assert part.quality or name in ("lexicon", "words", "mind_pieces"), name
