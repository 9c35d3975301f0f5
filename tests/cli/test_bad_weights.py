"""Weights, packs and places that are damaged: named in one line, with what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import soundfile as sf

from tests import tiny
from tests.cli.conftest import Run

pytestmark = pytest.mark.unit

PARTS = [
    "ears.onnx", "words.zip", "lexicon.gz", "letters.zip", "mind_encoder.onnx", "mind_decoder.onnx",
    "mind_pieces.model", "acoustic.onnx", "vocoder.onnx",
]  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def weights(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy that a test may damage; a question lies beside it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(whole / "cache"))
    shutil.copytree(whole, tmp_path / "weights", ignore=shutil.ignore_patterns("cache"))
    sf.write(tmp_path / "in.wav", tiny.say("a light"), 16_000)
    return tmp_path / "weights"


def talk(run: Run, weights: Path, *more: str) -> str:
    """The one line in which `talk` is refused."""
    done = run("talk", "in.wav", "-o", "out.wav", "-p", "coffee", "--weights", weights, *more)
    assert done.code == 2, done
    assert done.out == ""
    assert done.err.count("\n") == 1, done.err
    assert not Path("out.wav").exists()
    return done.err


@pytest.mark.parametrize("part", PARTS)
def test_a_damaged_part_is_named(run: Run, weights: Path, part: str) -> None:
    content = (weights / part).read_bytes()
    (weights / part).write_bytes(content[: len(content) // 2])
    line = talk(run, weights)
    assert part in line
    assert "damaged" in line
    (weights / part).unlink()
    line = talk(run, weights)
    assert part in line
    assert "missing" in line


def test_missing_weights_are_named(run: Run, weights: Path) -> None:
    (weights / "manifest.json").write_text("{")
    assert "manifest.json cannot be read" in talk(run, weights)
    (weights / "manifest.json").unlink()
    assert "no weights at" in talk(run, weights)
    assert "no weights at" in talk(run, Path("nowhere"))


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_not_listed_is_named(run: Run, weights: Path, part: str) -> None:
    manifest = json.loads((weights / "manifest.json").read_text())
    name = Path(part).stem
    del manifest["parts"][name]
    (weights / "manifest.json").write_text(json.dumps(manifest))
    assert f"no part '{name}'" in talk(run, weights)


def test_unknown_packs_and_voices_are_named(run: Run, weights: Path) -> None:
    assert "no pack 'spaceship'; use one of clock-weather, coffee, home" in talk(run, weights, "-p", "spaceship")
    line = talk(run, weights, "--voice", "nobody")
    assert "unknown voice 'nobody'" in line
    assert "hum, heng" in line


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("name: [", "line 2"),
        ("name: kettle\nlicence: 3\n", "pack.yaml, line"),
        ("name: kettle\nlanguages: [en, fr]\n", "languages"),
        ("- a\n- b\n", "pack.yaml"),
        ("", "pack.yaml"),
        ("\x00", "pack.yaml"),
    ],
)
def test_a_pack_with_errors_is_named(run: Run, weights: Path, tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "pack.yaml").write_text(text)
    assert what in talk(run, weights, "-p", str(tmp_path))


def test_an_unwritable_state_is_named(run: Run, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").touch()
    monkeypatch.setenv("STEP_AUDIO_STATE", "file/state.sqlite")
    assert "STEP_AUDIO_STATE" in talk(run, weights)


def test_an_unwritable_cache_only_costs_time(run: Run, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", "file")
    assert run("talk", "in.wav", "-o", "out.wav", "-p", "coffee", "--weights", weights).code == 0


def test_doctor_finds_whole_and_damaged_weights(run: Run, weights: Path) -> None:
    report = json.loads(run("doctor", "--weights", weights, "--json").out)
    assert report["ok"]
    assert report["self_test"]["ok"]
    assert report["parameters"] == len(PARTS)
    assert {part["file"] for part in report["weights"].values()} == set(PARTS)
    assert report["versions"]["numpy"]
    assert report["peak_megabytes"] > 10
    (weights / "ears.onnx").write_bytes(b"")
    done = run("doctor", "--weights", weights)
    assert done.code == 2
    assert "ears: ears.onnx DAMAGED" in done.out
    assert "verdict    not well" in done.out
