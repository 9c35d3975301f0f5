from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.data.bundle import fair_order, write_bundle
from step_audio_mini.data.cache import Cache, build_cache
from step_audio_mini.data.packs import Clip, find_packs
from step_audio_mini.errors import UserError

from .conftest import MakePack

pytestmark = pytest.mark.unit


def clip(number: int, pack: str, seconds: float, split: str = "train") -> Clip:
    return Clip(f"{pack}{number}", pack, split, seconds, "CC0", "s")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.5, 9), st.sampled_from(["train", "dev", "test"]))))
def test_fair_order_holds_all_but_test(rows: list[tuple[str, float, str]]) -> None:
    clips = [clip(n, pack, seconds, split) for n, (pack, seconds, split) in enumerate(rows)]
    ordered = fair_order(clips)
    assert sorted(c.id for c in ordered) == sorted(c.id for c in clips if c.split != "test")
    assert ordered == fair_order(clips[::-1])


def test_beginnings_weigh_packs_by_the_root_of_their_hours() -> None:
    clips = [clip(n, "big", 1.0) for n in range(1600)] + [clip(n, "small", 1.0) for n in range(100)]
    share = np.mean([c.pack == "small" for c in fair_order(clips)[:200]])
    assert share == pytest.approx(10 / (40 + 10), abs=0.01)


def test_a_bundle_keeps_to_its_size_and_is_read_like_packs(make_pack: MakePack, tmp_path: Path) -> None:
    rows = [{"id": f"c{n}", "split": split, "seconds": 1.0} for n, split in enumerate(["train", "dev", "test"] * 4)]
    build_cache([make_pack("p", rows, rate=24000), make_pack("q", rows)], tmp_path / "cache")
    cache = Cache.open(tmp_path / "cache")
    counts = []
    for megabytes in (0.16, 1.0):
        out = tmp_path / f"bundle{megabytes}"
        count, seconds = write_bundle(cache, out, megabytes)
        assert sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) <= megabytes * 1e6
        build_cache(find_packs([out]).values(), tmp_path / f"again{megabytes}")
        again = Cache.open(tmp_path / f"again{megabytes}")
        assert len(again.clips) == count == pytest.approx(seconds)
        for one in again.clips:
            assert one.split != "test"
            assert np.array_equal(again.samples(one), cache.samples(one))
        counts.append(count)
    assert 0 < counts[0] < counts[1] == 16


def test_no_room(make_pack: MakePack, tmp_path: Path) -> None:
    build_cache([make_pack("p", [{"id": "a", "split": "train", "seconds": 1.0}])], tmp_path / "cache")
    with pytest.raises(UserError, match="max-mb"):
        write_bundle(Cache.open(tmp_path / "cache"), tmp_path / "out", 0)
    assert write_bundle(Cache.open(tmp_path / "cache"), tmp_path / "out", 0.01) == (0, 0.0)
