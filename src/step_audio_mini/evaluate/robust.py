"""Measures what noise, rooms, lines and codecs take from orders and from read speech, and the estimate of the noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from step_audio_mini.data.packs import Clip
from step_audio_mini.evaluate.conditions import CONDITIONS, NOTES, World
from step_audio_mini.evaluate.ears import Ears
from step_audio_mini.evaluate.intervals import Count, rate
from step_audio_mini.evaluate.measures import ErrorCount, phone_errors, syllable_errors
from step_audio_mini.evaluate.results import Row, row
from step_audio_mini.evaluate.talk import READ_PACKS, TalkTest, drink_right, order_right
from step_audio_mini.text.lexicon import Lexicon
from step_audio_mini.types import Decision, Hearing, Language, Samples

READ_CLIPS = 40
"""Read sentences of each language."""
STEADY_DB = 20.0
"""What the gate is told where it must not follow the noise."""
WAYS: dict[str, Callable[[Hearing], Hearing]] = {
    "words and the ears' vectors": lambda hearing: hearing,
    "gate told 20 dB": lambda hearing: replace(hearing, attributes=replace(hearing.attributes, snr_db=STEADY_DB)),
    "words alone": lambda hearing: replace(hearing, vectors=hearing.vectors[:0]),
}
"""What the mind is given: all; all, but with the gate between vectors and words left as it is in quiet; no vectors."""
CHECKS: dict[str, Callable[[Clip, Decision], bool]] = {"all slots right": order_right, "drink right": drink_right}


SHUT = "the mind's gate is shut: the ears' vectors changed no decision, so the ways are one"


@dataclass(frozen=True)
class RobustTest:
    """The model, its ears alone, the clips and the world they are heard in."""

    talk: TalkTest
    ears: Ears
    lexicon: Lexicon
    world: World

    def heard(self, clip: Clip, condition: str) -> tuple[Samples, float | None]:
        """The clip under a condition and its true SNR."""
        return self.world.heard(self.talk.sound(clip), condition, clip.id)


@dataclass
class _Orders:
    """What became of the orders under one condition."""

    right: dict[str, list[Count]] = field(default_factory=dict)
    apart: list[Count] = field(default_factory=list)
    """|estimate - truth| of the SNR, dB."""
    above: list[float] = field(default_factory=list)
    """Estimate - truth."""
    gate_moved: bool = False
    """Whether the ears' vectors changed any decision, its confidence included."""


def measure(test: RobustTest, tell: Callable[[str], None]) -> list[Row]:
    """All rows; `tell` hears the name of each condition."""
    rows: list[Row] = []
    orders = test.talk.clips(["sti"], 1000)
    read = {language: test.talk.clips(packs, READ_CLIPS) for language, packs in READ_PACKS.items()}
    for condition in CONDITIONS:
        tell(condition)
        rows += order_rows(test, orders, condition)
        for language in ("en", "zh"):
            rows += read_rows(test, read[language], language, condition)
    return rows


def order_rows(test: RobustTest, clips: list[Clip], condition: str) -> list[Row]:
    """Coffee orders under a condition, understood in each of the `WAYS`, and the error of the SNR estimate."""
    found = _Orders()
    for clip in clips:
        sound, snr = test.heard(clip, condition)
        hearing = test.talk.model.listen(sound, "coffee")
        decisions = {way: test.talk.model.think(change(hearing), "coffee") for way, change in WAYS.items()}
        found.gate_moved |= any(decision != decisions["words alone"] for decision in decisions.values())
        for way, decision in decisions.items():
            for name, check in CHECKS.items():
                right = Count(float(check(clip, decision)), 1, clip.speaker)
                found.right.setdefault(f"{name}, {way}", []).append(right)
        if snr is not None:
            found.above.append(hearing.attributes.snr_db - snr)
            found.apart.append(Count(abs(found.above[-1]), 1, clip.speaker))
    note = "; ".join(filter(None, [NOTES.get(condition, ""), "" if found.gate_moved else SHUT]))
    rows = [row(f"{name}, {condition}", "sti", rate(counts), "real", note=note) for name, counts in found.right.items()]
    if found.apart:
        name = f"error of the SNR estimate, {condition}"
        bias = f"against added noise in frames with speech; estimate - truth is {np.mean(found.above):+.1f} dB in mean"
        rows.append(row(name, "sti", rate(found.apart), "real", "dB", note=bias))
    return rows


def read_rows(test: RobustTest, clips: list[Clip], language: Language, condition: str) -> list[Row]:
    """Greedy units of read sentences under a condition."""
    name = "phone error, greedy" if language == "en" else "toneless-syllable error, greedy"
    found = [(clip, _unit_errors(test, clip, language, condition)) for clip in clips]
    counts = [Count(*errors, clip.speaker) for clip, errors in found if errors is not None]
    if not any(count.whole for count in counts):
        return []
    data = " + ".join(sorted({clip.pack for clip, errors in found if errors is not None}))
    return [row(f"{name}, {condition}", data, rate(counts), "real", note=NOTES.get(condition, ""))]


def _unit_errors(test: RobustTest, clip: Clip, language: Language, condition: str) -> ErrorCount | None:
    units = test.ears.units(test.heard(clip, condition)[0])
    if language == "en":
        return phone_errors(clip.text, units, test.lexicon)
    return syllable_errors(clip.pinyin, units)
