"""Compares training runs of the ears on the same dev clips: what paid is only what its interval says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path

import torch

from step_audio_mini.audio.features import log_mel
from step_audio_mini.data.cache import Cache, to_float
from step_audio_mini.evaluate.intervals import Count, difference, rate
from step_audio_mini.evaluate.results import Row, row
from step_audio_mini.listen.model import Ears, EarsConfig
from step_audio_mini.text.lexicon import Lexicon
from step_audio_mini.text.phones import UNITS
from step_audio_mini.train.export import averaged
from step_audio_mini.train.loop import read_log
from step_audio_mini.train.recipes.ears import Labelled, edits, greedy, labelled

MEASURE, APART = "unit error, greedy", "unit error less that of the first run, same clips"
POOLED = "all packs"
SHOWN = (POOLED, "cv_zh", "so762", "libri_mini", "cv_delta")
"""What gets rows: everything pooled, and packs of sentences by many strangers."""


def measure(
    cache: Cache, lexicon: Lexicon, runs: Mapping[str, Path], most: int, tell: Callable[[str], None]
) -> list[Row]:
    """Dev error of the averaged weights of runs, by name; from the second on also its distance from the first's."""
    clips = chosen(labelled(cache, lexicon, "dev"), most)
    rows: list[Row] = []
    first: Mapping[str, Sequence[Count]] = {}
    for name, run in runs.items():
        tell(name)
        counts = counted(cache, run, clips)
        note = f"after {last_step(run)} steps"
        for data, own in counts.items():
            rows.append(row(MEASURE, data, rate(own), "real", split="dev", system=name, note=note))
            if first:
                rows.append(row(APART, data, difference(own, first[data]), "real", split="dev", system=name, note=note))
        first = first or counts
    return rows


def chosen(items: Sequence[Labelled], most: int) -> list[Labelled]:
    """At most so many clips of each pack, the first ones."""
    by_pack: dict[str, list[Labelled]] = defaultdict(list)
    for item in items:
        by_pack[item.clip.pack].append(item)
    return [item for one in by_pack.values() for item in islice(one, most)]


def counted(cache: Cache, run: Path, clips: Sequence[Labelled]) -> dict[str, list[Count]]:
    """Edits and units of every clip, by what is shown; 320 ms chunks."""
    weights = averaged(run)
    ears = Ears(EarsConfig.of_size(len(UNITS), len(weights["project.weight"])))
    ears.load_state_dict(weights)
    ears.eval()
    counts: dict[str, list[Count]] = {name: [] for name in SHOWN}
    with torch.no_grad():
        for item in clips:
            clip = item.clip
            said = greedy(ears, log_mel(to_float(cache.samples(clip))))
            count = Count(edits(said, item.targets), len(item.targets), f"{clip.pack}/{clip.speaker}")
            for name in {POOLED, clip.pack} & set(SHOWN):
                counts[name].append(count)
    return {name: own for name, own in counts.items() if own}


def last_step(run: Path) -> int:
    """Where a run stands."""
    return max((int(one["step"]) for one in read_log(run)), default=0)
