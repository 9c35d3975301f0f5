"""Short English commands of many people and devices: orders with intents, wake words, single words."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath

from step_audio_mini.data.cache import to_float
from step_audio_mini.data.makers.draft import Draft, Rules
from step_audio_mini.data.makers.maker import Maker, Open
from step_audio_mini.data.makers.speaker_clusters import clusters, fingerprint
from step_audio_mini.data.makers.splits import Split, by_weight, of_speakers, seconds_by_speaker


def _guess_speakers(draft: Draft, count: int, name: str) -> None:
    """Give every row the name of its cluster as speaker."""
    groups = clusters([fingerprint(to_float(sound)) for sound in draft.sounds()], min(count, len(draft.rows)))
    for row, group in zip(draft.rows, groups, strict=True):
        row["speaker"] = name.format(group)


def _by_speaker(draft: Draft) -> Split:
    return of_speakers(by_weight(seconds_by_speaker(draft.rows), draft.name))


def _fill_sti(draft: Draft, open_: Open) -> Split:
    repository = open_("Picovoice/speech-to-intent-benchmark")
    labels = json.loads(repository.text("data/label/label.json"))
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
)
