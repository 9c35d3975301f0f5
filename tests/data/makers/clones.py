"""Fake clones of public repositories: real git, tiny sounds."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile as sf

ENVIRONMENT = {
    "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t",
    "GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z",
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "PATH": "/usr/bin:/bin:/usr/local/bin",
}  # fmt: skip


def clone(mirror: Path, name: str, content: Mapping[str, bytes | str]) -> Path:
    """A repository with one commit that holds `content`, where a maker looks for a clone of `name`."""
    folder = mirror / name.replace("/", "+")
    for path, data in content.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data if isinstance(data, bytes) else data.encode())
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        subprocess.run(["git", *command], cwd=folder, check=True, env=ENVIRONMENT)
    return folder


def sound(seconds: float = 1.0, rate: int = 16000, seed: int = 0, form: str = "WAV") -> bytes:
    """A file of noise bursts with pauses, different for each seed: enough like speech for the rules."""
    count = int(seconds * rate)
    bursts = (np.arange(count) // (rate // 8)) % 2
    wave = 0.2 * np.random.default_rng(seed).standard_normal(count) * bursts
    out = io.BytesIO()
    sf.write(out, np.clip(wave, -1, 1), rate, format=form)
    return out.getvalue()
