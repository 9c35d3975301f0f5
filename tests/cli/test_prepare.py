from __future__ import annotations

from pathlib import Path

import pytest

from step_audio_mini.cli.main import main
from step_audio_mini.data.cache import Cache
from step_audio_mini.data.packs import read_manifest
from tests.data.makers.clones import clone, sound

pytestmark = pytest.mark.unit


def gsc3(mirror: Path) -> None:
    content = {f"data/bed/{n:08x}_nohash_0.wav": sound(seed=n) for n in range(4)}
    clone(mirror, "manashmandal/DeadSimpleSpeechRecognizer", content)


def test_clones_to_bundle_in_one_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gsc3(tmp_path / "m")
    places = {name: str(tmp_path / name) for name in ("m", "packs", "cache", "bundle")}
    command = ["prepare", "--mirror", places["m"], "--packs", "gsc3", "--out", places["packs"]]
    assert main([*command, "--cache", places["cache"], "--bundle", places["bundle"], "--max-mb", "1"]) == 0
    assert "4 clips" in capsys.readouterr().err
    assert len(Cache.open(tmp_path / "cache").clips) == 4
    train = [clip for clip in read_manifest(tmp_path / "packs" / "gsc3") if clip.split != "test"]
    assert len(read_manifest(tmp_path / "bundle" / "gsc3")) == len(train)
    assert main(["prepare", "--from", places["bundle"], "--cache", str(tmp_path / "other")]) == 0


def test_text_packs_leave_out_what_test_clips_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = {name: str(tmp_path / name) for name in ("m", "packs", "texts")}
    clone(tmp_path / "m", "cmusphinx/cmudict", {"cmudict.dict": "bed B EH1 D\n"})
    clone(tmp_path / "m", "hermitdave/FrequencyWords", {"content/2018/en/en_50k.txt": "bed 5\n"})
    command = ["prepare", "--mirror", places["m"], "--packs", "lex_en", "--out", places["texts"]]
    assert main(command) == 2
    assert "--from" in capsys.readouterr().err
    gsc3(tmp_path / "m")
    assert main(["prepare", "--mirror", places["m"], "--packs", "gsc3", "--out", places["packs"]]) == 0
    assert main([*command, "--from", places["packs"]]) == 0
    assert "1 lines of cmudict.tsv" in capsys.readouterr().err
    assert (tmp_path / "texts" / "lex_en" / "cmudict.tsv.gz").exists()


def test_an_official_corpus_becomes_a_pack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "in" / "test-clean" / "1" / "2"
    place.mkdir(parents=True)
    (place / "1-2.trans.txt").write_text("1-2-0000 HELLO THERE YOU\n")
    (place / "1-2-0000.flac").write_bytes(sound(1.5, form="FLAC"))
    command = ["prepare", "--packs", f"librispeech={tmp_path / 'in'}", "--out", str(tmp_path / "packs")]
    assert main(command) == 0
    assert "1 clips" in capsys.readouterr().err
    assert [clip.split for clip in read_manifest(tmp_path / "packs" / "librispeech")] == ["test"]


def test_packs_are_listed_with_what_they_need(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare"]) == 0
    printed = capsys.readouterr().out
    assert "kathleen:" in printed
    assert "git clone https://github.com/cmusphinx/an4" in printed


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--mirror", "x"], "--packs"),
        (["--mirror", "x", "--packs", "moon", "--out", "y"], "unknown pack moon"),
        (["--mirror", "{tmp}", "--packs", "an4", "--out", "{tmp}/y"], "git clone"),
        (["--packs", "librispeech={tmp}"], "--out"),
        (["--packs", "moon={tmp}", "--out", "{tmp}/y"], "NAME=DIR"),
        (["--packs", "librispeech={tmp}", "--out", "{tmp}/y"], "does not look like"),
        (["--packs", "an4", "--out", "{tmp}/y"], "--mirror"),
        (["--from", "{tmp}/none", "--cache", "{tmp}/c"], "no folder"),
        (["--from", "{tmp}", "--cache", "{tmp}/c"], "no packs"),
        (["--bundle", "{tmp}/b"], "--cache"),
        (["--bundle", "{tmp}/b", "--cache", "{tmp}/c"], "no cache"),
    ],
)
def test_wrong_use_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    filled = [argument.format(tmp=tmp_path) for argument in arguments]
    assert main(["prepare", *filled]) == 2
    printed = capsys.readouterr().err.strip()
    assert line in printed
    assert "\n" not in printed
