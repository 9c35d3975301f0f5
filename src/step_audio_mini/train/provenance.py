"""What a part was trained on, as the weights' manifest records it: packs, hours, licences, sources, speakers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from step_audio_mini.data.packs import Clip


def provenance(trained: Iterable[Clip], cached: Iterable[Clip], command: str) -> dict[str, Any]:
    """The `training` field of a part.

    `trained`: clips that were learnt from. `cached`: all clips at hand; their test speakers are recorded as held out,
    so that anybody can check that the two are disjoint (packs of one voice, where the prompts are, are named).
    """
    groups: dict[str, list[Clip]] = defaultdict(list)
    for clip in trained:
        groups[clip.pack].append(clip)
    held_out: dict[str, set[str]] = defaultdict(set)
    for clip in cached:
        if clip.split == "test" and clip.speaker:
            held_out[clip.pack].add(clip.speaker)
    packs = {name: _pack(clips) for name, clips in sorted(groups.items())}
    return {
        "command": command,
        "hours": round(sum(pack["hours"] for pack in packs.values()), 2),
        "packs": packs,
        "held_out_speakers": {name: sorted(speakers) for name, speakers in sorted(held_out.items())},
        "one_voice_packs": [name for name, pack in packs.items() if set(pack["speakers"]) == held_out.get(name)],
    }


def _pack(clips: list[Clip]) -> dict[str, Any]:
    return {
        "clips": len(clips),
        "hours": round(sum(clip.seconds for clip in clips) / 3600, 2),
        "licences": sorted({clip.licence for clip in clips}),
        "sources": sorted({clip.source.partition(":")[0] for clip in clips}),
        "speakers": sorted({clip.speaker for clip in clips if clip.speaker}),
    }
