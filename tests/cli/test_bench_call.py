"""`step-audio bench call` and `bench load` from the command line to their rows, over a folder of tiny weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from step_audio_mini.audio import file
from step_audio_mini.cli import bench
from tests import tiny
from tests.cli.conftest import Run

pytestmark = pytest.mark.unit


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file.write(tmp_path / "in.wav", tiny.say("get me a small coffee"))
    return tiny.weights(tmp_path / "w")


def test_a_call_is_held_over_a_server(run: Run, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "FRAMES", 5)
    done = run("bench", "call", "in.wav", "--turns", 1, "--pack", "coffee", "--weights", weights, "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["command"] == "step-audio bench call in.wav --pack coffee --turns 1"
    rows = {row["measure"]: row["value"] for row in told["rows"]}
    assert 0 <= rows["decision to first sound, p95"] < 2_000
    assert 0 < rows["server's processor time for 20 ms of sound"] < 20
    assert "turn 1 of 1: answered" in done.err
