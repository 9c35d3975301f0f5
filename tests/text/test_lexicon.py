"""Lexicon: reading, tokens, targets for training."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from step_audio_mini.errors import UserError
from step_audio_mini.text.lexicon import Lexicon, english_units, transcript_units, words
from step_audio_mini.text.phones import unit_indices

pytestmark = pytest.mark.unit

CAT = ("K", "AE1", "T")


def test_words_of_transcripts() -> None:
    assert words("It’s the Aurora—Borealis, café!") == ("it's", "the", "aurora", "borealis", "cafe")
    assert words("把T恤放好。") == ("把", "t", "恤", "放", "好")
    assert words("at 1,280 or 'now'") == ("at", "1,280", "or", "now")
    assert words("。 … ") == ()


def test_load_keeps_order_and_stress(tmp_path: Path) -> None:
    path = tmp_path / "lexicon.tsv.gz"
    path.write_bytes(gzip.compress("read\tR EH1 D\nread\tR IY1 D\n好\th ao3\nread\tR EH1 D\n".encode()))
    lexicon = Lexicon.load(path)
    assert lexicon.pronunciations("read") == (("R", "EH1", "D"), ("R", "IY1", "D"))
    assert lexicon.units("read") == (("R", "EH", "D"), ("R", "IY", "D"))
    assert english_units("READ", lexicon) == ("R", "EH", "D")
    assert lexicon.units("好") == (("h", "ao3"),)
    assert english_units("missing", lexicon) is None
    assert len(lexicon) == 2
    assert "好" in lexicon


@pytest.mark.parametrize("line", ["word", "word\t", "word\tK QQ T", "\tK"])
def test_bad_lines_are_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "bad.tsv"
    path.write_text(f"cat\tK AE1 T\n{line}\n", encoding="utf-8")
    with pytest.raises(UserError, match="line 2"):
        Lexicon.load(path)


def test_missing_file_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        Lexicon.load(tmp_path / "none.tsv")


def test_fallback_is_asked_last() -> None:
    lexicon = Lexicon({"cat": (CAT,)}, fallback=lambda word: ("Z",) if word == "zz" else None)
    assert lexicon.pronunciations("cat") == (CAT,)
    assert lexicon.pronunciations("zz") == (("Z",),)
    assert lexicon.pronunciations("yy") == ()


@pytest.mark.parametrize(("stem", "end"), [(CAT, "S"), (("D", "AO1", "G"), "Z"), (("B", "AH1", "S"), "IH0 Z")])
def test_possessive_follows_its_stem(stem: tuple[str, ...], end: str) -> None:
    assert Lexicon({"w": (stem,)}).pronunciations("w's") == ((*stem, *end.split()),)


def test_merged_prefers_its_own() -> None:
    both = Lexicon({"cat": (CAT,)}).merged(Lexicon({"cat": (("K",),), "dog": (("D",),)}))
    assert both.pronunciations("cat") == (CAT,)
    assert both.pronunciations("dog") == (("D",),)


def test_transcript_units() -> None:
    lexicon = Lexicon({"cat": (CAT,), "t": (("T", "IY1"),)})
    assert transcript_units("a Cat.", None, lexicon) is None
    assert transcript_units("Cat!", None, lexicon) == unit_indices(("K", "AE", "T"))
    assert transcript_units("雷鸣", "lei2 ming2", lexicon) == unit_indices(("l", "ei2", "m", "ing2"))
    assert transcript_units("T恤", "T xu4", lexicon) == unit_indices(("T", "IY", "x", "v4"))
    assert transcript_units("吗", "ma7", lexicon) is None
    assert transcript_units("", None, lexicon) is None
