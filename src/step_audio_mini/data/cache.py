"""Decodes packs once into a memory-mapped int16 file, because decoding costs more than all other work on a clip."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from step_audio_mini.data.packs import MANIFEST, Clip, Pack, clip_from_row, row_from_clip
from step_audio_mini.errors import UserError
from step_audio_mini.types import SAMPLE_RATE, Samples

CACHE_VERSION = 1
"""Raised when the layout changes: older caches are then built again."""
SOUND, CLIPS, META = "sound.i16", "clips.jsonl", "meta.json"

Progress = Callable[[str, int, int], None]
"""Called with pack name, clips done, clips in all."""


def to_int16(wave: Samples) -> NDArray[np.int16]:
    """(n,) float32 within ±1 -> (n,) int16, clipped; exact for sound that came from 16 bits."""
    scaled: Samples = np.clip(np.rint(wave * 32768.0), -32768, 32767)
    return scaled.astype(np.int16)


def to_float(samples: NDArray[np.int16]) -> Samples:
    """(n,) int16 -> (n,) float32 within ±1."""
    return samples.astype(np.float32) / np.float32(32768.0)


def build_cache(packs: Iterable[Path], out: Path, progress: Progress | None = None) -> list[Path]:
    """Decode each pack to `out/<pack>` at 16 kHz; packs whose manifest did not change are left as they are.

    A pack folder appears whole or not at all, so an interrupted build goes on where it stopped.
    """
    return [_build_pack(folder, out, progress or (lambda *_: None)) for folder in packs]


def _build_pack(folder: Path, out: Path, progress: Progress) -> Path:
    target = out / folder.name
    with Pack(folder) as pack:
        digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
        if _is_current(target, digest):
            progress(pack.name, len(pack.clips), len(pack.clips))
            return target
        beside = out / f".{folder.name}.{os.getpid()}"
        shutil.rmtree(beside, ignore_errors=True)
        try:
            beside.mkdir(parents=True)
            samples = _decode(pack, beside, progress)
            meta = {
                "version": CACHE_VERSION,
                "pack": pack.name,
                "rate": SAMPLE_RATE,
                "clips": len(pack.clips),
                "samples": samples,
                "manifest_sha256": digest,
                "soundfile": version("soundfile"),
                "soxr": version("soxr"),
            }
            (beside / META).write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")
            shutil.rmtree(target, ignore_errors=True)
            beside.rename(target)
        except OSError as wrong:
            raise UserError(f"cannot write the cache {target} ({wrong}); free space or give another folder") from wrong
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return target


def _is_current(target: Path, digest: str) -> bool:
    try:
        meta = json.loads((target / META).read_text(encoding="utf-8"))
        size = (target / SOUND).stat().st_size
    except (OSError, ValueError):
        return False
    known = (meta.get("version"), meta.get("manifest_sha256"), meta.get("samples"))
    return known == (CACHE_VERSION, digest, size // 2)


def _decode(pack: Pack, folder: Path, progress: Progress) -> int:
    """Write sound and clip list of a pack into `folder`; returns the number of samples."""
    offset = 0
    with (folder / SOUND).open("wb") as sound, (folder / CLIPS).open("w", encoding="utf-8") as rows:
        for done, clip in enumerate(pack.clips, 1):
            wave, rate = pack.read(clip)
            if rate != SAMPLE_RATE:
                wave = soxr.resample(wave, rate, SAMPLE_RATE).astype(np.float32)
            sound.write(to_int16(wave).tobytes())
            row = row_from_clip(clip) | {"offset": offset, "samples": len(wave)}
            rows.write(json.dumps(row, ensure_ascii=False) + "\n")
            offset += len(wave)
            if done % 100 == 0 or done == len(pack.clips):
                progress(pack.name, done, len(pack.clips))
    return offset


@dataclass(frozen=True, slots=True)
class _Span:
    """Where a clip lies: index of its pack's sound, first sample, number of samples."""

    sound: int
    offset: int
    length: int


class Cache:
    """Clips of one or more cached packs and views of their sound; several processes share one memory map."""

    def __init__(self, clips: Sequence[Clip], spans: Sequence[_Span], sounds: Sequence[NDArray[np.int16]]) -> None:
        self.clips = list(clips)
        self._sounds = list(sounds)
        self._spans = {(clip.pack, clip.id): span for clip, span in zip(clips, spans, strict=True)}

    @classmethod
    def open(cls, folder: Path, packs: Sequence[str] | None = None) -> Cache:
        """Open `folder`: one pack's cache, or a folder of them (all, or the named `packs` in that order)."""
        if (folder / META).is_file():
            folders = [folder]
        elif packs is not None:
            folders = [folder / name for name in packs]
        else:
            folders = sorted(path.parent for path in folder.glob(f"[!.]*/{META}"))
        if not folders:
            raise UserError(f"{folder} holds no cache; make one with `step-audio prepare --cache`")
        clips: list[Clip] = []
        spans: list[_Span] = []
        sounds: list[NDArray[np.int16]] = []
        for one in folders:
            more, places, sound = _open_pack(one, len(sounds))
            clips += more
            spans += places
            sounds.append(sound)
        return cls(clips, spans, sounds)

    def samples(self, clip: Clip) -> NDArray[np.int16]:
        """Sound of a clip, (n,) int16 at 16 kHz, a read-only view of the map."""
        span = self._spans[clip.pack, clip.id]
        return self._sounds[span.sound][span.offset : span.offset + span.length]

    def length(self, clip: Clip) -> int:
        """Samples of a clip, without touching the sound."""
        return self._spans[clip.pack, clip.id].length


def _open_pack(folder: Path, sound: int) -> tuple[list[Clip], list[_Span], NDArray[np.int16]]:
    clips: list[Clip] = []
    spans: list[_Span] = []
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        with (folder / CLIPS).open(encoding="utf-8") as rows:
            for line in rows:
                row = json.loads(line)
                spans.append(_Span(sound, row.pop("offset"), row.pop("samples")))
                clips.append(clip_from_row(row, meta["pack"]))
        total = sum(span.length for span in spans)
        if meta["version"] != CACHE_VERSION or (folder / SOUND).stat().st_size != 2 * total:
            raise ValueError("its files do not belong together")
        # numpy refuses to map an empty file
        view = np.memmap(folder / SOUND, np.int16, "r") if total else np.zeros(0, np.int16)
    except (OSError, KeyError, TypeError, ValueError) as wrong:
        raise UserError(f"cache {folder} cannot be used ({wrong}); build it again with `step-audio prepare`") from wrong
    return clips, spans, view
