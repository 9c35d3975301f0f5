"""English read aloud: native readers, learners and the voices to be spoken with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from step_audio_mini.data.makers.draft import Draft, Rules
from step_audio_mini.data.makers.maker import Maker, Open
from step_audio_mini.data.makers.repository import Repository
from step_audio_mini.data.makers.splits import (
    Row,
    Split,
    all_train,
    by_weight,
    digest,
    of_speakers,
    seconds_by_speaker,
)
from step_audio_mini.errors import UserError

DEEP_SPEAKER = "Walleclipse/Deep_Speaker-speaker_recognition_system"
DEEP_SPEAKER_CLIPS = "audio/LibriSpeechSamples/train-clean-100"
TEST_CLEAN = "hooria-malik/speech-preprocessing-librispeech"
LIBRI_SPLITS = {"libri-19": "train", "libri-27": "train", "libri-26": "test"}
"""Readers of the small pack `libri`; they keep their split in every larger one."""


def _table(text: str) -> dict[str, str]:
    """`key value` lines of a Kaldi file."""
    rows = (line.split(None, 1) for line in text.splitlines())
    return {row[0]: row[1].strip() for row in rows if len(row) == 2}


def _fill_so762(draft: Draft, open_: Open) -> Split:
    repository = open_("jimbozhang/speechocean762")
    for part in ("train", "test"):
        names = ("text", "utt2spk", "spk2age", "spk2gender", "wav.scp")
        text, speakers, age, gender, places = (_table(repository.text(f"{part}/{name}")) for name in names)
        for utterance in sorted(text):
            speaker = speakers[utterance]
            draft.add(
                repository,
                places[utterance],
                f"so762/{speaker}/{utterance}",
                text=text[utterance].lower(),
                speaker=f"so762-{speaker}",
                lang="en",
                age=int(age[speaker]),
                gender=gender[speaker],
                accent="Mandarin L1",
                official_split=part,
            )
    tested = by_weight(_official(draft, "test"), "so762", 0.20, 0.10)
    return lambda row: tested.get(row["speaker"], "train")


def _official(draft: Draft, part: str) -> Mapping[str, float]:
    """Seconds of the speakers of an official split."""
    return seconds_by_speaker(row for row in draft.rows if row["official_split"] == part)


def _fill_an4(draft: Draft, open_: Open) -> Split:
    repository = open_("cmusphinx/an4")
    for part, folder in (("train", "an4_clstk"), ("test", "an4test_clstk")):
        for line in repository.text(f"etc/an4_{part}.transcription").splitlines():
            found = re.match(r"(?:<s>)?\s*(.*?)\s*(?:</s>)?\s*\((\S+)\)", line)
            if not found:
                continue
            text, utterance = found.groups()
            speaker = utterance.split("-")[1]
            path = f"wav/{folder}/{speaker}/{utterance}.wav"
            if path not in repository:
                draft.drop("absent")
                continue
            draft.add(
                repository,
                path,
                f"an4/{speaker}/{utterance}",
                text=text.lower(),
                speaker=f"an4-{speaker}",
                lang="en",
                gender=speaker[0],
                official_split=part,
            )
    trained = by_weight(_official(draft, "train"), "an4", 0, 0.06)
    return lambda row: "test" if row["official_split"] == "test" else trained[row["speaker"]]


def _fill_kathleen(draft: Draft, open_: Open) -> Split:
    repository = open_("rhasspy/dataset-voice-kathleen")
    for path in repository.under("data", ".wav"):
        prompt = path.removesuffix(".wav") + ".txt"
        text = repository.text(prompt).strip() if prompt in repository else ""
        if not text:
            draft.drop("no text")
            continue
        name = PurePosixPath(path).stem
        labels = {"gender": "f", "accent": "US", "prompt": "_".join(name.split("_")[:2])}
        draft.add(repository, path, f"kathleen/{name}", text=text, speaker="kathleen", lang="en", **labels)

    def split(row: Row) -> str:  # prompts were partly read twice: the words decide, not the file
        place = digest("kathleen" + re.sub(r"\W", "", row["text"].lower())) % 100
        return "test" if place < 8 else "dev" if place < 12 else "train"

    return split


def _transcripts(repository: Repository) -> dict[str, str]:
    """Utterance to text from LibriSpeech's `*.trans.txt` files."""
    said: dict[str, str] = {}
    for path in repository.files:
        if path.endswith(".trans.txt") and not PurePosixPath(path).name.startswith("._"):
            said |= _table(repository.text(path))
    return said


