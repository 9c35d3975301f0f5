from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.data.cache import Cache, build_cache, to_float, to_int16
from step_audio_mini.errors import UserError

from .conftest import MakePack, tone

pytestmark = pytest.mark.unit


@given(st.lists(st.integers(-32768, 32767), max_size=50))
def test_int16_goes_through_float_unharmed(values: list[int]) -> None:
    samples = np.array(values, np.int16)
    assert np.array_equal(to_int16(to_float(samples)), samples)


def test_int16_clips() -> None:
    assert to_int16(np.array([2.0, -2.0], np.float32)).tolist() == [32767, -32768]


def test_build_and_open(make_pack: MakePack, tmp_path: Path) -> None:
    rows = [{"id": "a", "split": "train", "seconds": 0.2, "text": "x"}, {"id": "b", "split": "dev", "seconds": 0.1}]
    seen: list[tuple[str, int, int]] = []
    packs = [make_pack("p", rows), make_pack("q", rows, rate=24000)]
    folders = build_cache(packs, tmp_path / "cache", lambda *step: seen.append(step))
    assert seen == [("p", 2, 2), ("q", 2, 2)]
    cache = Cache.open(tmp_path / "cache")
    assert [(c.pack, c.id, c.split, c.text) for c in cache.clips[:2]] == [
        ("p", "a", "train", "x"),
        ("p", "b", "dev", ""),
    ]
    for clip in cache.clips:
        view = cache.samples(clip)
        assert view.dtype == np.int16
        assert len(view) == cache.length(clip) == round(clip.seconds * 16000)
        middle = slice(200, -200)
        assert np.abs(to_float(view) - tone(clip.seconds, 16000))[middle].max() < 2e-3
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 1
    assert [c.pack for c in Cache.open(folders[1]).clips] == ["q", "q"]
    assert [c.pack for c in Cache.open(tmp_path / "cache", ["q", "p"]).clips] == ["q", "q", "p", "p"]


def test_unchanged_pack_is_not_decoded_again(make_pack: MakePack, tmp_path: Path) -> None:
    folder = make_pack("p", [{"id": "a", "split": "train", "seconds": 0.2}])
    cache = build_cache([folder], tmp_path / "cache")[0]
    before = (cache / "meta.json").stat().st_mtime_ns
    build_cache([folder], tmp_path / "cache")
    assert (cache / "meta.json").stat().st_mtime_ns == before
    with (cache / "sound.i16").open("ab") as sound:  # damaged: built again
        sound.write(b"\0\0")
    build_cache([folder], tmp_path / "cache")
    assert (cache / "meta.json").stat().st_mtime_ns != before
    assert len(Cache.open(cache).clips) == 1


def test_broken_pack_leaves_nothing(make_pack: MakePack, tmp_path: Path) -> None:
    folder = make_pack(
        "p", [{"id": "a", "split": "train", "seconds": 0.2}, {"id": "b", "split": "dev", "seconds": 0.2}]
    )
    (folder / "train-00.tar").write_bytes(b"no tar")
    with pytest.raises(UserError, match="clip a"):
        build_cache([folder], tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_wrong_caches(make_pack: MakePack, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no cache"):
        Cache.open(tmp_path)
    folder = build_cache([make_pack("p", [{"id": "a", "split": "train", "seconds": 0.2}])], tmp_path / "cache")[0]
    with pytest.raises(UserError, match="cannot be used"):
        Cache.open(tmp_path / "cache", ["p", "missing"])
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps(meta | {"version": 0}))
    with pytest.raises(UserError, match="belong together"):
        Cache.open(folder)


def test_empty_pack(make_pack: MakePack, tmp_path: Path) -> None:
    build_cache([make_pack("p", [])], tmp_path / "cache")
    assert Cache.open(tmp_path / "cache").clips == []
