"""The command line in this process: its exit code and what it wrote, with scripted rooms behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from step_audio_mini import StepAudio2Mini
from step_audio_mini.cli.main import main
from tests.fakes import FakeRooms


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run `step-audio ARGS` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STEP_AUDIO_STATE", str(tmp_path / "state" / "state.sqlite"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("STEP_AUDIO_DEBUG", raising=False)

    def call(*arguments: object) -> Done:
        code = main([str(a) for a in arguments])
        return Done(code, *capfd.readouterr())

    return call


@pytest.fixture
def rooms(monkeypatch: pytest.MonkeyPatch) -> FakeRooms:
    """Scripted rooms in place of the weights."""
    fakes = FakeRooms()

    def from_pretrained(name: str = "", **_: Any) -> StepAudio2Mini:
        return StepAudio2Mini(fakes)

    monkeypatch.setattr(StepAudio2Mini, "from_pretrained", from_pretrained)
    return fakes
