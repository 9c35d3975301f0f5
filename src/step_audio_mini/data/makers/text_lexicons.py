"""Pronunciations and word frequencies of both languages."""

from __future__ import annotations

import re

from step_audio_mini.data.makers.maker import Open
from step_audio_mini.data.makers.text_maker import TextFiles, TextMaker, place_of

FREQUENCY = "hermitdave/FrequencyWords"


def _tabbed(text: str) -> list[str]:
    """Lines of a frequency list, blanks made tabs."""
    return [line.replace(" ", "\t") for line in text.splitlines() if line.strip()]


def _fill_english(made: TextFiles, open_: Open) -> None:
    words = []
    for line in open_("cmusphinx/cmudict").text("cmudict.dict").splitlines():
        entry = line.partition("#")[0].strip()
        if entry:
            word, _, phones = entry.partition(" ")
            words.append(f"{re.sub(r'[(][0-9]+[)]$', '', word)}\t{phones}")  # `read(2)` is `read` said otherwise
    made.put("cmudict.tsv", words)
    made.put("freq_50k.tsv", _tabbed(open_(FREQUENCY).text("content/2018/en/en_50k.txt")))


def _fill_chinese(made: TextFiles, open_: Open) -> None:
    made.put("jieba_small_freq.tsv", _tabbed(open_("fxsjy/jieba").text("extra_dict/dict.txt.small")))
    frequent = open_(FREQUENCY).text("content/2018/zh_cn/zh_cn_50k.txt")
    made.put("freq_subtitles_zh_cn_50k.tsv", _tabbed(frequent))
    table = open_("BYVoid/OpenCC").text("data/dictionary/TSCharacters.txt")
    made.put("opencc_TSCharacters.tsv", [x for x in table.splitlines() if x.strip() and not x.startswith("#")])
    made.by_split("polyphone_cpp", _polyphones(open_), "tsv")


def _polyphones(open_: Open) -> list[tuple[str, str]]:
    """(split, sentence TAB place of the character TAB its pinyin); the character stands between two marks."""
    repository, rows = open_("kakaobrain/g2pM"), []
    for part in ("dev", "test"):
        sentences = repository.text(f"data/{part}.sent").splitlines()
        for sentence, pinyin in zip(sentences, repository.text(f"data/{part}.lb").splitlines(), strict=False):
            split = "test" if part == "test" else "dev" if place_of(sentence) % 5 == 0 else "train"
            rows.append((split, f"{sentence.replace('▁', '')}\t{sentence.index('▁')}\t{pinyin}"))
    return rows


MAKERS = (
    TextMaker(
        "lex_en",
        "English pronunciations (CMUdict) and word frequencies",
        ("cmusphinx/cmudict", FREQUENCY),
        "BSD-2-Clause (CMUdict); CC BY-SA 4.0 (frequencies)",
        _fill_english,
    ),
    TextMaker(
        "lex_zh",
        "Chinese word frequencies, traditional to simplified characters, sentences with polyphones",
        ("fxsjy/jieba", FREQUENCY, "BYVoid/OpenCC", "kakaobrain/g2pM"),
        "MIT (jieba); CC BY-SA 4.0 (frequencies); Apache-2.0 (OpenCC, g2pM)",
        _fill_chinese,
    ),
)
