from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from step_audio_mini.data.cache import Cache, build_cache
from step_audio_mini.evaluate.ears import EarsTest, Heard, OurEars, _Recorder, greedy_units, measure
from step_audio_mini.evaluate.sample import spread
from step_audio_mini.runtime.manifest import Weights
from step_audio_mini.runtime.session import Graph
from step_audio_mini.text.lexicon import Lexicon
from step_audio_mini.types import Samples
from tests.data.conftest import MakePack, make_pack  # noqa: F401 - a fixture
from tests.tiny import ears as tiny_ears
from tests.tiny import say, whistle
from tests.tiny import weights as tiny_weights

pytestmark = pytest.mark.unit


class Parrot:
    """Ears that hear by the length of a clip: 0.3 s right, else wrong."""

    def units(self, samples: Samples) -> Sequence[str]:
        return self.hear(samples).units

    def hear(self, samples: Samples) -> Heard:
        return Heard(("n", "i2", "h", "ao3"), "hello there") if len(samples) == 4800 else Heard(("n",), "")


class Deaf:
    name = "deaf"

    def hear(self, samples: NDArray[np.int16]) -> str:
        return ""


def rows_of(split: str, count: int = 4, **fields: object) -> list[dict[str, object]]:
    return [
        {"id": f"{split}{n}", "split": split, "seconds": 0.3 if n % 2 else 0.5, "speaker": f"s{n}"} | fields
        for n in range(count)
    ]


@pytest.fixture
def cache(make_pack: MakePack, tmp_path: Path) -> Cache:  # noqa: F811
    zh = rows_of("test", text="你好", pinyin="ni3 hao3", lang="zh")
    en = rows_of("test", text="Hello there", lang="en", age=9)
    en[3] |= {"age": 40, "text": "hello there friend"}
    en += rows_of("train", text="hello there", lang="en", age=9)
    build_cache([make_pack("cv_zh", zh), make_pack("so762", en), make_pack("sti", rows_of("test"))], tmp_path / "cache")
    return Cache.open(tmp_path / "cache")


def test_every_pack_gets_its_rows(cache: Cache) -> None:
    lexicon = Lexicon({"hello": (("HH", "AH0"),), "there": (("DH", "EH1"),)})
    seen: list[str] = []
    rows = measure(EarsTest(cache, lexicon), Parrot(), Deaf(), seen.append)
    assert seen == ["cv_zh", "so762"]
    table = {(row.data, row.measure, row.system): row for row in rows}
    ours = "step-audio-mini"
    assert table["cv_zh", "toneless-syllable error, greedy", ours].value == pytest.approx(50)
    assert table["cv_zh", "toned-syllable error, greedy", ours].value == pytest.approx(75)
    assert table["so762", "word error", ours].value == pytest.approx(100 * 5 / 9)
    assert table["so762", "word error, clips of the comparison", ours].value == pytest.approx(100 * 5 / 9)
    assert table["so762", "word error, clips of the comparison", "deaf"].value == pytest.approx(100)
    phones = table["so762", "phone error, greedy", ours]
    assert (phones.n, phones.note[:15]) == (3, "1 clips dropped")
    assert table["so762", "phone error, greedy, children up to 12", ours].n == 3
    assert (
        "so762",
        "phone error, greedy, sentences that no training clip has",
        ours,
    ) not in table  # not in the lexicon
    assert all(row.kind == "real" and row.split == "test" for row in rows)


def test_speakers_trained_on_have_rows_of_their_own(cache: Cache) -> None:
    test = EarsTest(cache, Lexicon({}), trained_speakers=frozenset({"s0", "s2"}))
    table = {(row.data, row.measure, row.system): row for row in measure(test, Parrot(), Deaf(), lambda _: None)}
    ours, mark = "step-audio-mini", "speakers trained on"
    assert table["cv_zh", "toneless-syllable error, greedy", ours].value == 0
    assert table["cv_zh", f"toneless-syllable error, greedy, {mark}", ours].value == 100
    assert table["so762", "word error", ours].n == table["so762", f"word error, {mark}", ours].n == 2
    assert table["so762", f"word error, clips of the comparison, {mark}", "deaf"].n == 2


def test_the_peer_hears_clips_that_we_heard(make_pack: MakePack, tmp_path: Path) -> None:  # noqa: F811
    pack = make_pack("so762", rows_of("test", 6, text="hello there", lang="en", age=40))
    build_cache([pack], tmp_path / "six")
    test = EarsTest(Cache.open(tmp_path / "six"), Lexicon({}), most=4, most_peer=3)
    compared = [row.n for row in measure(test, Parrot(), Deaf(), lambda _: None) if "comparison" in row.measure]
    assert compared == [3, 3]


def test_subsets_of_a_corpus_stand_apart(make_pack: MakePack, tmp_path: Path) -> None:  # noqa: F811
    said: dict[str, object] = {"text": "hello there", "lang": "en"}
    subsets = [{"id": "a", "subset": "test-clean"}, {"id": "b", "subset": "test-other"}]
    rows = [subset | said | {"split": "test", "seconds": 0.3, "speaker": "s"} for subset in subsets]
    build_cache([make_pack("librispeech", rows)], tmp_path / "subsets")
    rows_of_both = measure(EarsTest(Cache.open(tmp_path / "subsets"), Lexicon({})), Parrot(), None, lambda _: None)
    assert {row.data for row in rows_of_both} == {"librispeech test-clean", "librispeech test-other"}


def test_greedy_units_of_whistles() -> None:
    units = ["HH", "AH", "L", "OW", "n", "i3"]
    recorder = _Recorder(Graph(tiny_ears()))
    assert greedy_units(recorder, whistle(units)) == units
    assert greedy_units(recorder, np.zeros(0, np.float32)) == []


def test_one_pass_gives_the_same_units_and_the_words(tmp_path: Path) -> None:
    ears = OurEars(Weights.open(tiny_weights(tmp_path)))
    sound = say("turn on the light")
    heard = ears.hear(sound)
    assert heard.text == "turn on the light"
    assert list(heard.units) == ears.units(sound)


def test_spread_is_even_and_bounded() -> None:
    assert spread(range(0), 5) == []
    assert spread(range(3), 5) == [0, 1, 2]
    assert spread(range(101), 3) == [0, 50, 100]
