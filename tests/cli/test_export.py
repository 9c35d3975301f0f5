"""`step-audio export` refuses in one line what it cannot export."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run

pytest.importorskip("torch")

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("part", ["ears", "mind", "voice", "vocoder"])
def test_missing_data_is_named(run: Run, part: str) -> None:
    more = ["--cache", "none"] if part == "voice" else []
    done = run("export", part, "--data", "none", "--run", "none", "--weights", "weights", *more)
    assert done.code == 2
    assert "none" in done.err
    assert done.err.count("\n") == 1
    assert not Path("weights").exists()


def test_missing_texts_are_named(run: Run) -> None:
    done = run("export", "words", "--texts", "none", "--speech", "none", "--weights", "weights")
    assert (done.code, done.err.count("\n")) == (2, 1)


def test_unknown_storage_is_named(run: Run) -> None:
    done = run("export", "ears", "--data", "a", "--run", "b", "--weights", "c", "--storage", "int2")
    assert done.code == 2
    assert "no storage 'int2'; use float, half, int8" in done.err


def test_the_recorded_command_names_no_place_of_this_machine() -> None:
    from step_audio_mini.cli.export import _command

    told = _command("ears", ["lexicon=/home/somebody/texts/cmudict.tsv.gz", "size=192"])
    assert told == "step-audio train ears --data DATA --out RUN --set lexicon=cmudict.tsv.gz --set size=192"