def _fill_libri(draft: Draft, open_: Open) -> Split:
    repository = open_(DEEP_SPEAKER)
    said, done = _transcripts(repository), set()
    # some utterances lie there twice, as FLAC and as WAV: the first form wins
    for path in sorted(
        repository.under(DEEP_SPEAKER_CLIPS, ".flac", ".wav"), key=lambda p: (not p.endswith(".flac"), p)
    ):
        utterance = PurePosixPath(path).stem
        found = re.fullmatch(r"(\d+)-(\d+)-\d+", utterance)
        if found and utterance in said and utterance not in done:
            done.add(utterance)
            gender = {"19": "f", "26": "m", "27": "m"}.get(found[1])
            _add_libri(draft, repository, path, said[utterance], gender)
    return of_speakers(LIBRI_SPLITS)


def _add_libri(draft: Draft, repository: Repository, path: str, text: str, gender: str | None) -> None:
    utterance = PurePosixPath(path).stem
    reader, chapter, _ = utterance.split("-")
    labels = {"utt": utterance, "book_chapter": chapter, "gender": gender}
    clip = f"{draft.name}/{reader}/{utterance}"
    draft.add(repository, path, clip, text=text.lower(), speaker=f"libri-{reader}", lang="en", **labels)


def _genders(repository: Repository, root: str) -> dict[str, str]:
    """Reader to `f` or `m` from LibriSpeech's SPEAKERS.TXT."""
    readers = (line.split("|") for line in repository.text(f"{root}/SPEAKERS.TXT").splitlines() if line[:1] != ";")
    return {fields[0].strip(): fields[1].strip().lower() for fields in readers if len(fields) > 3}


def _fill_libri_mini(draft: Draft, open_: Open) -> Split:
    repository, root = open_("zhangrui0712/Voice-Age"), "LibriSpeech"
    other = {PurePosixPath(path).stem for path in open_(DEEP_SPEAKER).under(DEEP_SPEAKER_CLIPS)}
    gender, said = _genders(repository, root), _transcripts(repository)
    for path in repository.under(f"{root}/train-clean-5", ".flac"):
        utterance = PurePosixPath(path).stem
        if utterance in other:
            draft.drop("in libri")
            continue
        _add_libri(draft, repository, path, said[utterance], gender.get(utterance.split("-")[0]))
    split = dict(LIBRI_SPLITS)
    for kind in "fm":
        rows = (row for row in draft.rows if row.get("gender") == kind and row["speaker"] not in LIBRI_SPLITS)
        split |= by_weight(seconds_by_speaker(rows), f"libri_mini{kind}")
    return of_speakers(split)


def _fill_libri_test_clean(draft: Draft, open_: Open) -> Split:
    repository, root = open_(TEST_CLEAN), "test-clean/LibriSpeech"
    gender, said = _genders(repository, root), _transcripts(repository)
    for path in repository.under(f"{root}/test-clean", ".flac"):
        utterance = PurePosixPath(path).stem
        _add_libri(draft, repository, path, said[utterance], gender.get(utterance.split("-")[0]))
    return of_speakers(by_weight(seconds_by_speaker(draft.rows), draft.name, test=0, dev=0.04))


def _fill_libri_four(draft: Draft, open_: Open) -> Split:
    repository = open_("Jenny-Smolensky/LibriSpeechFilesParser")
    said = _transcripts(repository)
    for path in repository.under("sample_data_libriSpeech/audio", ".flac"):
        _add_libri(draft, repository, path, said[PurePosixPath(path).stem], None)
    return all_train


def _fill_ljread_pm(draft: Draft, open_: Open) -> Split:
    repository, root = open_("PhilippMatthes/dc_tts"), "LJSpeech-1.1"
    lines = (line.split("|") for line in repository.text(f"{root}/transcript.csv").splitlines())
    said = {fields[0]: fields[2].strip() for fields in lines if len(fields) >= 3}
    for path in repository.under(f"{root}/wavs", ".wav"):
        name = PurePosixPath(path).stem
        if name in said:
            draft.add(repository, path, f"ljread_pm/{name}", text=said[name], speaker="pm", lang="en", gender="m")
    return all_train


