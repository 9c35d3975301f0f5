"""Hot words: heard anywhere in a sentence, new ones by spelling or as described; wrong ones are told in one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.errors import UserError
from step_audio_mini.listen.hotwords import hot_graph, hot_words, read_lines, teach
from step_audio_mini.listen.recogniser import Expected, Recogniser, Tuning, WordModel
from step_audio_mini.listen.search import Limits
from step_audio_mini.listen.space import Weighing
from step_audio_mini.listen.stream import Stream
from step_audio_mini.text.phones import UNITS
from step_audio_mini.types import Word

from .conftest import SPOKEN, Script, posteriors, said

pytestmark = pytest.mark.unit

TUNING = Tuning(weighing=Weighing(language=0.5), limits=Limits(active=200))
NAME = "SH IH V AA N"
"""As `Siobhan` is said; its letters tell something else."""


def hear(words: WordModel, pronunciations: Sequence[str], expected: Expected, sure: float = 0.99) -> tuple[Word, ...]:
    rows = posteriors(said(pronunciations, gap=2)[0], sure)
    stream = Stream(Recogniser(Script(rows), words, expected=expected, tuning=TUNING))
    stream.accept(np.zeros(640 * (len(rows) + 4), np.float32))
    return stream.finish().best.words


def texts(words: Sequence[Word]) -> str:
    return " ".join(word.text for word in words)


@pytest.mark.parametrize("line", ["Siobhan = SH IH1 V AA N", "siobhan = SH IH V | SH IH V AA N", "Siobhan= SH IH V on"])
@pytest.mark.parametrize("around", [("turn", "on"), ("把", "打开"), ("stop", "灯")])
def test_a_described_word_is_heard_between_any_words(word_model: WordModel, line: str, around: tuple[str, str]) -> None:
    spoken = [SPOKEN[around[0]].split("|")[0], NAME, SPOKEN[around[1]].split("|")[0]]
    assert "siobhan" not in texts(hear(word_model, spoken, Expected()))
    found = hear(word_model, spoken, Expected(hot_words=hot_words([line])))
    assert texts(found) == f"{around[0]} siobhan {around[1]}"
    assert found[1].language == "en"


def test_a_new_word_is_heard_by_its_spelling(word_model: WordModel) -> None:
    """The fixture reads `lamp` and 泵."""
    for text, units in (("Lamp", "L AE M P"), ("泵", "b eng4")):
        found = hear(word_model, [SPOKEN["turn"], units], Expected(hot_words=hot_words([text])))
        assert texts(found) == f"turn {text.lower()}"


def test_a_phrase_is_preferred_as_a_whole(word_model: WordModel) -> None:
    spoken = [SPOKEN["stop"], SPOKEN["the"].split("|")[0], SPOKEN["right"]]
    rows = posteriors(said(spoken)[0], 0.6)
    both = [UNITS.index("L"), UNITS.index("R")]
    at = int(rows[:, both[1]].argmax())
    rows[at, both[0]] = rows[at, both[1]] + 0.5  # it sounds a bit more like `light`
    readings = []
    for lines in ([], ["the right"], ["the lamp", "stop the"]):
        tuning = replace(TUNING, weighing=Weighing(language=0.5, hot=2.0))
        recogniser = Recogniser(Script(rows), word_model, expected=Expected(hot_words=hot_words(lines)), tuning=tuning)
        stream = Stream(recogniser)
        stream.accept(np.zeros(640 * (len(rows) + 4), np.float32))
        readings.append(stream.finish().best.text)
    assert readings[0] == "stop the light"
    assert readings[1] == "stop the right"
    assert readings[2] == "stop the light"


def test_other_speech_stays_as_it_was(word_model: WordModel) -> None:
    spoken = [SPOKEN[word].split("|")[0] for word in ("turn", "on", "the", "light")]
    lines = ["Siobhan = SH IH V AA N", "泵", "lamp"]
    assert texts(hear(word_model, spoken, Expected(hot_words=hot_words(lines)), 0.9)) == "turn on the light"


def test_a_pack_tells_how_its_words_sound(word_model: WordModel) -> None:
    sentences = [("turn on Siobhan", 1.0), ("打开小怡", 1.0)]
    taught = {"Siobhan": "SH IH V AA N", "小怡": "xiao3 i2", "on": "AO N"}
    with pytest.raises(UserError, match="i2"):
        hear(word_model, [NAME], Expected([sentences], sounds_like=taught))
    expected = Expected([sentences], sounds_like=taught | {"小怡": "xiao3 yi2"})
    assert texts(hear(word_model, [SPOKEN["turn"], "AO N", NAME], expected)) == "turn on siobhan"
    assert texts(hear(word_model, [SPOKEN["打开"], "x iao3 i2"], expected)) == "打开 小怡"


def test_taught_words_keep_tokens_and_old_ways(word_model: WordModel) -> None:
    before = word_model.vocabulary
    after = teach(before, {"on": "AO N", "新": "xin1"}, word_model.pronounce)
    assert after.words[: len(before)] == before.words
    assert after.pronunciations(after.token("on")) == (("AA", "N"), ("AO", "N"))
    assert after.pronunciations(after.token("新")) == (("x", "in1"),)
    assert teach(before, {}, word_model.pronounce) is before


def test_the_same_hot_words_make_the_same_graph(word_model: WordModel) -> None:
    lines = ["Siobhan = SH IH V", "turn on the light", "turn on", "turn on", "灯"]
    graphs = [hot_graph(hot_words(lines), word_model.vocabulary, word_model.pronounce)[0] for _ in range(2)]
    for name in ("unit", "word", "cost", "target", "first", "final"):
        np.testing.assert_array_equal(getattr(graphs[0], name), getattr(graphs[1], name))
    assert not graphs[0].cost.any()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", "no word"),
        ("= sea", "no word"),
        ("!?", "no word"),
        ("Siobhan =", "no sound"),
        ("Siobhan Roe = sea", "not one word"),
        ("Siobhan = ZZ", "ZZ is no phone"),
        ("xyzzy", "'xyzzy'"),
        ("gate 12", "'gate'"),
        ("a" * 101, "too long"),
    ],
)
def test_wrong_hot_words_are_named(word_model: WordModel, line: str, told: str) -> None:
    with pytest.raises(UserError, match=told) as error:
        hot_graph(hot_words([line]), word_model.vocabulary, word_model.pronounce)
    assert "\n" not in str(error.value)


def test_too_many_are_refused() -> None:
    with pytest.raises(UserError, match="1001 hot words"):
        hot_words(f"{'a' * (1 + n // 26)}{chr(97 + n % 26)}" for n in range(1001))


@given(st.text(max_size=30))
def test_any_line_is_a_hot_word_or_one_error(line: str) -> None:
    try:
        assert len(hot_words([line])) == 1
    except UserError as error:
        assert "\n" not in str(error)


def test_a_file_of_hot_words(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_text("\ufeff# family\nSiobhan = shiv awn   # my sister\n\n小爱同学\r\n", encoding="utf-8")
    assert read_lines(file) == ["Siobhan = shiv awn", "小爱同学"]
    file.write_bytes(b"\xff\xfe\x00")
    for wrong in (file, tmp_path / "missing.txt", tmp_path):
        with pytest.raises(UserError, match=wrong.name):
            read_lines(wrong)
