"""Tiny packs written to a temporary folder, so that no test reads real data."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

MakePack = Callable[..., Path]


def tone(seconds: float, rate: int, pitch: float = 220.0) -> np.ndarray[Any, np.dtype[np.float32]]:
    """(n,) float32 sine at half scale."""
    return (0.5 * np.sin(2 * np.pi * pitch * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


@pytest.fixture
def make_pack(tmp_path: Path) -> MakePack:
    """make_pack(name, rows, rate=16000): a pack of sine clips; a row needs id, split, seconds, may have pitch."""

    def make(name: str, rows: list[dict[str, Any]], rate: int = 16000, root: str = "packs") -> Path:
        folder = tmp_path / root / name
        folder.mkdir(parents=True)
        full = []
        for row in rows:
            shard, member = f"{row['split']}-00.tar", row["id"].replace("/", "_") + ".flac"
            data = io.BytesIO()
            sf.write(data, tone(row["seconds"], rate, row.get("pitch", 220.0)), rate, format="FLAC", subtype="PCM_16")
            info = tarfile.TarInfo(member)
            info.size = len(data.getvalue())
            with tarfile.open(folder / shard, "a") as tar:
                tar.addfile(info, io.BytesIO(data.getvalue()))
            full.append({"licence": "CC0-1.0", "source": "a/b@c:d"} | row | {"shard": shard, "member": member})
        write_manifest(folder, full)
        return folder

    return make


def write_manifest(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Write the manifest of a pack folder."""
    with gzip.open(folder / "manifest.jsonl.gz", "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
