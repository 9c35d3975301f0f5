from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from step_audio_mini.data.cache import to_float
from step_audio_mini.data.makers.draft import Draft, Rules
from step_audio_mini.data.makers.maker import Maker, Open, make
from step_audio_mini.data.makers.repository import Repository
from step_audio_mini.data.makers.splits import Split
from step_audio_mini.data.makers.writer import speech_bounds, write_order
from step_audio_mini.data.packs import Pack, read_manifest

from .clones import clone, sound

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("rules", "text", "wave", "reason"),
    [
        (Rules(), "", np.zeros(0), "empty or not finite"),
        (Rules(), "", np.full(8000, np.nan), "empty or not finite"),
        (Rules(), "", np.ones(100), "too short"),
        (Rules(), "", np.full(8000, 1e-4), "silent"),
        (Rules(seconds=(0, 0.4)), "", np.ones(8000), "too long"),
        (Rules(min_range=6), "", np.full(8000, 0.5), "no speech dynamics"),
        (Rules(letters=(3, 25)), "hi", np.full(32000, 0.5), "text and duration"),
        (Rules(characters=(1, 9)), "你", np.full(32000, 0.5), "text and duration"),
        (Rules(letters=(3, 25)), "some eight words", np.full(16000, 0.5), None),
        (Rules(characters=(1, 9)), "你好 OK", np.full(16000, 0.5), None),
        (Rules(letters=(3, 25)), "", np.full(16000, 0.5), None),
    ],
)
def test_rules(tmp_path: Path, rules: Rules, text: str, wave: Any, reason: str | None) -> None:
    draft = Draft("p", "CC0", rules, tmp_path / "sound")
    kept = draft.add_sound(wave.astype(np.float32), 16000, "a", source="s", text=text)
    assert kept == (reason is None)
    assert dict(draft.dropped) == ({reason: 1} if reason else {})
    draft.close()


def test_sound_is_kept_exactly_and_duplicates_are_not(tmp_path: Path) -> None:
    draft = Draft("p", "CC0", Rules(), tmp_path / "sound")
    samples = np.random.default_rng(0).integers(-30000, 30000, 8000).astype(np.int16)
    for name, wave in (("a", samples), ("b", samples), ("c", samples[::-1])):
        draft.add_sound(to_float(wave), 16000, name, source="s", gender="", age=7)
    assert [row["id"] for row in draft.rows] == ["a", "c"]
    assert np.array_equal(draft.sounds()[0], samples)
    assert draft.dropped == {"duplicate": 1}
    assert draft.rows[0] == {"id": "a", "seconds": 0.5, "source": "s", "licence": "CC0", "age": 7}
    draft.close()


def test_files_that_are_no_sound_are_left_out(tmp_path: Path) -> None:
    lfs = "version https://git-lfs.github.com/spec/v1\n" + "x" * 300
    clone(tmp_path, "a/b", {"lfs": lfs, "short": "RIFF", "text": "no sound " * 50, "ok": sound()})
    with Repository(tmp_path, "a/b") as repository:
        draft = Draft("p", "CC0", Rules(), tmp_path / "sound")
        assert [draft.add(repository, path, path) for path in ("lfs", "short", "text", "ok")] == [False] * 3 + [True]
        assert draft.dropped == {"empty or LFS": 2, "undecodable": 1}
        draft.close()


def test_speech_bounds_keep_a_margin() -> None:
    rate = 16000
    wave = 1e-4 * np.random.default_rng(0).standard_normal(4 * rate).astype(np.float32)
    wave[2 * rate : 3 * rate] += 0.3 * np.sin(np.arange(rate) / 5).astype(np.float32)
    start, end = speech_bounds(wave, rate)
    assert start / rate == pytest.approx(1.7, abs=0.03)
    assert end / rate == pytest.approx(3.3, abs=0.03)
    assert speech_bounds(wave[:100], rate) == (0, 100)
    assert speech_bounds(np.zeros(rate, np.float32), rate) == (0, rate)


def maker(trim: bool = True) -> Maker:
    def fill(draft: Draft, open_: Open) -> Split:
        repository = open_("a/b")
        for path in repository.files:
            draft.add(repository, path, path, text="some words", speaker=path)
        return lambda row: "test" if row["id"] < "c" else "train"

    return Maker("p", "a pack", ("a/b",), "CC0", fill, Rules(rate=24000), trim)


def test_a_pack_is_made_whole_and_alike(tmp_path: Path) -> None:
    clone(tmp_path / "m", "a/b", {name: sound(2.0, seed=place) for place, name in enumerate("abcdef")})
    first, draft = make(maker(), tmp_path / "m", tmp_path / "one")
    second, _ = make(maker(), tmp_path / "m", tmp_path / "two")
    assert not draft.dropped
    assert sorted(path.name for path in first.iterdir()) == ["manifest.jsonl.gz", "test-00.tar", "train-00.tar"]
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()
    with Pack(first) as pack:
        assert [clip.split for clip in pack.clips] == ["test"] * 2 + ["train"] * 4
        for clip in pack.clips:
            wave, rate = pack.read(clip)
            assert rate == 24000
            assert len(wave) / rate == pytest.approx(clip.seconds, abs=1e-3)
    assert write_order([{"id": c.id, "split": c.split} for c in read_manifest(first)]) == list(range(6))


def test_opus_and_untrimmed(tmp_path: Path) -> None:
    quiet = sound(1.0)
    clone(tmp_path / "m", "a/b", {"d": quiet})
    folder, _ = make(maker(trim=False), tmp_path / "m", tmp_path / "out", kbps=16)
    with Pack(folder) as pack:
        assert pack.clips[0].labels["member"] == "d.opus"
        assert len(pack.read(pack.clips[0])[0]) == 24000


def test_reserved_clips_are_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone(tmp_path / "m", "a/b", {"d": sound(seed=1), "e": sound(seed=2)})
    sha1_of_d = "3c363836cf4e16666669a25da280a1865c2d2874"
    monkeypatch.setattr("step_audio_mini.data.makers.maker.reserved", lambda: frozenset({sha1_of_d}))
    folder, _ = make(maker(), tmp_path / "m", tmp_path / "out")
    assert [clip.id for clip in read_manifest(folder)] == ["e"]


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    clone(tmp_path / "m", "a/b", {"d": sound()})

    def fill(draft: Draft, open_: Open) -> Split:
        maker().fill(draft, open_)
        return lambda row: str({}[row["id"]])

    with pytest.raises(KeyError):
        make(Maker("p", "", (), "CC0", fill), tmp_path / "m", tmp_path / "out")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_reserved_list_is_there() -> None:
    from step_audio_mini.data.makers.maker import reserved

    assert len(reserved()) > 700
    assert all(len(line) == 40 for line in reserved())
    json.dumps(sorted(reserved()))
