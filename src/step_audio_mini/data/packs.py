"""Reads packs (tar shards and one manifest), so that every room sees the same clips, splits and licences."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from step_audio_mini.errors import UserError
from step_audio_mini.types import Samples

MANIFEST = "manifest.jsonl.gz"
"""Name of a pack's manifest: one JSON object a clip."""
SPLITS = ("train", "dev", "test")
"""A clip is in exactly one of these; test is never trained on, tuned on, or used for a language model."""

_OWN_FIELDS = frozenset({"id", "text", "pinyin", "speaker", "lang", "seconds", "split", "licence", "source"})


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording of a pack and all that is known about it. Missing text fields are empty strings."""

    id: str
    pack: str
    """Name of the pack's folder; `(pack, id)` is unique."""
    split: str
    """train, dev or test."""
    seconds: float
    licence: str
    source: str
    """`repository@commit:path` of the original."""
    text: str = ""
    pinyin: str = ""
    """Lexical pinyin, `ni3 hao3`: tone 5 is neutral, `v` is ü, no sandhi."""
    speaker: str = ""
    lang: str = ""
    """zh, en or yue; empty for noise and rooms."""
    labels: Mapping[str, Any] = field(default_factory=dict)
    """All other fields of the manifest: gender, age, accent, intent, slots, noise_type, rt60, shard, member, ..."""


def clip_from_row(row: Mapping[str, Any], pack: str) -> Clip:
    """A clip from one manifest object; KeyError, TypeError or ValueError where a field is missing or wrong."""
    split = str(row["split"])
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is none of {', '.join(SPLITS)}")
    labels = {key: value for key, value in row.items() if key not in _OWN_FIELDS}
    if isinstance(labels.get("slots"), dict):
        labels["slots"] = {k: v.strip() if isinstance(v, str) else v for k, v in labels["slots"].items()}
    words = {key: str(row.get(key) or "") for key in ("text", "pinyin", "speaker", "lang")}
    return Clip(
        id=str(row["id"]),
        pack=pack,
        split=split,
        seconds=float(row["seconds"]),
        licence=str(row["licence"]),
        source=str(row["source"]),
        labels=labels,
        **words,
    )


def row_from_clip(clip: Clip) -> dict[str, Any]:
    """The manifest object of a clip: the inverse of `clip_from_row`, empty fields left out."""
    row: dict[str, Any] = {"id": clip.id, "split": clip.split, "seconds": clip.seconds}
    row |= {key: value for key in ("text", "pinyin", "speaker", "lang") if (value := getattr(clip, key))}
    return row | {"licence": clip.licence, "source": clip.source} | dict(clip.labels)


def read_manifest(folder: Path) -> list[Clip]:
    """All clips of a pack in the manifest's order; UserError names the file and line that is wrong."""
    path = folder / MANIFEST
    if not path.is_file():
        raise UserError(f"{folder} is no pack: {MANIFEST} is missing; give a folder made by `step-audio prepare`")
    clips: list[Clip] = []
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    clips.append(clip_from_row(json.loads(line), folder.name))
                except (KeyError, TypeError, ValueError, AttributeError) as wrong:
                    raise UserError(f"{path} line {number}: {_reason(wrong)}; build the pack again") from wrong
    except (OSError, EOFError, UnicodeDecodeError) as wrong:
        raise UserError(f"{path} cannot be read ({wrong}); build the pack again") from wrong
    return clips


def _reason(wrong: Exception) -> str:
    return f"field {wrong} is missing" if isinstance(wrong, KeyError) else str(wrong)


class Pack:
    """An open pack: its clips and their sound. One shard is open at a time, so reading in manifest order is quick."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name
        self.clips = read_manifest(folder)
        self._shard: tuple[str, tarfile.TarFile] | None = None

    def __enter__(self) -> Pack:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the open shard; reading again opens it again."""
        if self._shard is not None:
            self._shard[1].close()
            self._shard = None

    def read(self, clip: Clip) -> tuple[Samples, int]:
        """Sound of a clip, (n,) float32 within ±1, first channel, and its own sample rate in Hz."""
        shard, member = str(clip.labels.get("shard", "")), str(clip.labels.get("member", ""))
        try:
            stream = self._open(shard).extractfile(member)
            if stream is None:
                raise KeyError(member)
            wave, rate = sf.read(io.BytesIO(stream.read()), dtype="float32", always_2d=True)
        except (OSError, KeyError, tarfile.TarError, sf.SoundFileError) as wrong:
            raise UserError(
                f"clip {clip.id} cannot be read from {self.folder / shard} ({wrong}); build the pack again"
            ) from wrong
        return np.ascontiguousarray(wave[:, 0]), int(rate)

    def _open(self, shard: str) -> tarfile.TarFile:
        if self._shard is None or self._shard[0] != shard:
            if Path(shard).name != shard:  # a manifest may not point outside its folder
                raise KeyError(shard)
            self.close()
            self._shard = (shard, tarfile.open(self.folder / shard))  # noqa: SIM115 - closed by close()
        return self._shard[1]


def find_packs(roots: Iterable[Path]) -> dict[str, Path]:
    """Pack folders by name, at most two levels below each root (or a root itself); later roots replace same names."""
    found: dict[str, Path] = {}
    for root in roots:
        if not root.is_dir():
            raise UserError(f"{root} is no folder; give folders that hold packs")
        # two levels by name, not a walk: packs that lie elsewhere and are linked here count too
        patterns = (MANIFEST, f"*/{MANIFEST}", f"*/*/{MANIFEST}")
        found |= {path.parent.name: path.parent for pattern in patterns for path in sorted(root.glob(pattern))}
    return found


def check_replacement(shipped: Iterable[Clip], built: Iterable[Clip]) -> None:
    """UserError unless every clip of `shipped` keeps its split in `built`: a bigger pack must not move test clips."""
    splits = {clip.id: clip.split for clip in built}
    for clip in shipped:
        now = splits.get(clip.id)
        if now != clip.split:
            moved = f"was {clip.split}, now {now or 'missing'}"
            raise UserError(f"pack {clip.pack}: clip {clip.id} {moved}; build the pack again")


def of_split(clips: Iterable[Clip], split: str) -> Iterator[Clip]:
    """The clips of one split, in order."""
    return (clip for clip in clips if clip.split == split)
