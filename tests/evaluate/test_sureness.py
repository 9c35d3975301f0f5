"""The rows of the reliability plot: words by how sure the ears were of them, and how many of them were right."""

from __future__ import annotations

from pathlib import Path

import pytest

from step_audio_mini.data.cache import Cache, build_cache
from step_audio_mini.evaluate.ears import EarsTest, Heard
from step_audio_mini.evaluate.sureness import measure
from step_audio_mini.text.lexicon import Lexicon
from step_audio_mini.types import Samples
from tests.data.conftest import MakePack, make_pack  # noqa: F401

pytestmark = pytest.mark.unit


class HalfRight:
    """Ears that are 95 % sure of a right word and 75 % of one that is right in every second clip."""

    def __init__(self) -> None:
        self._heard = 0

    def hear(self, samples: Samples) -> Heard:
        self._heard += 1
        return Heard((), "", (("hello", 0.95), ("there" if self._heard % 2 else "their", 0.75)))

    def units(self, samples: Samples) -> list[str]:
        return []


def test_words_are_counted_by_how_sure_they_are(make_pack: MakePack, tmp_path: Path) -> None:  # noqa: F811
    row = {"split": "test", "seconds": 0.3, "lang": "en", "text": "hello there", "age": 30}
    pack = make_pack("so762", [row | {"id": f"c{n}", "speaker": f"s{n % 15}"} for n in range(30)])
    build_cache([pack], tmp_path / "cache")
    test = EarsTest(Cache.open(tmp_path / "cache"), Lexicon({}), trained_speakers=frozenset({"s0"}))
    table = {one.measure: one for one in measure(test, HalfRight(), lambda _: None)}
    assert set(table) == {
        "word confidence, ECE",
        "words right that are 70...80 % sure",
        "words right that are 90...100 % sure",
    }
    assert table["words right that are 90...100 % sure"].value == 100
    assert table["words right that are 70...80 % sure"].value == pytest.approx(50)
    assert table["words right that are 70...80 % sure"].n == 28  # without those of a speaker trained on
    assert table["word confidence, ECE"].value == pytest.approx((5 + 25) / 2)
    assert {one.data for one in table.values()} == {"so762"}
