"""Has synthesisers say requests of the packs: sound that seasons the ears' training and teaches `join` what was meant.

Only training phrasings, and only voices that are not the test voices of `evaluate.peers`. Every clip carries intent
and slots; variants of a synthesiser are its speakers.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from step_audio_mini.data.makers.chinese_text import pinyin
from step_audio_mini.data.makers.draft import Draft, Rules
from step_audio_mini.data.makers.maker import write_pack
from step_audio_mini.data.makers.splits import Split
from step_audio_mini.evaluate import peers
from step_audio_mini.think.pack_file import load_pack
from step_audio_mini.think.phrases import Phrases, Utterance
from step_audio_mini.think.units import join
from step_audio_mini.types import SAMPLE_RATE, Language, Samples

NAME = "requests"
PACKS = ("home", "clock-weather", "coffee")
MESSAGES: dict[Language, list[str]] = {
    "en": ["dinner is ready", "please come downstairs", "i am late"],
    "zh": ["吃饭了", "请下楼来", "我晚点到家"],
}
"""What fills a slot of free text."""
VOICES: dict[tuple[str, Language], tuple[str, ...]] = {
    ("train", "en"): (
        "flite kal16", "flite kal16", "espeak en-us", "espeak en-gb", "espeak en-us+f3", "espeak en-us+m2",
        "espeak en-gb+f1", "espeak en-us+klatt2", "espeak en-gb-scotland+m4", "espeak en-us+f5",
    ),
    ("dev", "en"): ("flite kal", "espeak en-us+m6", "espeak en-gb+klatt4"),
    ("train", "zh"): tuple(f"espeak {peers.ESPEAK_MANDARIN}{v}" for v in ("", "+f1", "+f3", "+m2", "+m5", "+klatt2")),
    ("dev", "zh"): tuple(f"espeak {peers.ESPEAK_MANDARIN}{v}" for v in ("+m1", "+f5")),
}  # fmt: skip
DEV = 10
"""One request in so many is of the dev split: other voices, other phrasings."""


@dataclass(frozen=True)
class Plan:
    """A request and who says it how."""

    number: int
    split: str
    intent: str
    said: Utterance
    voice: str
    speed: int
    pitch: int


def say_requests(count: int, out: Path, kbps: float = 0.0) -> tuple[Path, Draft]:
    """Make the pack `requests` of about `count` clips in `out`: the same number the same requests, another others."""
    rules = Rules(seconds=(0.3, 15.0))
    return write_pack(NAME, "CC0-1.0 (synthetic)", rules, partial(_fill, count), out, kbps=kbps)


def _fill(count: int, draft: Draft) -> Split:
    with ThreadPoolExecutor() as threads:  # the synthesisers are other processes
        planned = list(plans(count))
        for plan, sound in zip(planned, threads.map(_say, planned), strict=True):
            text = join(plan.said.units)
            draft.add_sound(
                sound,
                SAMPLE_RATE,
                f"{NAME}/{count}-{plan.number}",
                source=f"synthetic:{plan.voice}",
                text=text,
                pinyin=pinyin(text) if plan.said.language == "zh" else "",
                lang=plan.said.language,
                speaker=plan.voice,
                intent=plan.intent,
                slots=dict(plan.said.values),
                part=plan.split,
            )
    return lambda row: str(row["part"])


def plans(count: int) -> Iterator[Plan]:
    """What is said by whom: packs, languages and intents in turn, phrasings and voices drawn."""
    rng = random.Random(count)
    asked = [
        (pack, language, intent)
        for pack in map(load_pack, PACKS)
        for intent, meant in pack.intents.items()
        for language in pack.languages
        if meant.sentences.get(language)
    ]
    phrases = {(pack.name, split): Phrases(pack, split, MESSAGES) for pack, _, _ in asked for split in ("train", "dev")}
    for number in range(count):
        pack, language, intent = asked[number % len(asked)]
        split = "dev" if rng.randrange(DEV) == 0 else "train"
        said = phrases[pack.name, split].request(intent, language, rng)
        voice, speed, pitch = rng.choice(VOICES[split, language]), rng.randint(140, 185), rng.randint(30, 70)
        if said is not None:
            yield Plan(number, split, intent, said, voice, speed, pitch)


def _say(plan: Plan) -> Samples:
    synthesiser, _, voice = plan.voice.partition(" ")
    text = join(plan.said.units)
    return (
        peers.flite(text, voice)
        if synthesiser == "flite"
        else peers.espeak(text, voice, speed=plan.speed, pitch=plan.pitch)
    )
