"""Packs a fair part of a cache into few files, for training on a machine that gets little at a time."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from pathlib import Path

from step_audio_mini.data.cache import Cache
from step_audio_mini.data.makers.writer import PackWriter, encode
from step_audio_mini.data.packs import Clip, row_from_clip
from step_audio_mini.errors import UserError
from step_audio_mini.types import SAMPLE_RATE

CLIP_BYTES, PACK_BYTES = 2_000, 50_000
"""What a clip takes beside its sound (tar blocks, manifest line), and a pack beside its clips, at most."""


def fair_order(clips: list[Clip]) -> list[Clip]:
    """Train and dev clips so that any beginning of the list holds packs in proportion to the root of their hours.

    Inside a pack the order is that of a hash: a beginning is then a random sample, the same on every machine.
    """
    packs: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        if clip.split != "test":  # nobody trains on these
            packs[clip.pack].append(clip)
    keyed: list[tuple[float, str, Clip]] = []
    for members in packs.values():
        members.sort(key=lambda clip: hashlib.sha1(clip.id.encode()).hexdigest())
        total, passed = sum(clip.seconds for clip in members), 0.0
        for clip in members:
            passed += clip.seconds
            keyed.append((passed / max(total, 1e-9) ** 0.5, clip.id, clip))
    return [clip for _, _, clip in sorted(keyed, key=lambda entry: entry[:2])]


def write_bundle(cache: Cache, out: Path, max_mb: float, kbps: float = 0.0) -> tuple[int, float]:
    """Write packs of at most `max_mb` megabytes (10^6 bytes) below `out`; returns clips and seconds written.

    `kbps` 0 writes FLAC (about 15 kB a second), else Ogg Opus. A cache is built from the bundle like from any packs.
    """
    if max_mb <= 0:
        raise UserError(f"a bundle of {max_mb} MB holds nothing; give --max-mb a larger number")
    writers: dict[str, PackWriter] = {}
    left, clips, seconds = max_mb * 1e6, 0, 0.0
    try:
        for clip in fair_order(cache.clips):
            content = encode(cache.samples(clip), SAMPLE_RATE, kbps)
            left -= len(content) + CLIP_BYTES + (0 if clip.pack in writers else PACK_BYTES)
            if left < 0:
                break
            writer = writers.get(clip.pack) or PackWriter(clip.pack, out)
            writers[clip.pack] = writer
            writer.add(row_from_clip(clip), content)
            clips, seconds = clips + 1, seconds + clip.seconds
        for writer in writers.values():
            writer.finish()
    finally:
        for writer in writers.values():
            writer.abandon()
    return clips, seconds
