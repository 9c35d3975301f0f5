"""Packs from corpora as their owners hand them out, in their own layouts and with their own splits."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from step_audio_mini.data.makers import chinese_text
from step_audio_mini.data.makers.commands import LABELS, fill_orders
from step_audio_mini.data.makers.draft import Draft, Rules
from step_audio_mini.data.makers.maker import write_pack
from step_audio_mini.data.makers.repository import Folder
from step_audio_mini.data.makers.splits import Row, Split
from step_audio_mini.errors import UserError

MANDARIN = Rules(seconds=(0.3, 30), min_peak=0.01, min_range=6, characters=(1, 9))


@dataclass(frozen=True)
class Corpus:
    """How a corpus is read."""

    name: str
    licence: str
    looks_like: str
    """What its folder holds, for the message when it does not."""
    fill: Callable[[Draft, Folder], Split]
    """Adds the clips and says how they are split; a row may tell the `subset` that its corpus reports on its own."""
    rules: Rules


def make_official(corpus: Corpus, folder: Path, out: Path, kbps: float = 0.0) -> tuple[Path, Draft]:
    """Make the pack `out/<name>` from an unpacked corpus; its official splits are kept."""

    def fill(draft: Draft) -> Split:
        split = corpus.fill(draft, Folder(folder, corpus.name))
        if not draft.rows:
            raise UserError(f"{folder} does not look like {corpus.name}: it should hold {corpus.looks_like}")
        return split

    return write_pack(corpus.name, corpus.licence, corpus.rules, fill, out, kbps=kbps)


def _official(row: Row) -> str:
    return str(row["official_split"])


def _fill_librispeech(draft: Draft, folder: Folder) -> Split:
    gender: dict[str, str] = {}
    for table in folder.find("**/SPEAKERS.TXT"):
        rows = (line.split("|") for line in folder.text(table).splitlines() if not line.startswith(";"))
        gender |= {fields[0].strip(): fields[1].strip().lower() for fields in rows if len(fields) > 3}
    for transcript in folder.find("**/*.trans.txt"):
        place = PurePosixPath(transcript).parent
        reader, chapter, subset = place.parts[-2], place.parts[-1], place.parts[-3] if len(place.parts) > 2 else ""
        for line in folder.text(transcript).splitlines():
            utterance, _, text = line.partition(" ")
            labels = {"gender": gender.get(reader), "book_chapter": chapter}
            labels |= {"subset": subset, "official_split": subset.split("-")[0]}
            path = f"{place}/{utterance}.flac"
            clip = f"librispeech/{utterance}"
            draft.add(folder, path, clip, text=text.lower(), speaker=f"libri-{reader}", lang="en", **labels)
    return _official


def _fill_aishell1(draft: Draft, folder: Folder) -> Split:
    said: dict[str, str] = {}
    for table in folder.find("**/aishell_transcript_v0.8.txt"):
        for line in folder.text(table).splitlines():
            utterance, _, text = line.partition(" ")
            said[utterance] = text.replace(" ", "")
    for path in folder.find("**/wav/*/S*/*.wav"):
        place = PurePosixPath(path)
        if place.stem in said:
            _add_mandarin(draft, folder, path, said[place.stem], place.parts[-2], place.parts[-3])
    return _official


def _fill_aishell3(draft: Draft, folder: Folder) -> Split:
    for table in folder.find("**/content.txt"):
        place = PurePosixPath(table).parent
        for line in folder.text(table).splitlines():
            name, _, rest = line.strip().partition("\t")
            speaker = name[:7]  # SSB0005 of SSB00050001.wav
            text = "".join(rest.split()[::2])  # characters and their pinyin in turn
            _add_mandarin(draft, folder, f"{place}/wav/{speaker}/{name}", text, speaker, place.name)
    return _official


def _fill_thchs30(draft: Draft, folder: Folder) -> Split:
    for split in ("train", "dev", "test"):
        for listed in folder.find(f"**/{split}/*.wav.trn"):
            # the folders of the splits hold links, or the names of links: sounds and texts are all in data/
            place = PurePosixPath(listed)
            sound = place.parent.parent / "data" / place.name.removesuffix(".trn")
            characters, *_ = [*folder.text(f"{sound}.trn").splitlines(), ""]
            speaker = f"thchs30-{sound.name.partition('_')[0]}"
            _add_mandarin(draft, folder, str(sound), "".join(characters.split()), speaker, split)
    return _official


def _fill_sti(draft: Draft, folder: Folder) -> Split:
    if not folder.find(LABELS):
        return _official
    return fill_orders(draft, folder)  # it names no splits: those of the pack that is made from a clone


def _add_mandarin(draft: Draft, folder: Folder, path: str, raw: str, speaker: str, split: str) -> None:
    text, punctuated = chinese_text.normalise(raw)
    said = {"text": text, "text_punct": punctuated, "pinyin": chinese_text.pinyin(punctuated)}
    clip = f"{draft.name}/{PurePosixPath(path).stem}"
    draft.add(folder, path, clip, speaker=speaker, lang="zh", official_split=split, **said)


def _fill_common_voice(draft: Draft, folder: Folder) -> Split:
    for split in ("train", "dev", "test"):
        for table in folder.find(f"**/{split}.tsv"):
            place = PurePosixPath(table).parent
            language = place.name[:2]
            content = folder.text(table)
            for row in csv.DictReader(io.StringIO(content), delimiter="\t", quoting=csv.QUOTE_NONE):
                said = {"text": row["sentence"]}
                if language == "zh":
                    text, punctuated = chinese_text.normalise(row["sentence"])
                    said = {"text": text, "text_punct": punctuated, "pinyin": chinese_text.pinyin(punctuated)}
                labels = {name: row.get(name) for name in ("age", "gender")} | {"subset": place.name}
                draft.add(
                    folder,
                    f"{place}/clips/{row['path']}",
                    f"common_voice/{row['path'].rsplit('.', 1)[0]}",
                    speaker=f"{'cv' if language == 'zh' else 'cv-'}{row['client_id'][:12]}",
                    lang=language,
                    official_split=split,
                    **said,
                    **labels,
                )
    return _official


CORPORA = {
    corpus.name: corpus
    for corpus in (
        Corpus(
            "librispeech",
            "CC BY 4.0 (LibriSpeech)",
            "<subset>/<reader>/<chapter>/*.flac and *.trans.txt",
            _fill_librispeech,
            Rules(letters=(5, 28)),
        ),
        Corpus(
            "aishell1",
            "Apache-2.0 (AISHELL-1)",
            "transcript/aishell_transcript_v0.8.txt and wav/<split>/<speaker>/*.wav",
            _fill_aishell1,
            MANDARIN,
        ),
        Corpus(
            "aishell3",
            "Apache-2.0 (AISHELL-3)",
            "<split>/content.txt and <split>/wav/<speaker>/*.wav",
            _fill_aishell3,
            Rules(rate=24_000, seconds=(0.3, 30), min_peak=0.01, min_range=6, characters=(1, 9)),
        ),
        Corpus(
            "thchs30",
            "Apache-2.0 (THCHS-30)",
            "data/*.wav and *.wav.trn, and their names in train, dev and test",
            _fill_thchs30,
            MANDARIN,
        ),
        Corpus("sti", "Apache-2.0 (LICENSE)", f"{LABELS} and data/speech/clean/*.wav", _fill_sti, Rules()),
        Corpus(
            "common_voice",
            "CC0-1.0 (Common Voice)",
            "<locale>/train.tsv, dev.tsv, test.tsv and <locale>/clips/",
            _fill_common_voice,
            Rules(min_peak=0.01),
        ),
    )
}
"""Corpora by the name of the pack that is made of them."""
