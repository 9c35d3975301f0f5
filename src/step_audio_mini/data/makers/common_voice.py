"""Common Voice, Mandarin and English: sentences read by a crowd on its own devices."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from step_audio_mini.data.makers import chinese_text
from step_audio_mini.data.makers.draft import HAN, Draft, Rules
from step_audio_mini.data.makers.maker import Maker, Open
from step_audio_mini.data.makers.repository import Repository
from step_audio_mini.data.makers.splits import Split, all_train, by_count, by_weight, of_speakers, seconds_by_speaker
from step_audio_mini.data.makers.text_maker import bare, fingerprint, reserved_sentences

SAMPLE = "omnilingo/rsample-100-cv-corpus-6.1-2020-12-11"
"""A hundred random clips of each language, nearly one speaker a clip: mostly test."""
FIRST = "hys89/myrepo"
"""Common Voice 1, `cv-valid-dev`: it names no speakers."""
MANDARIN = "leeqingming-BOL/mychinesemultipa"
CV_ZH_RULES = Rules(seconds=(0.3, 30), min_peak=0.01, min_range=6, characters=(1.2, 8.5))
PROVINCES = {
    "110000": "Beijing", "120000": "Tianjin", "130000": "Hebei", "140000": "Shanxi", "150000": "Inner Mongolia",
    "210000": "Liaoning", "220000": "Jilin", "230000": "Heilongjiang", "310000": "Shanghai", "320000": "Jiangsu",
    "330000": "Zhejiang", "340000": "Anhui", "350000": "Fujian", "360000": "Jiangxi", "370000": "Shandong",
    "410000": "Henan", "420000": "Hubei", "430000": "Hunan", "440000": "Guangdong", "450000": "Guangxi",
    "460000": "Hainan", "500000": "Chongqing", "510000": "Sichuan", "520000": "Guizhou", "530000": "Yunnan",
    "540000": "Tibet", "610000": "Shaanxi", "620000": "Gansu", "630000": "Qinghai", "640000": "Ningxia",
    "650000": "Xinjiang", "710000": "Taiwan", "810000": "Hong Kong", "820000": "Macau",
}  # fmt: skip
"""Common Voice's accent codes of zh-CN: divisions of the country (GB/T 2260)."""


@dataclass(frozen=True, slots=True)
class _Delta:
    """One repository with a part of Common Voice English."""

    repository: str
    table: str
    clips: str
    release: str


DELTAS = (
    _Delta("korliu/whisper", "dataset/validated.tsv", "dataset/clips", "13.0"),
    *(
        _Delta(f"shubhra-cv/{name}", f"{folder}/en/validated.tsv", f"{folder}/en/validated_clips", release)
        for name, folder, release in (
            ("18", "cv-corpus-18.0-delta-2024-06-14", "18.0"),
            ("19", "cv-corpus-19.0-delta-2024-09-13", "19.0"),
            ("17", "cv-corpus-20.0-delta-2024-12-06", "20.0"),
        )
    ),
    _Delta("puri-gagan/speechdataset", "validated.tsv", "clips", "3 or 4"),
)


def _rows(repository: Repository, path: str) -> list[dict[str, str]]:
    """Rows of a release's table, missing fields empty."""
    table = csv.DictReader(io.StringIO(repository.text(path)), delimiter="\t", quoting=csv.QUOTE_NONE)
    return [{key: value or "" for key, value in row.items() if key} for row in table]


def _add_english(draft: Draft, repository: Repository, path: str, row: dict[str, str], **labels: str) -> None:
    draft.add(
        repository,
        path,
        f"{draft.name}/{row['path'].removesuffix('.mp3')}",
        text=row["sentence"],
        speaker=f"cv-{row['client_id'][:12]}",
        lang="en",
        age=row.get("age"),
        **labels,
    )


def _fill_cv_en(draft: Draft, open_: Open) -> Split:
    repository = open_(SAMPLE)
    for row in _rows(repository, "en/validated.tsv"):
        path = f"en/clips/{row['path']}"
        if path in repository:
            _add_english(draft, repository, path, row, gender=row.get("gender", ""), accent=row.get("accent", ""))
    return lambda row: "test"


def _fill_cv_delta(draft: Draft, open_: Open) -> Split:
    tested = {row["client_id"] for row in _rows(open_(SAMPLE), "en/validated.tsv")}
    for delta in DELTAS:
        repository = open_(delta.repository)
        for row in _rows(repository, delta.table):
            path = f"{delta.clips}/{row['path']}"
            if path not in repository or int(row["up_votes"]) - int(row["down_votes"]) < 1:
                continue
            if row["client_id"] in tested:  # they are test speakers in cv_en
                draft.drop("speaker of cv_en")
                continue
            gender = row.get("gender", "").split("_")[0]
            labels = {"gender": gender, "accent": row.get("accents", ""), "release": delta.release}
            _add_english(draft, repository, path, row, **labels)
    weights, clips = seconds_by_speaker(draft.rows), _clips(draft)
    held = by_weight({name: weights[name] for name in weights if clips[name] <= 40}, "cv_delta", 0.25, 0.10)
    return lambda row: held.get(row["speaker"], "train")


