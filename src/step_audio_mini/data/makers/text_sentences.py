"""Sentences for language models: what people are asked to read aloud, and how they write and chat."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import yaml

from step_audio_mini.data.makers.maker import Open
from step_audio_mini.data.makers.text_maker import TextFiles, TextMaker, bare, split_of

COMMON_VOICE = "mozilla/common-voice"
EWT, ATIS, GSD = (f"UniversalDependencies/UD_{name}" for name in ("English-EWT", "English-Atis", "Chinese-GSDSimp"))
CHATTERBOT, PERSONALITY = "gunthercox/chatterbot-corpus", "ntulsi/BotBuilder-PersonalityChat"


@dataclass(frozen=True, slots=True)
class _Source:
    """Sentences of one language: a folder of Common Voice and treebank files, each with the name in column 1."""

    name: str
    folder: str
    treebanks: tuple[tuple[str, str, str], ...] = ()


_SOURCES = (
    _Source("zh_hans", "zh-CN", tuple(("udgsd", GSD, f"zh_gsdsimp-ud-{part}.conllu") for part in ("dev", "test"))),
    _Source("zh_hant_tw", "zh-TW"),
    _Source("yue_hk", "zh-HK"),
    _Source(
        "en",
        "en",
        (
            *(("udewt", EWT, f"en_ewt-ud-{part}.conllu") for part in ("dev", "test")),
            *(("udatis", ATIS, f"en_atis-ud-{part}.conllu") for part in ("train", "dev", "test")),
        ),
    ),
)


def _fill_lm_text(made: TextFiles, open_: Open) -> None:
    for source in _SOURCES:
        seen, rows = set(), []
        for origin, raw in _sentences(source, open_):
            text = re.sub(r"\s+", " ", raw.replace("\u200b", "").replace("\ufeff", "")).strip().strip('"“”').strip()
            key = bare(text)
            if key and key not in seen and _speakable(text, key, source.name):
                seen.add(key)
                rows.append((split_of(key, 2, 2), f"{origin}\t{text}"))
        made.by_split(source.name, rows, "tsv")


def _sentences(source: _Source, open_: Open) -> Iterator[tuple[str, str]]:
    repository = open_(COMMON_VOICE)
    for path in repository.under(f"server/data/{source.folder}", ".txt"):
        if "singleword" not in path and "fxvoice" not in path:
            for line in repository.text(path).splitlines():
                yield f"cv:{PurePosixPath(path).stem}", line
    for name, bank, path in source.treebanks:
        for line in _treebank(open_(bank).text(path)):
            yield name, line
    if source.name == "en":
        bank_files = open_(EWT).under("not-to-release/sources", ".conllu")
        for path in (path for path in bank_files if "/email/" not in path):
            for line in _treebank(open_(EWT).text(path)):
                yield "udewt", line


def _treebank(text: str) -> list[str]:
    """Sentences of a CoNLL-U file."""
    return [line[8:].strip() for line in text.splitlines() if line.startswith("# text =")]


def _speakable(text: str, key: str, language: str) -> bool:
    """Neither too short nor too long, no addresses, no other script."""
    if language == "en":
        foreign = re.search(r"https?:|www\.|@|[^\x00-\u024f\u2010-\u2027€£]", text)
        return 2 <= len(text.split()) <= 40 and not foreign
    characters = len(re.findall(r"[\u3400-\u9fff]", text))
    return 3 <= len(text) <= 80 and not re.search(r"https?:|www\.", text) and characters >= 0.6 * len(key)


def _fill_smalltalk(made: TextFiles, open_: Open) -> None:
    seen, rows = set(), []
    for language, category, source, turns in (*_chatterbot(open_), *_personality(open_)):
        if len(turns) > 1 and (language, *turns) not in seen:
            seen.add((language, *turns))
            row = {"lang": language, "cat": category, "src": source, "turns": turns}
            rows.append((split_of(turns[0]), row))
    made.by_split("pairs", rows)


def _chatterbot(open_: Open) -> Iterator[tuple[str, str, str, list[str]]]:
    repository = open_(CHATTERBOT)
    folders = {"en": "english", "zh-cn": "chinese", "zh-tw": "traditionalchinese"}
    for language, folder in folders.items():
        for path in repository.under(f"chatterbot_corpus/data/{folder}"):
            if PurePosixPath(path).name in ("coding.yml", "tech_support.yml", "politics.yml"):
                continue
            content = yaml.safe_load(repository.text(path))
            category = "/".join(map(str, content["categories"]))
            for turns in content["conversations"]:
                yield language, category, "chatterbot", [str(turn).strip() for turn in turns if turn is not None]


def _personality(open_: Open) -> Iterator[tuple[str, str, str, list[str]]]:
    repository = open_(PERSONALITY)
    for path in repository.under("CSharp/Datasets"):
        found = re.search(r"Queries_Responses_(\w+)_QnAMaker\.tsv", path)
        if not found:
            continue
        for line in repository.text(path).splitlines()[1:]:
            fields = line.split("\t")
            if len(fields) >= 3:
                category = f"{found[1].lower()}:{fields[2].replace('Scenario:', '')}"
                yield "en", category, "personalitychat", [fields[0].strip(), fields[1].strip()]


MAKERS = (
    TextMaker(
        "lm_text",
        "sentences for language models, English and Chinese",
        (COMMON_VOICE, EWT, ATIS, GSD),
        "CC0 (cv lines); CC BY-SA 4.0 (ud lines)",
        _fill_lm_text,
    ),
    TextMaker(
        "smalltalk",
        "short questions and answers, English and Chinese",
        (CHATTERBOT, PERSONALITY),
        "BSD-3-Clause; MIT",
        _fill_smalltalk,
    ),
)
