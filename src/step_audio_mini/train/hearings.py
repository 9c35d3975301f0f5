"""What the ears really heard of recordings, kept in a folder: `join` trains on it, the channel learns from it.

`hearings.jsonl` has one object a clip (id, split, text, intent, slots, nbest, snr, rate), `vectors.npz` its vectors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from step_audio_mini.data.packs import Clip
from step_audio_mini.errors import UserError
from step_audio_mini.think.units import is_han
from step_audio_mini.types import Attributes, Hearing, Hypothesis, Samples, SlotValue, Word

Hear = Callable[[Samples], Hearing]
READINGS = 2
"""Hypotheses kept of each clip: the mind reads no more."""


@dataclass(frozen=True)
class Heard:
    """One clip as it was heard, and what is known about it."""

    id: str
    split: str
    text: str
    """Transcript; empty where there is none."""
    intent: str | None
    slots: Mapping[str, SlotValue]
    hearing: Hearing


def write_hearings(clips: Iterable[tuple[Clip, Samples]], hear: Hear, folder: Path) -> int:
    """Hear every clip and keep what came of it; returns how many. The folder appears whole or not at all."""
    rows: list[dict[str, Any]] = []
    vectors: dict[str, Any] = {}
    for clip, samples in clips:
        hearing = hear(samples)
        vectors[str(len(rows))] = hearing.vectors.astype(np.float16)
        rows.append(_row(clip, hearing))
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "vectors.part").open("wb") as file:
        np.savez(file, **vectors)
    (folder / "hearings.part").write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")
    (folder / "vectors.part").replace(folder / "vectors.npz")
    (folder / "hearings.part").replace(folder / "hearings.jsonl")
    return len(rows)


def _row(clip: Clip, hearing: Hearing) -> dict[str, Any]:
    slots = dict(clip.labels.get("slots") or {})
    return {
        "id": clip.id,
        "split": clip.split,
        "text": clip.text,
        "intent": clip.labels.get("intent"),
        "slots": slots,
        "nbest": [[[w.text, round(w.confidence, 4)] for w in h.words] for h in hearing.nbest[:READINGS]],
        "snr": round(hearing.attributes.snr_db, 2),
        "rate": round(hearing.attributes.rate, 2),
    }


def read_hearings(folder: Path) -> list[Heard]:
    """All clips of a folder, in the order they were heard; of a folder of such folders, all of them."""
    inner = sorted(path.parent for path in folder.glob("*/hearings.jsonl"))
    if inner:
        return [heard for one in inner for heard in read_hearings(one)]
    try:
        lines = (folder / "hearings.jsonl").read_text("utf-8").splitlines()
        with np.load(folder / "vectors.npz") as stored:
            vectors = [stored[str(number)].astype(np.float32) for number in range(len(lines))]
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"no hearings in {folder} ({error}); make them with `step-audio export hearings`") from None
    return [_heard(json.loads(line), v) for line, v in zip(lines, vectors, strict=True)]


def _heard(row: Mapping[str, Any], vectors: Any) -> Heard:
    nbest = tuple(
        Hypothesis(tuple(Word(text, 0.0, 0.0, p, "zh" if is_han(text) else "en") for text, p in words), -float(place))
        for place, words in enumerate(row["nbest"])
    )
    hearing = Hearing(nbest, Attributes(row["snr"], row["rate"], None), vectors)
    return Heard(row["id"], row["split"], row["text"], row["intent"], row["slots"], hearing)
