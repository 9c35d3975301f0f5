"""Writes a pack: shards of clips and the manifest, whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from step_audio_mini.data.packs import MANIFEST
from step_audio_mini.errors import UserError
from step_audio_mini.types import Samples

SHARD_BYTES = 18_000_000
"""A shard is closed above this: small enough for any host, large enough to be few."""
MARGIN = 0.3
"""Seconds kept around speech in train and dev clips; test clips stay whole, so that ends of turns are real."""


def speech_bounds(wave: Samples, rate: int) -> tuple[int, int]:
    """First and last sample of speech by frame energy, with `MARGIN` around; (0, n) where that is unclear."""
    step = int(rate * 0.02)
    count = len(wave) // step
    if count < 10:
        return 0, len(wave)
    level = 10 * np.log10((wave[: count * step].reshape(count, step).astype(np.float64) ** 2).mean(1) + 1e-10)
    floor, peak = np.percentile(level, 10), np.percentile(level, 97)
    loud = np.flatnonzero(level > max(floor + min(9, (peak - floor) * 0.3), peak - 42))
    if len(loud) < 5:
        return 0, len(wave)
    margin = int(MARGIN * rate)
    return max(0, int(loud[0]) * step - margin), min(len(wave), (int(loud[-1]) + 1) * step + margin)


class PackWriter:
    """Appends clips to a pack folder that appears when `finish` is called; rows should come sorted by split."""

    def __init__(self, name: str, out: Path) -> None:
        self._target, self._beside = out / name, out / f".{name}.{os.getpid()}"
        self._rows: list[dict[str, Any]] = []
        self._shards: dict[str, tuple[int, int, tarfile.TarFile]] = {}
        try:
            shutil.rmtree(self._beside, ignore_errors=True)
            self._beside.mkdir(parents=True)
        except OSError as wrong:
            raise UserError(f"{out} cannot be written ({wrong.strerror}); choose another folder") from wrong

    def add(self, row: Mapping[str, Any], content: bytes) -> None:
        """Append a clip that `encode` gave; `row` is its manifest object with id, split and seconds."""
        ending = "opus" if content[:4] == b"OggS" else "flac"
        split, member = str(row["split"]), f"{row['id'].replace('/', '_')}.{ending}"
        number, filled, tar = self._shards.get(split, (-1, SHARD_BYTES, None))
        if tar is None or filled >= SHARD_BYTES:
            if tar is not None:
                tar.close()
            number, filled, tar = number + 1, 0, tarfile.open(self._path(split, number + 1), "w")  # noqa: SIM115
        info = tarfile.TarInfo(member)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
        self._shards[split] = (number, filled + len(content) + 512, tar)
        self._rows.append(dict(row) | {"shard": self._path(split, number).name, "member": member})

    def finish(self) -> Path:
        """Write the manifest and put the pack in its place, over an older one."""
        self._close()
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in self._rows)
        # no time stamp inside: the same clips give the same bytes
        (self._beside / MANIFEST).write_bytes(gzip.compress(lines.encode(), mtime=0))
        shutil.rmtree(self._target, ignore_errors=True)
        self._beside.rename(self._target)
        return self._target

    def abandon(self) -> None:
        """Leave nothing behind; harmless after `finish`."""
        self._close()
        shutil.rmtree(self._beside, ignore_errors=True)

    def _close(self) -> None:
        for _, _, tar in self._shards.values():
            tar.close()

    def _path(self, split: str, number: int) -> Path:
        return self._beside / f"{split}-{number:02d}.tar"


def encode(samples: NDArray[np.int16], rate: int, kbps: float = 0.0) -> bytes:
    """FLAC bytes of a clip, or Ogg Opus at about `kbps`."""
    out = io.BytesIO()
    if kbps:
        level = min(1.0, max(0.0, 1 - (kbps - 6) / 250))  # libsndfile maps this to a bit rate, 6...256 kbit/s
        with sf.SoundFile(out, "w", rate, 1, format="OGG", subtype="OPUS", compression_level=level) as file:
            file.write(samples)
    else:
        sf.write(out, samples, rate, format="FLAC", subtype="PCM_16")
    return out.getvalue()


def write_order(rows: Iterable[Mapping[str, Any]]) -> list[int]:
    """Places of rows by split, then by hash of the id: a shard is then a fair sample of its split."""
    listed = list(rows)
    keys = [(row["split"], hashlib.md5(row["id"].encode()).hexdigest()) for row in listed]
    return sorted(range(len(listed)), key=keys.__getitem__)
