"""Short English commands of many people and devices: orders with intents, wake words, single words."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import PurePosixPath

from step_audio_mini.data.cache import to_float
from step_audio_mini.data.makers.draft import Draft, Rules
from step_audio_mini.data.makers.maker import Maker, Open
from step_audio_mini.data.makers.repository import Repository, Tree
from step_audio_mini.data.makers.speaker_clusters import clusters, fingerprint
from step_audio_mini.data.makers.splits import Split, all_train, by_weight, of_speakers, seconds_by_speaker

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LABELS = "data/label/label.json"
"""Intent and slots of every coffee order."""
WAKE_WORDS = {
    "athena/en": "athena",
    "amelia/en": "amelia",
    "heycomputer/en": "hey computer",
}
"""Folders of Precise-Community-Data whose clips all say the same; `computer` is left out: `wakeword` tests it."""


def _guess_speakers(draft: Draft, count: int, name: str) -> None:
    """Give every row the name of its cluster as speaker."""
    groups = clusters([fingerprint(to_float(sound)) for sound in draft.sounds()], min(count, len(draft.rows)))
    for row, group in zip(draft.rows, groups, strict=True):
        row["speaker"] = name.format(group)


def _by_speaker(draft: Draft) -> Split:
    return of_speakers(by_weight(seconds_by_speaker(draft.rows), draft.name))


def _fill_sti(draft: Draft, open_: Open) -> Split:
    return fill_orders(draft, open_("Picovoice/speech-to-intent-benchmark"))


def fill_orders(draft: Draft, repository: Tree) -> Split:
    """Add Picovoice's coffee orders, of a clone or of a folder with the same files."""
    labels = json.loads(repository.text(LABELS))
    for path in repository.under("data/speech/clean", ".wav"):
        name = PurePosixPath(path).name
        if name not in labels:
            draft.drop("no label")
            continue
        order = {"intent": labels[name]["intent"], "slots": labels[name]["slots"]}
        draft.add(repository, path, f"sti/{name.removesuffix('.wav')}", lang="en", **order)
    _guess_speakers(draft, 55, "sti-guess{:02d}")
    return _by_speaker(draft)


def _fill_wakeword(draft: Draft, open_: Open) -> Split:
    repository = open_("Picovoice/wake-word-benchmark")
    for path in repository.files:
        found = re.fullmatch(r"audio/([a-z ]+)/([^/]+)\.(wav|flac)", path)
        if found:
            clip = f"wakeword/{found[1].replace(' ', '_')}/{found[2]}"
            draft.add(repository, path, clip, text=found[1], lang="en")
    _guess_speakers(draft, 120, "ww-guess{:03d}")
    return _by_speaker(draft)


def _fill_gsc3(draft: Draft, open_: Open) -> Split:
    repository = open_("manashmandal/DeadSimpleSpeechRecognizer")
    for path in repository.files:
        found = re.fullmatch(r"data/(bed|cat|happy)/([0-9a-f]{8})_nohash_(\d+)\.wav", path)
        if found:
            word, speaker, number = found.groups()
            clip = f"gsc3/{word}/{speaker}_{number}"
            draft.add(repository, path, clip, text=word, speaker=f"gsc-{speaker}", lang="en")
    return _by_speaker(draft)


def _fill_fsdd(draft: Draft, open_: Open) -> Split:
    repository = open_("Jakobovski/free-spoken-digit-dataset")
    for path in repository.files:
        found = re.fullmatch(r"recordings/(\d)_([a-z]+)_(\d+)\.wav", path)
        if found:
            digit, speaker, number = found.groups()
            clip = f"fsdd/{speaker}/{digit}_{number}"
            draft.add(repository, path, clip, text=DIGITS[int(digit)], speaker=f"fsdd-{speaker}", lang="en")
    return all_train


def _fill_keywords_hymel(draft: Draft, open_: Open) -> Split:
    repository = open_("ShawnHymel/custom-speech-commands-dataset")
    for path in repository.files:
        found = re.fullmatch(r"custom_keywords/([a-z_]+)/([^/]+)\.wav", path)
        if found:
            clip = f"keywords_hymel/{found[1]}/{re.sub(r'[^A-Za-z0-9_-]', '_', found[2])}"
            draft.add(repository, path, clip, text=found[1].replace("_", " "), lang="en")
    _guess_speakers(draft, 40, "hymel-guess{:02d}")
    return all_train


def _given_away(repository: Repository) -> dict[str, str]:
    """File name to contributor, for the files that a signed licence file gives to the public domain."""
    given: dict[str, str] = {}
    for path in repository.under("licenses", ".txt"):
        found = re.fullmatch(r"licenses/license-\d+-(.+)\.txt", path)
        lines = (line.strip() for line in repository.text(path).splitlines()) if found else ()
        given |= {PurePosixPath(line).name: found[1] for line in lines if found and line.endswith(".wav")}
    return given


def _fill_precise(draft: Draft, open_: Open) -> Split:
    repository = open_("MycroftAI/Precise-Community-Data")
    table = csv.reader(io.StringIO(repository.text("not-wake-words/en/metadata.csv")))
    said = {f"not-wake-words/en/{row[0].strip()}": row[1].strip().lower() for row in table if row[2:3] == ["en"]}
    given = _given_away(repository)
    for path in repository.files:
        place = PurePosixPath(path)
        text = said.get(path) or (WAKE_WORDS.get(str(place.parent)) if place.suffix == ".wav" else None)
        if text is None:
            continue
        if place.name not in given:
            draft.drop("no licence line")
            continue
        clip = f"precise/{str(place.parent).replace('/', '_')}/{place.stem}"
        draft.add(repository, path, clip, text=text, lang="en", contributor=given[place.name])
    _guess_speakers(draft, 60, "precise-guess{:02d}")
    return all_train


MAKERS = (
    Maker(
        "sti",
        "coffee orders with intent and slots, over 50 speakers, no transcripts",
        ("Picovoice/speech-to-intent-benchmark",),
        "Apache-2.0 (LICENSE)",
        _fill_sti,
    ),
    Maker(
        "wakeword",
        "six wake words, over 50 speakers",
        ("Picovoice/wake-word-benchmark",),
        "Apache-2.0 (LICENSE)",
        _fill_wakeword,
        Rules(seconds=(0.15, 15)),
    ),
    Maker(
        "gsc3",
        "three words by 1,732 speakers on their own devices",
        ("manashmandal/DeadSimpleSpeechRecognizer",),
        "CC BY 4.0 (Google Speech Commands v0.01)",
        _fill_gsc3,
    ),
    Maker(
        "fsdd",
        "digits by six men, from 8 kHz",
        ("Jakobovski/free-spoken-digit-dataset",),
        "CC BY-SA 4.0 (README)",
        _fill_fsdd,
    ),
    Maker(
        "keywords_hymel",
        "ten phrases of a crowd",
        ("ShawnHymel/custom-speech-commands-dataset",),
        "CC BY 4.0 (README)",
        _fill_keywords_hymel,
        Rules(seconds=(0.15, 15)),
    ),
    Maker(
        "precise",
        "wake words and short phrases of a crowd",
        ("MycroftAI/Precise-Community-Data",),
        "public domain (licenses/*.txt, per file)",
        _fill_precise,
        Rules(seconds=(0.15, 15), min_peak=0.02),
    ),
)