def _fill_cv_v1(draft: Draft, open_: Open) -> Split:
    # later releases hold the clips and speakers of this one: no sentence of theirs, so that no clip is in both
    tables = [(SAMPLE, "en/validated.tsv"), *((delta.repository, delta.table) for delta in DELTAS)]
    known = {bare(row["sentence"]) for name, table in tables for row in _rows(open_(name), table)}
    repository = open_(FIRST)
    for row in csv.DictReader(io.StringIO(repository.text("asr/cv-valid-dev.csv"))):
        sentence = bare(row["text"])
        if sentence in known or fingerprint(sentence) in reserved_sentences():
            draft.drop("sentence of another pack")
        elif int(row["up_votes"]) > int(row["down_votes"]):
            name = row["filename"].rsplit("/", 1)[-1]
            labels = {key: row[key] for key in ("age", "gender", "accent")}
            clip = f"cv_v1/{name.removesuffix('.mp3')}"
            draft.add(repository, f"asr/cv-valid-dev/{name}", clip, text=row["text"], lang="en", **labels)
    return all_train


def _clips(draft: Draft) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in draft.rows:
        counts[row["speaker"]] = counts.get(row["speaker"], 0) + 1
    return counts


def _chinese_rows(repository: Repository, locale: str) -> Iterator[tuple[dict[str, str], str, str]]:
    """(row, text, text with punctuation) of a Chinese table; Japanese and unwritable sentences are left out."""
    for row in _rows(repository, f"{locale}/validated.tsv"):
        text, punctuated = chinese_text.normalise(row["sentence"])
        if chinese_text.count_han(text) and not re.search("[\u3040-\u30ff□]", row["sentence"]):
            yield row, text, punctuated


def _add_chinese(draft: Draft, repository: Repository, locale: str, skip: frozenset[str] = frozenset()) -> None:
    for row, text, punctuated in _chinese_rows(repository, locale):
        path = f"{locale}/clips/{row['path']}"
        if row["path"] in skip:
            continue
        if path not in repository:
            draft.drop("absent")
            continue
        accent, cantonese = row.get("accent") or row.get("accents") or "", locale == "zh-HK"
        labels = {key: row.get(key, "") for key in ("age", "gender")} | {"accent": PROVINCES.get(accent, accent)}
        if cantonese:
            labels["text_trad"] = chinese_text.without_marks(row["sentence"])
        draft.add(
            repository,
            path,
            row["path"].rsplit(".", 1)[0],
            text=text,
            pinyin=chinese_text.jyutping(labels["text_trad"]) if cantonese else chinese_text.pinyin(punctuated),
            speaker=f"cv{row['client_id'][:12]}",
            lang="yue" if cantonese else "zh",
            text_punct=punctuated,
            mixed=bool(re.search(f"[^{HAN}]", text)) or None,
            locale=None if draft.name == "cv_zh" else locale,
            **labels,
        )


def _fill_cv_zh(draft: Draft, open_: Open) -> Split:
    _add_chinese(draft, open_(MANDARIN), "zh-CN")
    return of_speakers(by_count(draft.rows, most=60))


def _fill_cv_rsample(draft: Draft, open_: Open) -> Split:
    whole, sample = open_(MANDARIN), open_(SAMPLE)
    known = frozenset(row["path"] for row in _rows(whole, "zh-CN/validated.tsv"))
    for locale in ("zh-CN", "zh-TW", "zh-HK"):
        _add_chinese(draft, sample, locale, known)
    split = by_count(draft.rows, 0.5, 0.1)
    # client ids are the same in both releases: a speaker of cv_zh keeps the split he has there
    big = Draft("cv_zh", draft.licence, CV_ZH_RULES, draft.scratch.with_name("cv_zh"))
    try:
        _add_chinese(big, whole, "zh-CN")
        split |= {speaker: part for speaker, part in by_count(big.rows, most=60).items() if speaker in split}
    finally:
        big.close()
    return of_speakers(split)


MAKERS = (
    Maker(
        "cv_zh",
        "Common Voice zh-CN read sentences, 244 speakers",
        (MANDARIN,),
        "CC0-1.0",
        _fill_cv_zh,
        CV_ZH_RULES,
    ),
    Maker(
        "cv_rsample",
        "Common Voice zh-CN, zh-TW and zh-HK (Cantonese), nearly one speaker a clip, mostly test",
        (SAMPLE, MANDARIN),
        "CC0-1.0",
        _fill_cv_rsample,
        Rules(seconds=(0.3, 30), min_peak=0.01, min_range=6, characters=(0.8, 9.5)),
    ),
    Maker(
        "cv_en",
        "Common Voice English, nearly one speaker a clip: test only",
        (SAMPLE,),
        "CC0-1.0 (Common Voice 6.1)",
        _fill_cv_en,
        Rules(letters=(2, 30)),
    ),
    Maker(
        "cv_delta",
        "Common Voice English, 320 speakers, many accents",
        (*(delta.repository for delta in DELTAS), SAMPLE),
        "CC0-1.0 (Common Voice, mostly delta segments 13.0, 18.0, 19.0, 20.0)",
        _fill_cv_delta,
        Rules(letters=(2, 30)),
    ),
    Maker(
        "cv_v1",
        "Common Voice 1 English, cv-valid-dev, many unnamed speakers",
        (FIRST, *(delta.repository for delta in DELTAS), SAMPLE),
        "CC0-1.0 (Common Voice 1)",
        _fill_cv_v1,
        Rules(letters=(2, 30)),
    ),
)
