from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from step_audio_mini import StepAudio2Mini
from step_audio_mini.data.cache import Cache, build_cache
from step_audio_mini.evaluate.chunks import CHUNKS, ChunksTest, hear, measure, name_of
from step_audio_mini.evaluate.ears import OurEars
from step_audio_mini.evaluate.talk import TalkTest
from step_audio_mini.runtime.manifest import Weights
from step_audio_mini.text.lexicon import Lexicon
from tests import tiny
from tests.data.conftest import MakePack, make_pack  # noqa: F401 - a fixture
from tests.fakes import FakeEars, FakeRooms, speech

pytestmark = pytest.mark.unit


class Scripted:
    """Ears that hear `hello there`, a word for every 0.1 s of loud sound."""

    def begin(self) -> FakeEars:
        return FakeEars("hello there")

    def heard_units(self) -> Sequence[str]:
        return ("HH", "AH")


def test_the_wait_is_counted_from_the_last_voiced_sample_to_the_last_change() -> None:
    quick = hear(Scripted(), speech(0.15, 0.3))  # the second word comes with the third block, 0.12 s
    assert quick.text == "hello there"
    assert quick.units == ("HH", "AH")
    assert quick.wait == pytest.approx(0.12 - 0.16, abs=0.021)
    assert quick.processor > 0
    assert hear(Scripted(), np.zeros(1_600, np.float32)).wait is None


def test_every_chunk_length_has_its_rows(make_pack: MakePack, tmp_path: Path) -> None:  # noqa: F811
    base = {"split": "test", "seconds": 0.5, "speaker": "s"}
    en = [base | {"id": "e", "lang": "en", "text": "hello you"}]
    zh = [base | {"id": "z", "lang": "zh", "text": "你好", "pinyin": "ni3 hao3"}]
    build_cache([make_pack("so762", en), make_pack("cv_zh", zh)], tmp_path / "cache")
    talk = TalkTest(StepAudio2Mini(FakeRooms()), Cache.open(tmp_path / "cache"))
    seen: list[str] = []
    rows = measure(ChunksTest(dict.fromkeys(CHUNKS, Scripted()), Lexicon({}), talk), seen.append)
    assert seen == ["chunks of 160 ms", "chunks of 320 ms", "chunks of 640 ms"]
    table = {row.measure: row for row in rows}
    for name in seen:
        assert table[f"toneless-syllable error, greedy, {name}"].value == 100
        assert table[f"word error, {name}"].data == "so762"
        assert table[f"real-time factor, {name}"].n == 2
    assert all(row.kind == "real" for row in rows)


@pytest.fixture(scope="module")
def by_chunk(tmp_path_factory: pytest.TempPathFactory) -> dict[int, OurEars]:
    weights = Weights.open(tiny.weights(tmp_path_factory.mktemp("tiny")))
    return {chunk: OurEars(weights, chunk) for chunk in CHUNKS}


@pytest.mark.parametrize("chunk", CHUNKS)
@settings(max_examples=4, deadline=None)
@given(cuts=st.lists(st.integers(0, 40_000), max_size=6))
def test_streamed_is_offline_in_chunks_of_every_length(
    by_chunk: dict[int, OurEars], chunk: int, cuts: list[int]
) -> None:
    ears, sound = by_chunk[chunk], tiny.say("i want a small coffee")
    whole = ears.hear(sound)
    stream = ears.begin()
    for piece in np.split(sound, sorted(cuts)):
        stream.accept(piece)
    hearing = stream.finish()
    assert (hearing.best.text, tuple(ears.heard_units())) == (whole.text, whole.units)
    assert whole.text == by_chunk[8].hear(sound).text != ""


def test_chunks_are_named_by_their_length() -> None:
    assert [name_of(chunk) for chunk in CHUNKS] == ["chunks of 160 ms", "chunks of 320 ms", "chunks of 640 ms"]
