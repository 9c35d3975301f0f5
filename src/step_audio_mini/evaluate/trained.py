"""Whom the ears were trained on, so that nobody takes an error on these speakers for one on strangers."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import replace

from step_audio_mini.data.packs import Clip
from step_audio_mini.evaluate.results import Row
from step_audio_mini.runtime.manifest import Weights

MARK = "speakers trained on"
"""Ends the measure of every row about them."""


def trained_speakers(weights: Weights, part: str = "ears") -> frozenset[str]:
    """All speakers that the manifest says a part was trained on, whatever the pack they came in."""
    packs = weights.part(part).training.get("packs", {})
    return frozenset(speaker for pack in packs.values() for speaker in pack.get("speakers", ()))


def by_acquaintance(clips: Iterable[Clip], trained: Set[str]) -> dict[str, list[Clip]]:
    """Clips of strangers under the empty mark, those of speakers in `trained` under `MARK`; empty groups left out."""
    groups: dict[str, list[Clip]] = {}
    for clip in clips:
        groups.setdefault(MARK if clip.speaker in trained else "", []).append(clip)
    return dict(sorted(groups.items()))


def marked(rows: Iterable[Row], mark: str) -> list[Row]:
    """The rows with a mark, where there is one, at the end of their measure."""
    return [replace(row, measure=f"{row.measure}, {mark}") if mark else row for row in rows]
