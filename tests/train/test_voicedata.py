"""Preparing voices: splits, pitch, frames and durations that fit the sound, clauses cut at pauses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("pyworld")

from step_audio_mini.audio.features import log_mel
from step_audio_mini.data.cache import Cache, build_cache
from step_audio_mini.data.packs import Clip
from step_audio_mini.errors import UserError
from step_audio_mini.speak.frontend import EDGE, PAUSE, SYMBOL_INDEX, Frontend
from step_audio_mini.text.lexicon import Lexicon
from step_audio_mini.train import voicedata
from step_audio_mini.train.voicedata import EDGE_FRAMES, Item, VoiceData, contour, held_out, pieces, prepare
from tests.data.conftest import make_pack  # noqa: F401

pytestmark = pytest.mark.unit


def clip(name: str, split: str = "train", text: str = "x") -> Clip:
    return Clip(id=name, pack="p", split=split, seconds=1.0, licence="l", source="s", text=text)


def test_a_pack_with_splits_keeps_them() -> None:
    assert held_out([clip("a"), clip("b", "test")]) == {"a": "train", "b": "test"}


def test_a_pack_without_splits_is_drawn_by_sentence() -> None:
    clips = [clip(f"{n}{take}", text=f"sentence {n}") for n in range(200) for take in "ab"]
    splits = held_out(clips)
    assert all(splits[f"{n}a"] == splits[f"{n}b"] for n in range(200))
    assert {s: list(splits.values()).count(s) for s in ("train", "dev", "test")} == {
        "train": 280,
        "dev": 40,
        "test": 80,
    }
    assert held_out(clips[::-1]) == splits


def test_contour_follows_a_gliding_voice_and_ignores_noise() -> None:
    t = np.arange(16_000) / 16_000
    f0 = 120 + 60 * t
    phase = 2 * np.pi * np.cumsum(f0) / 16_000
    voice = np.sum([np.sin(k * phase) / k for k in range(1, 20)], 0).astype(np.float32) * np.float32(0.1)
    found = contour(voice, (70, 300))
    centres = np.arange(len(found)) * 0.01 + 0.0125
    inside = slice(5, -5)
    np.testing.assert_allclose(found[inside], (120 + 60 * centres)[inside], rtol=0.02)
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    assert (contour(noise, (70, 300)) > 0).mean() < 0.1


@given(st.lists(st.integers(1, 12), min_size=1, max_size=20))
def test_frames_are_never_empty(steps: list[int]) -> None:
    stops = np.cumsum(steps).tolist()
    count = max(len(stops), stops[-1] // 2 + 1)
    cuts = voicedata._on_frames(stops, count)
    assert cuts[-1] == count
    assert min(np.diff([0, *cuts])) >= 1


def item(phones: list[str], durations: list[int]) -> Item:
    ids = tuple(SYMBOL_INDEX[phone] for phone in phones)
    zeros = tuple([0] * len(ids))
    return Item("i", "v", "train", "", 0, 0, ids, zeros, zeros, zeros, tuple(durations))


def test_pieces_are_clauses_with_short_edges() -> None:
    whole = item([EDGE, "AA", PAUSE, "B", PAUSE, "K", EDGE], [5, 10, 20, 8, 4, 9, 3])
    first, second = pieces(whole)
    assert first.durations == (5, 10, EDGE_FRAMES)
    assert second.durations == (EDGE_FRAMES, 8, 4, 9, 3)
    assert (first.frame, second.frame) == (0, 30)
    assert second.offset == 30 * 160
    assert second.phones == tuple(SYMBOL_INDEX[p] for p in [EDGE, "B", PAUSE, "K", EDGE])
    assert list(pieces(item([EDGE, "AA", EDGE], [5, 10, 5]))) == []


def test_prepared_items_fit_their_sound(tmp_path: Path, make_pack: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    rows = [
        {"id": f"c{n}", "split": "dev" if n == 0 else "test" if n == 1 else "train", "seconds": 1.0 + 0.1 * n,
         "text": "hello, hello", "speaker": "s", "lang": "en", "pitch": 150.0}
        for n in range(5)
    ]  # fmt: skip
    build_cache([make_pack("p", rows)], tmp_path / "cache")
    monkeypatch.setattr(voicedata, "SOURCES", (voicedata.VoiceSource("s", "p", "s", "en"),))
    lexicon = Lexicon({"hello": (("HH", "AH0", "L", "OW1"),)})
    prepare(Cache.open(tmp_path / "cache"), Frontend(lexicon), tmp_path / "voices")
    data = VoiceData(tmp_path / "voices")
    assert [(item.id, item.split) for item in data.items] == [
        ("c0", "dev"),
        ("c2", "train"),
        ("c3", "train"),
        ("c4", "train"),
    ]
    for one in data.items:
        assert len(one.phones) == len(one.durations) == len(one.ends)
        assert min(one.durations) >= 1
        assert len(log_mel(data.samples(one))) == one.frames == len(data.f0(one))


def test_a_folder_without_voices_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no prepared voices"):
        VoiceData(tmp_path)
