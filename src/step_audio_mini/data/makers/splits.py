"""Puts speakers and prompts into splits by hash, so that a pack built again, or later with more clips, splits alike."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Row = Mapping[str, Any]
Split = Callable[[Row], str]
"""Says whether a row of a manifest is train, dev or test."""


def digest(text: str) -> int:
    """SHA-1 of a text as a number."""
    return int(hashlib.sha1(text.encode()).hexdigest(), 16)


def seconds_by_speaker(rows: Iterable[Row]) -> Counter[str]:
    """Seconds of every speaker."""
    seconds: Counter[str] = Counter()
    for row in rows:
        seconds[row["speaker"]] += row["seconds"]
    return seconds


def by_weight(weights: Mapping[str, float], seed: str, test: float = 0.10, dev: float = 0.05) -> dict[str, str]:
    """Whole keys (speakers) in hash order into test, then dev, until each holds its share of the weight."""
    total, split = sum(weights.values()), {}
    held = {"test": 0.0, "dev": 0.0}
    for key in sorted(weights, key=lambda key: digest(seed + key)):
        part = next((p for p, share in (("test", test), ("dev", dev)) if held[p] < share * total), "train")
        split[key] = part
        if part != "train":
            held[part] += weights[key]
    return split


def by_count(rows: Iterable[Row], test: float = 0.10, dev: float = 0.05, most: int | None = None) -> dict[str, str]:
    """Whole speakers in hash order into test, then dev, while they fit in; speakers of over `most` clips train."""
    clips = Counter(str(row["speaker"]) for row in rows)
    total, split = sum(clips.values()), {}
    room = {"test": test * total * 1.05, "dev": dev * total * 1.05}
    for speaker in sorted(clips, key=lambda name: hashlib.sha1(("zh1" + name).encode()).hexdigest()):
        small = most is None or clips[speaker] <= most
        part = next((p for p in ("test", "dev") if small and clips[speaker] <= room[p]), "train")
        split[speaker] = part
        if part != "train":
            room[part] -= clips[speaker]
    return split


def by_prompt(field: str, test: float = 0.10, dev: float = 0.05) -> Split:
    """One-voice packs: no speaker can be held out, so prompts are, by the hash of a field."""

    def split(row: Row) -> str:
        place = int(hashlib.sha1(f"zh1{row[field]}".encode()).hexdigest()[:8], 16) / 2**32
        return "test" if place < test else "dev" if place < test + dev else "train"

    return split


def by_percent(key: str, dev: int = 10, test: int = 20) -> str:
    """Split of one key (a noise's source file) by its hash."""
    place = digest(key) % 100
    return "test" if place < test else "dev" if place < test + dev else "train"


def of_speakers(split: Mapping[str, str]) -> Split:
    """Rows go where their speaker goes."""
    return lambda row: split[str(row["speaker"])]


def all_train(row: Row) -> str:
    """For packs that only add to what is learnt: their voices and sentences are tested in no pack."""
    return "train"
