"""Runs are compared on the same dev clips, the first one with itself to nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from step_audio_mini.cli.main import main
from step_audio_mini.data.cache import Cache, build_cache
from step_audio_mini.errors import UserError
from step_audio_mini.text.lexicon import Lexicon
from step_audio_mini.train.compare import APART, MEASURE, POOLED, chosen, last_step, measure
from step_audio_mini.train.recipes.ears import labelled
from tests.data.conftest import make_pack  # noqa: F401

pytestmark = pytest.mark.unit

LEXICON = Lexicon({"hello": (("HH", "AH0", "L", "OW1"),)})


@pytest.fixture
def data(tmp_path: Path, make_pack: Any) -> Path:  # noqa: F811
    row = {"seconds": 1.0, "text": "hello", "lang": "en"}
    packs = []
    for pack in ("libri_mini", "so762"):
        rows = [row | {"id": f"{pack}{i}", "split": "dev", "speaker": f"s{i}"} for i in range(3)]
        rows.append(row | {"id": f"{pack}t", "split": "train", "speaker": "t"})
        packs.append(make_pack(pack, rows))
    build_cache(packs, tmp_path / "cache")
    (tmp_path / "lexicon.tsv").write_text("hello\tHH AH0 L OW1\n")
    settings = ["--set", f"lexicon={tmp_path / 'lexicon.tsv'}", "--set", "size=64"]
    for run, steps in (("one", 1), ("two", 2)):
        steps_of = ["--set", f"steps={steps}", "--set", "warmup=1"]
        ended = main(
            ["train", "ears", "--data", f"{tmp_path}/cache", "--out", f"{tmp_path}/{run}", *settings, *steps_of]
        )
        assert ended == 0
    return tmp_path


def test_rows_are_paired_with_the_first_run(data: Path) -> None:
    cache = Cache.open(data / "cache")
    told: list[str] = []
    rows = measure(cache, LEXICON, {"one": data / "one", "same": data / "one", "two": data / "two"}, 2, told.append)
    assert told == ["one", "same", "two"]
    of = {(row.system, row.measure, row.data): row for row in rows}
    assert of["one", MEASURE, POOLED].n == 4
    assert of["one", MEASURE, "so762"].n == 2
    assert ("one", APART, POOLED) not in of
    assert of["same", APART, POOLED].value == 0
    assert of["two", MEASURE, POOLED].note == "after 2 steps"
    assert of["two", APART, POOLED].value == pytest.approx(
        of["two", MEASURE, POOLED].value - of["one", MEASURE, POOLED].value
    )


def test_the_same_clips_whatever_the_order_of_packs(data: Path) -> None:
    items = labelled(Cache.open(data / "cache"), LEXICON, "dev")
    assert len(chosen(items, 2)) == 4
    assert len(chosen(items, 9)) == 6
    assert last_step(data / "two") == 2


def test_a_folder_without_a_run_is_refused(data: Path) -> None:
    with pytest.raises(UserError, match="no training run"):
        measure(Cache.open(data / "cache"), LEXICON, {"none": data}, 2, lambda _: None)
