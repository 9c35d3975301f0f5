"""What a pack's recipe is, and how one is carried out: repositories in, a pack folder out."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path

from step_audio_mini.data.cache import to_float
from step_audio_mini.data.makers.draft import Draft, Rules
from step_audio_mini.data.makers.repository import Repository
from step_audio_mini.data.makers.splits import Split
from step_audio_mini.data.makers.writer import PackWriter, encode, speech_bounds, write_order

Open = Callable[[str], Repository]
"""Gives the clone of `owner/name`; it is closed when the pack is done."""


@dataclass(frozen=True)
class Maker:
    """How one pack is made."""

    name: str
    what: str
    """One line for a list."""
    repositories: tuple[str, ...]
    """`owner/name` of what must be cloned."""
    licence: str
    fill: Callable[[Draft, Open], Split]
    """Adds the clips to the draft and says how to split them."""
    rules: Rules = field(default_factory=Rules)
    trim: bool = True
    """Cut train and dev clips to their speech; noise stays whole."""


@cache
def reserved() -> frozenset[str]:
    """SHA-1 of clip ids that no pack may hold: they are kept for checks that nobody trains or tests on."""
    return frozenset((files("step_audio_mini.data.makers") / "reserved.txt").read_text().split())


def make(maker: Maker, mirror: Path, out: Path, kbps: float = 0.0) -> tuple[Path, Draft]:
    """Make a pack from the clones below `mirror` as `out/<name>`; also gives the draft, for what was left out.

    `kbps` 0 writes FLAC, else Ogg Opus. UserError names a clone that is missing.
    """
    with ExitStack() as stack:

        def fill(draft: Draft) -> Split:
            return maker.fill(draft, lambda name: stack.enter_context(Repository(mirror, name)))

        return write_pack(maker.name, maker.licence, maker.rules, fill, out, trim=maker.trim, kbps=kbps)


def write_pack(
    name: str,
    licence: str,
    rules: Rules,
    fill: Callable[[Draft], Split],
    out: Path,
    *,
    trim: bool = True,
    kbps: float = 0.0,
) -> tuple[Path, Draft]:
    """Make a pack of what `fill` adds to a draft, as `out/<name>`."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "sound"
        draft = Draft(name, licence, rules, scratch)
        stack.callback(draft.close)
        split = fill(draft)
        for row in draft.rows:
            row["split"] = split(row)
        return _write(draft, out, trim, kbps), draft


def _write(draft: Draft, out: Path, trim: bool, kbps: float) -> Path:
    rate, sounds = draft.rules.rate, draft.sounds()
    writer = PackWriter(draft.name, out)
    try:
        for place in write_order(draft.rows):
            row, samples = draft.rows[place], sounds[place]
            if hashlib.sha1(row["id"].encode()).hexdigest() in reserved():
                continue
            if trim and row["split"] != "test":
                start, end = speech_bounds(to_float(samples), rate)
                samples = samples[start:end]
            seconds = round(len(samples) / rate, 3)
            writer.add(row | {"seconds": seconds}, encode(samples, rate, kbps))
        return writer.finish()
    finally:
        writer.abandon()
