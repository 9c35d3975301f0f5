from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from step_audio_mini import StepAudio2Mini
from step_audio_mini.data.cache import Cache, build_cache
from step_audio_mini.evaluate import names, peers
from step_audio_mini.evaluate.names import FOLDER, Name, NamesTest, holds, measure, read_names
from step_audio_mini.evaluate.talk import TalkTest
from step_audio_mini.listen.hotwords import hot_words
from step_audio_mini.text.lexicon import words
from step_audio_mini.think.pack_file import load_pack
from step_audio_mini.types import Samples
from tests.data.conftest import MakePack, make_pack  # noqa: F401 - a fixture
from tests.fakes import FakeRooms

pytestmark = pytest.mark.unit


def test_ten_names_five_of_each_language_each_with_one_line() -> None:
    found = read_names()
    assert [sum(name.language == language for name in found) for language in ("en", "zh")] == [5, 5]
    pack = load_pack(str(FOLDER))
    values = [form for value in pack.types["person"].values for form in (*value.en, *value.zh)]
    assert values == [name.name for name in found]
    assert set(pack.sounds_like) == {word.text for word in hot_words(name.line for name in found) if word.sound}


def test_the_names_are_in_no_pack_that_ships() -> None:
    shipped = [path.read_text(encoding="utf-8").lower() for path in FOLDER.parents[2].glob("packs/*/pack.yaml")]
    assert len(shipped) >= 3
    assert not [name for name in read_names() for text in shipped if name.name.lower() in text]


@pytest.mark.parametrize(
    ("heard", "name", "found"),
    [
        ("please call zorvath now", "Zorvath", True),
        ("zorvaths", "Zorvath", False),
        ("请给卓沐宸打电话", "卓沐宸", True),
        ("卓沐", "卓沐宸", False),
        ("卓和沐宸", "卓沐宸", False),
        ("", "Zorvath", False),
    ],
)
def test_a_name_is_found_whole(heard: str, name: str, found: bool) -> None:
    assert holds(heard, name) == found


@pytest.fixture
def talk(make_pack: MakePack, tmp_path: Path) -> TalkTest:  # noqa: F811
    base = {"split": "test", "seconds": 0.2}
    zh = [base | {"id": f"z{n}", "speaker": f"s{n}", "lang": "zh", "text": "你好"} for n in range(3)]
    zh.append(base | {"id": "named", "speaker": "n", "lang": "zh", "text": "卓沐宸在家"})
    zh.append(base | {"id": "known", "speaker": "trained", "lang": "zh", "text": "你好"})
    build_cache([make_pack("cv_zh", zh)], tmp_path / "cache")
    return TalkTest(StepAudio2Mini(FakeRooms()), Cache.open(tmp_path / "cache"), trained=frozenset({"trained"}))


def test_rows(talk: TalkTest, monkeypatch: pytest.MonkeyPatch) -> None:
    def scripted(found: tuple[Name, ...]) -> list[tuple[Name, Samples]]:
        return [(name, np.full(place + 1, 0.5, np.float32)) for place, name in enumerate(found) for _ in range(3)]

    def hear(sound: Samples) -> str:  # the first eight names, and one in every recording but the utterances
        return f"call {read_names()[len(sound) - 1].name}" if len(sound) < 9 else "zorvath" if len(sound) > 99 else ""

    monkeypatch.setattr(names, "utterances", scripted)
    seen: list[str] = []
    rows = measure(NamesTest({"taught": hear, "hot": lambda _: ""}, lambda _: "", talk), seen.append)
    table = {(row.measure, row.data): row for row in rows}
    assert seen == ["names", "names, taught", "names, hot", "other recordings, taught", "other recordings, hot"]
    both = table["name found, taught", "taught names, both languages"]
    assert (both.value, both.n, both.over, both.kind) == (80, 30, "names", "synthetic")
    assert table["name found, taught", "taught names, Mandarin"].value == 60
    most = table["names found by most voices, taught", "taught names"]
    assert (most.value, most.n, most.note) == (80, 10, "missed: 翁梓萱, 单小禾")
    assert table["name found, not taught", "taught names, English"].value == 0
    alarms = table["false alarms, taught", "cv_zh"]
    assert (alarms.value, alarms.n, alarms.kind) == (100, 3, "real")  # neither who is known nor the clip with a name
    assert table["false alarms, hot", "cv_zh"].value == 0


def test_utterances_hold_the_name_for_every_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def say(text: str, voice: str) -> Samples:
        asked.append((text, voice))
        return np.ones(10, np.float32)

    monkeypatch.setattr(peers, "flite", say)
    monkeypatch.setattr(peers, "espeak", say)
    made = list(names.utterances(read_names()))
    assert len(made) == len(asked) == 5 * 3 + 5 * 4
    assert all(words(name.said) for name, _ in made)
    assert len({voice for _, voice in asked}) == 7
