from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from step_audio_mini.data.cache import build_cache
from step_audio_mini.evaluate import speed
from step_audio_mini.runtime.manifest import Weights
from tests import tiny
from tests.cli.conftest import Run
from tests.data.conftest import MakePack, make_pack  # noqa: F401 - a fixture
from tests.data.makers.clones import sound
from tests.fakes import FakeRooms, speech

pytestmark = pytest.mark.unit


@pytest.fixture
def cache(make_pack: MakePack, tmp_path: Path) -> Path:  # noqa: F811
    clip = {"id": "a", "split": "test", "seconds": 1.0, "text": "打开灯", "pinyin": "da3 kai1 deng1", "lang": "zh"}
    build_cache([make_pack("cv_zh", [clip | {"speaker": "s"}])], tmp_path / "cache")
    return tmp_path / "cache"


def test_ears_to_report(run: Run, cache: Path, tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx")
    tiny.weights(tmp_path / "w")
    out = tmp_path / "results" / "ears.json"
    done = run("evaluate", "ears", "--cache", cache, "--weights", tmp_path / "w", "--out", out, "--json", "--most", 5)
    assert (done.code, done.err.strip()) == (0, "")
    printed = json.loads(done.out)
    assert printed == json.loads(out.read_text())
    assert printed["command"] == "step-audio evaluate ears --cache DIR --most 5"
    assert "ears " in printed["facts"]["weights"]
    row = printed["rows"][0]
    assert (row["measure"], row["data"], row["n"]) == ("toneless-syllable error, greedy", "cv_zh", 1)
    assert run("evaluate", "report", out.parent, "--out", tmp_path / "results.md").code == 0
    written = (tmp_path / "results.md").read_text()
    assert "`step-audio evaluate ears --cache DIR --most 5`" in written
    assert ("](results/ears.svg)" in written) == (out.parent / "ears.svg").exists()


def test_a_corpus_of_ones_own_to_numbers_in_two_commands(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx")
    for subset, reader in (("test-clean", "1"), ("test-other", "2")):
        place = tmp_path / "LibriSpeech" / subset / reader / "7"
        place.mkdir(parents=True)
        (place / f"{reader}-7.trans.txt").write_text(f"{reader}-7-0000 TURN ON THE LIGHT\n")
        (place / f"{reader}-7-0000.flac").write_bytes(sound(1.5, seed=int(reader), form="FLAC"))
    weights = Weights.open(tiny.weights(tmp_path / "w"))
    known = {"packs": {"libri_test_clean": {"speakers": ["libri-1"]}}}
    weights.with_part("ears", replace(weights.part("ears"), training=known), weights.read("ears"))
    packs, cache = tmp_path / "packs", tmp_path / "cache"
    corpus = f"librispeech={tmp_path / 'LibriSpeech'}"
    assert run("prepare", "--packs", corpus, "--out", packs, "--cache", cache).code == 0
    done = run("evaluate", "ears", "--cache", cache, "--weights", weights.folder, "--most-peer", 1, "--json")
    rows = {(row["data"], row["measure"]) for row in json.loads(done.out)["rows"]}
    assert {
        ("librispeech test-clean", "word error, speakers trained on"),
        ("librispeech test-other", "word error"),
    } < rows
    assert ("librispeech test-clean", "word error") not in rows


def test_robust_needs_backgrounds(run: Run, cache: Path, tmp_path: Path) -> None:
    tiny.weights(tmp_path / "w")
    done = run("evaluate", "robust", "--cache", cache, "--weights", tmp_path / "w")
    assert (done.code, "packs ambient and rir_real" in done.err) == (2, True)


def test_rejection_prints_lines(run: Run, rooms: FakeRooms, make_pack: MakePack, tmp_path: Path) -> None:  # noqa: F811
    clip = {"id": "a", "split": "test", "seconds": 1.0, "speaker": "s", "lang": "en"}
    order = clip | {"intent": "orderDrink", "slots": {"size": "small"}}
    build_cache([make_pack("sti", [order]), make_pack("libri", [clip | {"text": "hello"}])], tmp_path / "cache")
    tiny.weights(tmp_path / "w")
    done = run("evaluate", "rejection", "--cache", tmp_path / "cache", "--weights", tmp_path / "w", "--json")
    assert "area under the curve, sense of the mind" in {row["measure"] for row in json.loads(done.out)["rows"]}


@pytest.mark.skipif(not shutil.which("flite"), reason="flite is not installed")
def test_talk_prints_lines(run: Run, rooms: FakeRooms, cache: Path, tmp_path: Path) -> None:
    tiny.weights(tmp_path / "w")
    done = run("evaluate", "talk", "--cache", cache, "--weights", tmp_path / "w", "--most", 1)
    assert done.code == 0
    assert "clean spoken answers" in done.out
    assert "n = 1, real" in done.out


def test_bench(run: Run, rooms: FakeRooms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from step_audio_mini.audio import file

    monkeypatch.setattr(speed, "cold_start", lambda *_: (1.0, 0.5, 200.0))
    file.write(tmp_path / "in.wav", speech())
    parts = {"talk": (["in.wav"], "peak memory"), "listen": (["in.wav"], "real-time factor"), "speak": ([], "factor")}
    for part, (recordings, row) in parts.items():
        done = run("bench", part, *recordings)
        assert done.code == 0, done.err
        assert row in done.out
    printed = json.loads(run("bench", "speak", "--json", "--out", tmp_path / "bench.json").out)
    assert printed["command"] == "step-audio bench speak"
    assert (tmp_path / "bench.json").exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["bench", "sing"], "No such command 'sing'"),
        (["bench", "talk"], "Missing argument"),
        (["bench", "load", "gone.wav", "--calls", "some"], "no numbers of calls"),
        (["bench", "talk", "gone.wav"], "gone.wav"),
        (["evaluate", "ears", "--cache", "gone", "--weights", "gone"], "no weights"),
        (["evaluate", "talk", "--cache", "gone"], "no cache"),
        (["evaluate", "report", "gone"], "no results"),
        (["evaluate", "moon"], "moon"),
    ],
)
def test_wrong_use_is_one_line(run: Run, rooms: FakeRooms, arguments: list[str], line: str) -> None:
    done = run(*arguments)
    assert done.code == 2
    assert line in done.err
    assert len(done.err.strip().splitlines()) == 1
