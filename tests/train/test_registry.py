"""Recipes by name and their settings; `step-audio train` end to end on a cache of tones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from step_audio_mini.cli.main import main
from step_audio_mini.data.cache import build_cache
from step_audio_mini.errors import UserError
from step_audio_mini.train.loop import read_log
from step_audio_mini.train.registry import recipe_module, set_up
from tests.data.conftest import make_pack  # noqa: F401

pytestmark = pytest.mark.unit


@pytest.fixture
def data(tmp_path: Path, make_pack: Any) -> Path:  # noqa: F811
    row = {"seconds": 1.0, "text": "hello", "lang": "en", "speaker": "s"}
    rows = [row | {"id": f"c{i}", "split": "train"} for i in range(4)] + [row | {"id": "d", "split": "dev"}]
    build_cache([make_pack("kathleen", rows)], tmp_path / "cache")
    (tmp_path / "lexicon.tsv").write_text("hello\tHH AH0 L OW1\n")
    return tmp_path


def test_settings_reach_recipe_and_loop(data: Path) -> None:
    recipe, loop = set_up(
        "ears", data / "cache", {"size": "64", "lexicon": str(data / "lexicon.tsv"), "bf16": "false", "rate": "0.01"}
    )
    assert (loop.bf16, loop.rate) == (False, 0.01)
    assert sum(p.numel() for p in recipe.build().parameters()) < 2_000_000


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("nose", {}, "no recipe 'nose'; there are ears"),
        ("ears", {"colour": "red"}, "ears has no setting 'colour'; there are accumulate"),
        ("ears", {"size": "wide"}, "setting size=wide is no int"),
        ("ears", {"bf16": "maybe"}, "setting bf16=maybe is no bool"),
    ],
)
def test_wrong_settings_are_named(name: str, settings: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        set_up(name, tmp_path, settings)


def test_options_of_every_recipe_have_defaults() -> None:
    assert recipe_module("ears").Options().stage == "all"


def test_the_command_trains_resumes_and_starts_from(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = {
        "size": 64,
        "stage": "clean",
        "lexicon": data / "lexicon.tsv",
        "steps": 4,
        "log_every": 1,
        "bf16": "false",
    }
    command = ["train", "ears", "--data", str(data / "cache")]
    command += [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    assert main([*command, "--out", str(data / "run"), "--until", "2"]) == 0
    assert main([*command, "--out", str(data / "run")]) == 0
    assert [row["step"] for row in read_log(data / "run") if "loss" in row] == [1, 2, 3, 4]
    assert main([*command, "--out", str(data / "next"), "--start", str(data / "run"), "--until", "1"]) == 0
    assert "step 1/4" in capsys.readouterr().out
    assert main([*command, "--out", str(data / "third"), "--start", str(data / "nowhere")]) == 2
    assert "give the folder of a run" in capsys.readouterr().err
    assert main([*command, "--out", str(data / "run"), "--set", "oops"]) == 2
    assert "not NAME=VALUE" in capsys.readouterr().err
