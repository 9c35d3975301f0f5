"""Lets the ears of some weights hear what `join` learns from: orders, requests of synthesisers, and read sentences.

With the contexts of the packs, but of their training phrasings only, so that held-out ones stay unheard.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from step_audio_mini.data.cache import Cache, to_float
from step_audio_mini.data.packs import Clip
from step_audio_mini.model import StepAudio2Mini
from step_audio_mini.rooms import TrainedRooms
from step_audio_mini.runtime.manifest import Weights
from step_audio_mini.think.pack_file import load_pack
from step_audio_mini.train.hearings import Hear, write_hearings

COUNTER, BOTH = ("coffee",), ("home", "clock-weather")
SECONDS = (0.8, 8.0)
"""Read sentences of this length: what might be taken for a request."""
DEV = 5
"""One in so many speakers of read sentences is dev."""


def hear_all(cache: Cache, hear_with: Callable[[tuple[str, ...]], Hear], out: Path, most: int) -> dict[str, int]:
    """Hear at most `most` clips of each kind into a folder of `out`; how many of each."""
    kinds = {kind: _few(clips, most) for kind, clips in kinds_of(cache.clips).items()}
    return {
        kind: write_hearings(
            ((clip, to_float(cache.samples(clip))) for clip in clips),
            hear_with(COUNTER if kind == "orders" else BOTH),
            out / kind,
        )
        for kind, clips in kinds.items()
        if clips
    }


def kinds_of(clips: Iterable[Clip]) -> dict[str, list[Clip]]:
    """What is heard, by its kind: `orders` at the counter, `requests` of home and clock, `read` sentences.

    Read sentences are of the dev split, because the ears know those of the train split by heart.
    """
    kinds: dict[str, list[Clip]] = {"orders": [], "requests": [], "read": []}
    ours = {name for pack in BOTH for name in load_pack(pack).intents}
    orders = set(load_pack(*COUNTER).intents)
    for clip in clips:
        intent = clip.labels.get("intent")
        if clip.split == "test" or clip.lang == "yue":
            continue
        if intent in orders:
            kinds["orders"].append(clip)
        elif intent in ours:
            kinds["requests"].append(clip)
        elif clip.text and clip.split == "dev" and SECONDS[0] <= clip.seconds <= SECONDS[1]:
            digest = hashlib.md5((clip.speaker or clip.id).encode()).digest()
            kinds["read"].append(replace(clip, split="train" if digest[0] % DEV else "dev"))
    return kinds


def _few(clips: list[Clip], most: int) -> list[Clip]:
    return random.Random(1).sample(clips, min(most, len(clips)))


def ears_of(weights: Weights) -> Callable[[tuple[str, ...]], Hear]:
    """Packs to ears that expect their training phrasings."""
    model = StepAudio2Mini(TrainedRooms(weights, None, {}, None, phrasings="train"))
    return cache(lambda packs: partial(model.listen, pack=packs))