def _fill_lj(draft: Draft, open_: Open) -> Split:
    repository, root = open_("PrernaSocity/lj_speech_dataset_part_1"), "LJSpeech-1.1"
    lines = (line.split("|") for line in repository.text(f"{root}/metadata.csv").splitlines())
    said = {fields[0]: fields for fields in lines if len(fields) >= 3}
    for path in repository.under(f"{root}/wavs", ".wav"):
        name = PurePosixPath(path).stem
        if name in said:
            _, raw, text = said[name][:3]
            labels = {"raw_text": raw, "gender": "f", "accent": "US"}
            draft.add(repository, path, f"lj_part1/{name}", text=text.strip(), speaker="lj", lang="en", **labels)
    if not draft.rows:
        raise UserError("the clone of PrernaSocity/lj_speech_dataset_part_1 holds no clips; clone it again")
    # in the order of the book: later chapters are held out
    place = {name: index / len(draft.rows) for index, name in enumerate(sorted(row["id"] for row in draft.rows))}
    return lambda row: "test" if place[row["id"]] >= 0.92 else "dev" if place[row["id"]] >= 0.88 else "train"


MAKERS = (
    Maker(
        "so762",
        "speechocean762: English by 250 Mandarin speakers, half of them children",
        ("jimbozhang/speechocean762",),
        "free for commercial and non-commercial use (README); CC BY 4.0 at openslr.org/101",
        _fill_so762,
        Rules(letters=(1.5, 25)),
    ),
    Maker(
        "an4",
        "spelling, digits and addresses by 84 speakers",
        ("cmusphinx/an4",),
        "BSD-like, free for any use (LICENSE, Carnegie Mellon 1991-2005)",
        _fill_an4,
        Rules(letters=(1, 30)),
    ),
    Maker(
        "kathleen",
        "one US woman reading CMU ARCTIC prompts, 24 kHz",
        ("rhasspy/dataset-voice-kathleen",),
        "CC0-1.0 (LICENSE)",
        _fill_kathleen,
        Rules(rate=24_000, letters=(3, 25)),
    ),
    Maker(
        "libri",
        "LibriSpeech chapters by three readers",
        (DEEP_SPEAKER,),
        "CC BY 4.0 (LibriSpeech)",
        _fill_libri,
        Rules(letters=(5, 28)),
    ),
    Maker(
        "libri_mini",
        "mini LibriSpeech train-clean-5: 26 native readers",
        ("zhangrui0712/Voice-Age", DEEP_SPEAKER),
        "CC BY 4.0 (LibriSpeech/LICENSE.TXT)",
        _fill_libri_mini,
        Rules(letters=(5, 28)),
    ),
    Maker(
        "libri_test_clean",
        "LibriSpeech test-clean: 40 native readers, to learn from; results on test-clean then mean nothing",
        (TEST_CLEAN,),
        "CC BY 4.0 (LibriSpeech/LICENSE.TXT)",
        _fill_libri_test_clean,
        Rules(letters=(5, 28)),
    ),
    Maker(
        "libri_four",
        "LibriSpeech train-clean-100: four more readers",
        ("Jenny-Smolensky/LibriSpeechFilesParser",),
        "CC BY 4.0 (LibriSpeech)",
        _fill_libri_four,
        Rules(letters=(5, 28)),
    ),
    Maker(
        "ljread_pm",
        "sentences of LJSpeech by one man at a laptop, 24 kHz",
        ("PhilippMatthes/dc_tts",),
        "Apache-2.0 (LICENSE)",
        _fill_ljread_pm,
        Rules(rate=24_000, letters=(5, 25)),
    ),
    Maker(
        "lj_part1",
        "LJSpeech, the first 385 clips, one woman, 24 kHz",
        ("PrernaSocity/lj_speech_dataset_part_1",),
        "public domain (LJSpeech-1.1/README)",
        _fill_lj,
        Rules(rate=24_000, letters=(5, 25)),
    ),
)
