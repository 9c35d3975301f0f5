from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from step_audio_mini.data.cache import Cache, build_cache
from step_audio_mini.runtime.manifest import Weights
from step_audio_mini.train.hear import BOTH, COUNTER, ears_of, hear_all, kinds_of
from step_audio_mini.train.hearings import read_hearings
from step_audio_mini.types import Attributes, Hearing, Samples
from tests import tiny
from tests.data.conftest import MakePack, make_pack  # noqa: F401 - a fixture

pytestmark = pytest.mark.unit


@pytest.fixture
def cache(make_pack: MakePack, tmp_path: Path) -> Cache:  # noqa: F811
    def row(name: str, split: str = "train", seconds: float = 1.0, **more: Any) -> dict[str, Any]:
        return {"id": name, "split": split, "seconds": seconds, "lang": "en", "speaker": name} | more

    order: dict[str, Any] = {"intent": "orderDrink", "slots": {"coffeeDrink": "latte"}}
    sti = [row("o1", **order), row("o2", "dev", **order), row("o3", "test", **order)]
    requests = [row("r1", text="turn on the light", intent="HassTurnOn", slots={"name": "light"})]
    read = [row(f"s{n}", "dev", text="once upon a time") for n in range(12)]
    read += [row("known", text="once upon a time"), row("long", "dev", 9.0, text="once"), row("none", "dev")]
    packs = [make_pack("sti", sti), make_pack("requests", requests), make_pack("libri_mini", read)]
    build_cache(packs, tmp_path / "cache")
    return Cache.open(tmp_path / "cache")


def test_kinds_leave_out_tests_and_what_the_ears_know(cache: Cache) -> None:
    kinds = kinds_of(cache.clips)
    assert {kind: {clip.id for clip in clips} for kind, clips in kinds.items()} == {
        "orders": {"o1", "o2"},
        "requests": {"r1"},
        "read": {f"s{n}" for n in range(12)},
    }
    assert {clip.split for clip in kinds["read"]} == {"train", "dev"}


def test_each_kind_is_heard_with_its_packs(cache: Cache, tmp_path: Path) -> None:
    asked: list[tuple[str, ...]] = []

    def hear_with(packs: tuple[str, ...]) -> Any:
        asked.append(packs)
        return lambda samples: Hearing((), Attributes(9.0, 0.0, None), np.zeros((1, 4), np.float32))

    assert hear_all(cache, hear_with, tmp_path / "heard", 5) == {"orders": 2, "requests": 1, "read": 5}
    assert asked == [COUNTER, BOTH, BOTH]
    heard = read_hearings(tmp_path / "heard")
    assert len(heard) == 8
    assert {one.intent for one in heard} == {"orderDrink", "HassTurnOn", None}


def test_the_ears_of_a_folder_hear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    hear_with = ears_of(Weights.open(tiny.weights(tmp_path / "weights")))
    sound: Samples = tiny.say("turn on the light")
    assert hear_with(BOTH)(sound).best.text == "turn on the light"
    assert hear_with(BOTH) is hear_with(BOTH)
