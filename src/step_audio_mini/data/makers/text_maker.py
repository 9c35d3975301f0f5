"""What a text pack's recipe is: clones in, gzip files of sentences, lexicons or dialogues out, one file a split."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from step_audio_mini.data.makers.maker import Open
from step_audio_mini.data.makers.repository import Repository
from step_audio_mini.data.packs import SPLITS, Clip
from step_audio_mini.errors import UserError

Line = str | Mapping[str, Any]
"""A line of a file: as it is, or an object that becomes JSON."""


def place_of(text: str) -> int:
    """The first 32 bits of a text's SHA-1: what splits are drawn by."""
    return int(hashlib.sha1(text.encode()).hexdigest()[:8], 16)


def split_of(key: str, dev: int = 5, test: int = 5) -> str:
    """Split of a key, in per cent."""
    place = place_of(key) % 100
    return "test" if place < test else "dev" if place < test + dev else "train"


def bare(text: str) -> str:
    """Letters, digits and characters of a sentence, lower case: what two writings of one sentence share."""
    return re.sub(r"\W", "", unicodedata.normalize("NFKC", text).lower())


def fingerprint(sentence: str) -> str:
    """SHA-1 of a bare sentence: what a list of forbidden sentences holds, so that it tells none of them."""
    return hashlib.sha1(sentence.encode()).hexdigest()


@cache
def reserved_sentences() -> frozenset[str]:
    """Fingerprints of the transcripts of clips that no pack holds."""
    return frozenset((files("step_audio_mini.data.makers") / "reserved_sentences.txt").read_text().split())


def held_out(clips: Iterable[Clip]) -> frozenset[str]:
    """Dev and test transcripts of recordings, bare: no language model may learn them."""
    held = [clip for clip in clips if clip.split != "train"]
    return frozenset(bare(text) for clip in held for text in (clip.text, clip.labels.get("text_trad")) if text)


class TextFiles:
    """The files of a text pack in the making. `forbidden` holds bare sentences that no train file may hold."""

    def __init__(self, folder: Path, forbidden: frozenset[str]) -> None:
        self._folder, self._forbidden = folder, forbidden
        self.rows: dict[str, int] = {}
        """Lines of each file."""

    def put(self, name: str, lines: Iterable[Line]) -> None:
        """Write one file, `<name>.gz`; the same lines give the same bytes."""
        text = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
        content = "".join(f"{line}\n" for line in text).encode()
        (self._folder / f"{name}.gz").write_bytes(gzip.compress(content, 9, mtime=0))
        self.rows[name] = len(text)

    def _is_forbidden(self, sentence: str) -> bool:
        return sentence in self._forbidden or fingerprint(sentence) in reserved_sentences()

    def by_split(self, stem: str, pairs: Iterable[tuple[str, Line]], ending: str = "jsonl") -> None:
        """Write `<stem>.<split>.<ending>`; a sentence of a harder split never stays in an easier one."""
        lines: dict[str, list[Line]] = {split: [] for split in SPLITS}
        for split, line in pairs:
            lines[split].append(line)
        harder: set[tuple[str, str]] = set()
        for split in reversed(SPLITS):
            keys = [_sentence(line) for line in lines[split]]
            kept = [
                (key, line)
                for key, line in zip(keys, lines[split], strict=True)
                if not key[1] or (key not in harder and not (split == "train" and self._is_forbidden(key[1])))
            ]
            harder |= {key for key, _ in kept if key[1]}
            if kept:
                self.put(f"{stem}.{split}.{ending}", (line for _, line in kept))


def _sentence(line: Line) -> tuple[str, str]:
    """(language, bare sentence) of a line that is one sentence; an empty sentence for any other line."""
    if isinstance(line, str):
        _, tab, text = line.partition("\t")
        return "", bare(text) if tab and "\t" not in text else ""
    return str(line.get("lang", "")), bare(str(line.get("text") or line.get("q") or ""))


@dataclass(frozen=True)
class TextMaker:
    """How one text pack is made."""

    name: str
    what: str
    repositories: tuple[str, ...]
    """`owner/name`, or `owner/name@commit` where the newest commit no longer holds the files."""
    licence: str
    fill: Callable[[TextFiles, Open], None]


def make_text(maker: TextMaker, mirror: Path, out: Path, forbidden: frozenset[str]) -> tuple[Path, dict[str, int]]:
    """Make a text pack as `out/<name>`, whole or not at all; gives the folder and the lines of each file."""
    target, beside = out / maker.name, out / f".{maker.name}.{os.getpid()}"
    try:
        with ExitStack() as stack:
            clones = {name: stack.enter_context(Repository(mirror, *name.split("@"))) for name in maker.repositories}
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir(parents=True)
            made = TextFiles(beside, forbidden)
            maker.fill(made, clones.__getitem__)
            sources = [f"{clone.name}@{clone.commit}" for clone in clones.values()]
            facts = {"licence": maker.licence, "sources": sources, "lines": made.rows}
            (beside / "sources.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", "utf-8")
        shutil.rmtree(target, ignore_errors=True)
        beside.rename(target)
    except OSError as wrong:
        raise UserError(f"{target} cannot be written ({wrong.strerror}); choose another folder") from wrong
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return target, made.rows
