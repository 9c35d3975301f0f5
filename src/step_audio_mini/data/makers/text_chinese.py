"""More running text in Chinese, for language models: what Common Voice reads, articles, transcripts of talks, laws.

Mandarin that is read aloud here is mostly sentences of an encyclopedia. Their kind is scarce where nobody had to ask
for it, so this pack takes each of several small collections; those nearest to read speech first. All of it is train:
see `text_books`.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from step_audio_mini.data.makers.maker import Open
from step_audio_mini.data.makers.text_books import chinese_sentences
from step_audio_mini.data.makers.text_maker import TextFiles, TextMaker

FIRST_LIST = "mozilla/common-voice@0139365420405093d43d7c87d5348e5166d7a142"
"""Thirty thousand sentences of the Chinese Wikipedia that Common Voice read first; the newest commit has others."""
TRANSCRIPTS = "leeqingming-BOL/mychinesemultipa"
WIKI_SENTENCES, WIKI_ARTICLES, WIKI_FILE = "yukunfeng/warmup_char_lm", "quqixun/ReadWiki-ZH", "enix223/nlp-course"
TAIWAN, TALKS, LAWS = "frank890417/taiwan-md", "audreyt/archive.tw", "LawRefBook/Laws"
"""Articles on Taiwan; transcripts of its former digital minister; laws of the state, which have no copyright there."""

ONE_IN = 4
"""Of the talks and of the laws so many files give one: there are more of them than of what is read aloud."""

_FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_FOOTNOTE = re.compile(r"\[\^[^\]]*\]:?")
_WIKI_LINK = re.compile(r"!?\[\[(?:[^\]|]*\|)?([^\]]*)\]\]")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_SIGNS = re.compile(r"[*_`]")
_ARTICLE = re.compile(r"^第[〇零一二三四五六七八九十百千]+条(?:之[一二三四五六七八九十]+)?[ \u3000]*")
_OTHER_LANGUAGES = ("en", "es", "fr", "ja", "ko")


def prose(page: str) -> Iterator[str]:
    """Paragraphs of a Markdown page as they are read: no head, headings, tables, lists, quotations, links or notes."""
    for line in _FRONT.sub("", page).splitlines():
        if "。" in line and not line.startswith(("#", "|", "-", ">", "!", "<")):
            plain = _LINK.sub(r"\1", _WIKI_LINK.sub(r"\1", _FOOTNOTE.sub("", line)))
            yield _SIGNS.sub("", plain)


def _fill_chinese(made: TextFiles, open_: Open) -> None:
    collections = (
        ("cv:first", _common_voice(open_)),
        ("wikipedia", _encyclopedia(open_)),
        ("taiwan", _taiwan(open_)),
        ("talks", _talks(open_)),
        ("laws", _laws(open_)),
    )
    rows, seen = [], set()
    for source, paragraphs in collections:
        for sentence in (one for paragraph in paragraphs for one in chinese_sentences(paragraph)):
            if sentence not in seen:
                seen.add(sentence)
                rows.append(f"{source}\t{sentence}")
    made.put("zh_mixed.train.tsv", rows)


def _common_voice(open_: Open) -> Iterator[str]:
    yield from open_(FIRST_LIST).text("server/data/zh-CN/wiki.zh-cn.txt").splitlines()
    clips = open_(TRANSCRIPTS)
    for path in clips.under("zh-CN", ".tsv"):
        rows = [line.split("\t") for line in clips.text(path).splitlines()]
        if rows and "sentence" in rows[0]:
            place = rows[0].index("sentence")
            yield from (row[place] for row in rows[1:] if len(row) > place)


def _encyclopedia(open_: Open) -> Iterator[str]:
    sentences = open_(WIKI_SENTENCES)
    for part in ("train", "valid", "test"):
        yield from (line.replace(" ", "") for line in sentences.text(f"data/zh/{part}.txt").splitlines())
    articles = open_(WIKI_ARTICLES)
    yield from (line for path in articles.under("docs/words_txt", ".txt") for line in articles.text(path).splitlines())
    for line in open_(WIKI_FILE).text("data/zhwiki/AA/wiki_00").splitlines():
        if line.startswith("{"):
            yield from json.loads(line)["text"].split("\n")
        elif not line.startswith("<"):
            yield line


def _taiwan(open_: Open) -> Iterator[str]:
    pages = open_(TAIWAN)
    for path in pages.under("knowledge", ".md"):
        name = PurePosixPath(path)
        if name.parts[1] not in _OTHER_LANGUAGES and not name.stem.endswith(_OTHER_LANGUAGES):
            yield from prose(pages.text(path))


def _talks(open_: Open) -> Iterator[str]:
    talks = open_(TALKS)
    for path in [path for path in talks.files if path.endswith(".xml")][::ONE_IN]:
        for paragraph in re.findall(r"<p>(.*?)</p>", talks.text(path), re.DOTALL):
            yield html.unescape(paragraph)


def _laws(open_: Open) -> Iterator[str]:
    laws = open_(LAWS)
    of_the_state = [path for path in laws.files if path.endswith(".md") and "/" in path and not path.startswith("DLC/")]
    for path in of_the_state[::ONE_IN]:
        lines = (line.strip() for line in laws.text(path).splitlines())
        yield from (_ARTICLE.sub("", line) for line in lines if not line.startswith("#"))


MAKERS = (
    TextMaker(
        "chinese",
        "what Common Voice reads, articles, talks and laws, Chinese",
        (FIRST_LIST, TRANSCRIPTS, WIKI_SENTENCES, WIKI_ARTICLES, WIKI_FILE, TAIWAN, TALKS, LAWS),
        "cv, talks CC0-1.0; wikipedia CC BY-SA 3.0 and 4.0; taiwan CC BY-SA 4.0; laws public domain",
        _fill_chinese,
    ),
)
