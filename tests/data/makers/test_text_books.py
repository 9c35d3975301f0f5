"""Running text: what a page prints becomes what somebody says, and what nobody can say is left out."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from step_audio_mini.data.makers import text_books
from step_audio_mini.data.makers.repository import Repository
from step_audio_mini.data.makers.text_books import chinese_sentences, english_sentences
from step_audio_mini.data.makers.text_maker import TextFiles, TextMaker, make_text

from .clones import clone

pytestmark = pytest.mark.unit


def filled(fill: Callable[[TextFiles, Callable[[str], Repository]], None], tmp_path: Path) -> dict[str, list[str]]:
    """Lines of each file of a pack; clones are at their newest commit, whatever commit is asked for."""
    out = tmp_path / "out"
    out.mkdir()
    fill(TextFiles(out, frozenset()), lambda name: Repository(tmp_path / "m", name.partition("@")[0]))
    return {
        file.name.removesuffix(".gz"): gzip.decompress(file.read_bytes()).decode().splitlines()
        for file in out.iterdir()
    }


def test_english_sentences() -> None:
    text = 'Mr. Smith *met* Dr. Jones. "Did he come?" He came in 1920, they said. No; not so quickly, my dear.'
    assert list(english_sentences(text, 8)) == [
        "mister Smith met doctor Jones.",
        '"Did he come?',
        "not so quickly, my dear.",
    ]


def test_chinese_sentences() -> None:
    text = "「今天」天气（注）真好。他在1949年来了！这是ABC公司。太长" + "的" * 70 + "。走吧我们走"
    assert list(chinese_sentences(text)) == ["今天天气真好。", "走吧我们走"]


def test_clauses_of_chinese_sentences_that_cannot_stay_whole() -> None:
    assert list(chinese_sentences("他生于北京，在1949年离开，后来去了上海，再没有回来。")) == [
        "他生于北京，", "后来去了上海，再没有回来。"
    ]  # fmt: skip
    long = "，".join(["一二三四五六七八九"] * 6) + "。"
    cut = list(chinese_sentences(long, most=21))
    assert "".join(cut) == long and [len(run) for run in cut] == [20, 20, 20]


def test_books_of_the_public_domain_give_a_part_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = "# Title: T\n\n## Year: {}\n\n-------\n\n" + "\n\n".join(f"This is paragraph {n}." for n in "abcdefgh")
    books = {"A/Old.md": book.format(1899), "A/New.md": book.format(1955), "README.md": "Classic books here."}
    clone(tmp_path / "m", text_books.CLASSICS, books)
    monkeypatch.setattr(text_books, "PART_OF_A_BOOK", len(book) // 2)
    lines = filled(text_books._fill_books, tmp_path)["en.train.tsv"]
    assert lines == [f"A/Old\tThis is paragraph {n}." for n in "bdfh"]


def test_wikipedia(tmp_path: Path) -> None:
    def at(name: str, content: dict[str, str]) -> None:
        clone(tmp_path / "m", name.partition("@")[0], content)

    at(text_books.ENGLISH_WIKI, {"text/AA/wiki_00": '<doc id="1">\nAarhus is a city. It has 3 ports.\n</doc>\n'})
    at(text_books.CHINESE_WIKI, {"wiki_00": json.dumps({"text": "數學\n數學是一門學科。"}) + "\n"})
    page = {"data": [{"paragraphs": [{"context": "城市位于北方。"}]}]}
    at(text_books.CMRC, {f"squad-style-data/cmrc2018_{part}.json": json.dumps(page) for part in ("dev", "trial")})
    at(text_books.DRCD, {f"DRCD_{part}.json": json.dumps(page) for part in ("dev", "test")})
    files = filled(text_books._fill_wikipedia, tmp_path)
    assert files["en.train.tsv"] == ["wikipedia\tAarhus is a city."]
    assert files["zh_hans.train.tsv"] == ["wikipedia\t城市位于北方。"] * 2
    assert files["zh_mixed.train.tsv"] == ["wikipedia\t數學是一門學科。", *["wikipedia\t城市位于北方。"] * 2]


def test_sentences(tmp_path: Path) -> None:
    def at(name: str, content: dict[str, str]) -> None:
        clone(tmp_path / "m", name.partition("@")[0], content)

    at(text_books.WIKINEWS, {"text/AA/wiki_00": json.dumps({"text": "The court ruled today.\nOk."}) + "\n"})
    at(text_books.TATOEBA_ENGLISH, {"jpn.txt": "Go on.\tx\nGo on.\ty\n"})
    at(text_books.TATOEBA_CHINESE, {"data/raw/sentences/tatoeba_cmn_sentences.tsv": "1\tcmn\t我們試試看！\n"})
    parts = {
        f"transcript/{part}.tsv": "id\tsentence\n1\t好\n2\t好\n" for part in ("zh-CN/dev", "zh-TW/train", "zh-TW/dev")
    }
    at(text_books.COMMON_VOICE_16, parts | {"transcript/en/dev.tsv": "id\tsentence\n1\tHello.\n"})
    at(text_books.SPEECH_TEXTS, {f"data/{name}.txt": "a.wav\tlv4\t绿\n" for name in ("thchs_train", "aishell_dev")})
    files = filled(text_books._fill_sentences, tmp_path)
    assert files["en.train.tsv"] == ["wikinews\tThe court ruled today.", "tatoeba\tGo on.", "cv16\tHello."]
    assert files["zh_mixed.train.tsv"] == [
        "tatoeba\t我們試試看！", *["cv16\t好"] * 3, "thchs_train\t绿", "aishell_dev\t绿"
    ]  # fmt: skip


def test_a_repository_may_be_read_at_an_older_commit(tmp_path: Path) -> None:
    folder = clone(tmp_path / "m", "a/b", {"t": "old"})
    old = Repository(tmp_path / "m", "a/b").commit
    clone(tmp_path / "m", "a/b", {"t": "new"})
    assert (folder / "t").read_text() == "new"
    name = f"a/b@{old}"
    maker = TextMaker("p", "", (name,), "", lambda made, open_: made.put("x", [open_(name).text("t")]))
    made, _ = make_text(maker, tmp_path / "m", tmp_path / "out", frozenset())
    assert gzip.decompress((made / "x.gz").read_bytes()) == b"old\n"
    assert json.loads((made / "sources.json").read_text())["sources"] == [name]
