from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from step_audio_mini.data.packs import (
    Pack,
    check_replacement,
    clip_from_row,
    find_packs,
    of_split,
    read_manifest,
    row_from_clip,
)
from step_audio_mini.errors import UserError

from .conftest import MakePack, tone, write_manifest

pytestmark = pytest.mark.unit

ROW = {
    "id": "a/1",
    "split": "train",
    "seconds": 0.5,
    "licence": "CC0-1.0",
    "source": "o/n@c:p",
    "text": "你好",
    "pinyin": "ni3 hao3",
    "speaker": "s1",
    "lang": "zh",
    "gender": "f",
}


def test_row_and_clip_are_inverse() -> None:
    clip = clip_from_row(ROW, "p")
    assert (clip.pack, clip.text, clip.labels) == ("p", "你好", {"gender": "f"})
    assert row_from_clip(clip) == ROW


def test_slot_values_lose_outer_spaces() -> None:
    clip = clip_from_row(ROW | {"slots": {"milkAmount": " cream", "shots": 2}}, "sti")
    assert clip.labels["slots"] == {"milkAmount": "cream", "shots": 2}


def test_null_text_is_empty() -> None:
    assert clip_from_row(ROW | {"text": None, "pinyin": None}, "p").text == ""


def test_read_gives_the_written_sound(make_pack: MakePack) -> None:
    folder = make_pack(
        "p", [{"id": "a", "split": "train", "seconds": 0.2}, {"id": "b", "split": "test", "seconds": 0.3}]
    )
    with Pack(folder) as pack:
        assert [clip.id for clip in of_split(pack.clips, "test")] == ["b"]
        for clip in [*pack.clips, pack.clips[0]]:  # back to an earlier shard
            wave, rate = pack.read(clip)
            assert rate == 16000
            assert np.abs(wave - tone(clip.seconds, 16000)).max() < 1e-4


def test_later_root_replaces(make_pack: MakePack, tmp_path: Path) -> None:
    row = {"id": "a", "split": "train", "seconds": 0.1}
    make_pack("p", [row], root="one/speech")
    make_pack("q", [row], root="one/noise")
    built = make_pack("p", [row], root="two")
    found = find_packs([tmp_path / "one", tmp_path / "two"])
    assert sorted(found) == ["p", "q"]
    assert found["p"] == built
    assert find_packs([built]) == {"p": built}
    linked = tmp_path / "three" / "linked"
    linked.parent.mkdir()
    linked.symlink_to(built)
    assert find_packs([tmp_path / "three"]) == {"linked": linked}


@pytest.mark.parametrize("split", ["train", None])
def test_replacement_must_keep_splits(split: str | None) -> None:
    old = [clip_from_row(ROW | {"split": "test"}, "p")]
    new = [clip_from_row(ROW | {"id": "other"}, "p")]
    if split:
        new.append(clip_from_row(ROW | {"split": split}, "p"))
    with pytest.raises(UserError, match="a/1"):
        check_replacement(old, new)
    check_replacement(old, [*old, *new[:1]])


@pytest.mark.parametrize(
    ("change", "message"),
    [({"id": None}, "id"), ({"split": "eval"}, "eval"), ({"seconds": "long"}, "long"), ({"licence": None}, "licence")],
)
def test_wrong_row_is_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    row = {key: value for key, value in (ROW | change).items() if value is not None}
    write_manifest(tmp_path, [ROW, row])
    with pytest.raises(UserError, match=f"line 2.*{message}"):
        read_manifest(tmp_path)


def test_folder_without_manifest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no pack"):
        read_manifest(tmp_path)
    with pytest.raises(UserError, match="no folder"):
        find_packs([tmp_path / "missing"])


def test_truncated_manifest(make_pack: MakePack) -> None:
    folder = make_pack("p", [{"id": str(n), "split": "train", "seconds": 0.01} for n in range(50)])
    path = folder / "manifest.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match="cannot be read"):
        read_manifest(folder)


def test_missing_member_and_outside_shard(make_pack: MakePack) -> None:
    folder = make_pack("p", [{"id": "a", "split": "train", "seconds": 0.1}])
    with gzip.open(folder / "manifest.jsonl.gz", "rt") as lines:
        line = lines.read()
    for old, new in (("a.flac", "b.flac"), ("train-00.tar", "../p/train-00.tar")):
        with gzip.open(folder / "manifest.jsonl.gz", "wt") as out:
            out.write(line.replace(old, new))
        with Pack(folder) as pack, pytest.raises(UserError, match="clip a"):
            pack.read(pack.clips[0])
