"""Holds the clips of a pack in the making: decoded, checked and kept in a scratch file until their splits are known."""

from __future__ import annotations

import hashlib
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

from step_audio_mini.data.cache import to_int16
from step_audio_mini.data.makers.repository import Files
from step_audio_mini.types import SAMPLE_RATE, Samples

HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002ffff〇"
"""Chinese characters, for a regular expression's [...]."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a clip must be like; a clip that breaks a rule is left out and counted."""

    rate: int = SAMPLE_RATE
    """Sample rate of the pack, Hz."""
    seconds: tuple[float, float] = (0.15, 40.0)
    min_peak: float = 0.003
    letters: tuple[float, float] | None = None
    """English letters a second of the active part: wrong transcripts stand out."""
    characters: tuple[float, float] | None = None
    """Chinese characters and Latin words a second."""
    min_range: float | None = None
    """dB between loud and quiet frames, at least: a hum is no speech."""


class Draft:
    """Rows and sound of one pack. Sound lies in `scratch` as int16, because a pack may be larger than the memory."""

    def __init__(self, name: str, licence: str, rules: Rules, scratch: Path) -> None:
        self.name, self.licence, self.rules = name, licence, rules
        self.rows: list[dict[str, Any]] = []
        """One manifest object a clip, `split` still missing."""
        self.dropped: Counter[str] = Counter()
        """Reasons and how many clips were left out for each."""
        self._seen: set[bytes] = set()
        self._spans: list[tuple[int, int]] = []
        self.scratch, self._sound = scratch, scratch.open("wb")

    def add(self, files: Files, path: str, clip_id: str, **fields: Any) -> bool:
        """Read, decode and check a file; False where it was left out."""
        content = files.read(path)
        if len(content) < 200 or content.startswith(b"version https://git-lfs"):
            return self.drop("empty or LFS")
        try:
            wave, rate = decode(content)
        except sf.SoundFileError:
            return self.drop("undecodable")
        return self.add_sound(wave, rate, clip_id, source=files.source(path), **fields)

    def add_sound(self, wave: Samples, rate: int, clip_id: str, *, source: str, **fields: Any) -> bool:
        """Check a sound, (n,) at `rate`, and keep it with its manifest fields; False where it was left out."""
        wave = resampled(wave, rate, self.rules.rate)
        if reason := self._fault(wave, str(fields.get("text") or "")):
            return self.drop(reason)
        peak = float(np.abs(wave).max())
        samples = to_int16(wave * np.float32(min(1.0, 0.999 / peak)))
        fingerprint = hashlib.md5(samples.tobytes()).digest()
        if fingerprint in self._seen:
            return self.drop("duplicate")
        self._seen.add(fingerprint)
        row = {
            "id": clip_id,
            "seconds": round(len(wave) / self.rules.rate, 3),
            "source": source,
            "licence": self.licence,
        }
        self.rows.append(row | {key: value for key, value in fields.items() if value not in (None, "")})
        self._spans.append((self._sound.tell() // 2, len(samples)))
        self._sound.write(samples.tobytes())
        return True

    def drop(self, reason: str) -> bool:
        """Count a clip that is left out; always False."""
        self.dropped[reason] += 1
        return False

    def sounds(self) -> Sequence[NDArray[np.int16]]:
        """Sound of each row in order, views of the scratch file."""
        self._sound.flush()
        if not self._spans:
            return []
        everything = np.memmap(self.scratch, np.int16, "r")
        return [everything[start : start + length] for start, length in self._spans]

    def close(self) -> None:
        """Close the scratch file."""
        self._sound.close()

    def _fault(self, wave: Samples, text: str) -> str | None:
        """The first rule that a sound breaks."""
        rules, seconds = self.rules, len(wave) / self.rules.rate
        if not len(wave) or not np.isfinite(wave).all():
            return "empty or not finite"
        checks = (
            ("too short", seconds < rules.seconds[0]),
            ("silent", np.abs(wave).max() < rules.min_peak),
            ("too long", seconds > rules.seconds[1]),
            ("no speech dynamics", rules.min_range is not None and level_range(wave, rules.rate) < rules.min_range),
            ("text and duration", bool(text) and not self._fits(wave, text)),
        )
        return next((reason for reason, broken in checks if broken), None)

    def _fits(self, wave: Samples, text: str) -> bool:
        """True where the text can have been said in the time of the sound."""
        rules, rate = self.rules, self.rules.rate
        if rules.letters:
            letters = len(re.sub(r"[^a-z0-9']", "", text.lower()))
            return rules.letters[0] <= letters / active_seconds(wave, rate) <= rules.letters[1]
        count = len(re.findall(f"[{HAN}]", text)) + len(re.findall("[A-Za-z]+", text))
        return (
            not rules.characters or not count or rules.characters[0] <= count * rate / len(wave) <= rules.characters[1]
        )


def decode(content: bytes) -> tuple[Samples, int]:
    """Bytes of a sound file -> mean of its channels, (n,) float32, and its sample rate."""
    wave, rate = sf.read(io.BytesIO(content), dtype="float32", always_2d=True)
    return wave.mean(axis=1), int(rate)


def resampled(wave: Samples, rate: int, to_rate: int) -> Samples:
    """(n,) at `rate` -> (n * to_rate / rate,)."""
    return wave if rate == to_rate else np.asarray(soxr.resample(wave, rate, to_rate, quality="HQ"), np.float32)


def active_seconds(wave: Samples, rate: int) -> float:
    """Seconds from the first to the last 10 ms frame within 35 dB of the loudest; at least 0.1."""
    step = rate // 100
    count = len(wave) // step
    level = 10 * np.log10((wave[: count * step].reshape(count, step) ** 2).mean(1) + 1e-10)
    active = np.flatnonzero(level > level.max() - 35)
    return float(max(0.1, (active[-1] - active[0] + 1) / 100))


def level_range(wave: Samples, rate: int) -> float:
    """Decibels between the 95th and the 10th percentile of 20 ms frame levels; 0 for fewer than three frames."""
    step = max(1, int(0.02 * rate))
    count = len(wave) // step
    if count < 3:
        return 0.0
    level = 10 * np.log10((wave[: count * step].reshape(count, step) ** 2).mean(1) + 1e-10)
    return float(np.percentile(level, 95) - np.percentile(level, 10))
