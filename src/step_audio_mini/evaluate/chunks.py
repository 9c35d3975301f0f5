"""Measures what one network does in chunks of 160, 320 and 640 ms: the same clips, errors beside delay and cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from step_audio_mini.data.packs import Clip
from step_audio_mini.evaluate.intervals import Count, percentile, rate
from step_audio_mini.evaluate.measures import ErrorCount, character_errors, phone_errors, syllable_errors, word_errors
from step_audio_mini.evaluate.results import Row, row
from step_audio_mini.evaluate.talk import BLOCK, READ_CLIPS, READ_PACKS, TalkTest, last_voiced
from step_audio_mini.listen.alignment import FRAME_SECONDS
from step_audio_mini.rooms import EarStream
from step_audio_mini.text.lexicon import Lexicon
from step_audio_mini.types import SAMPLE_RATE, Language, Samples

CHUNKS = (4, 8, 16)
"""Encoder frames of 40 ms that the network takes at once; 8 are shipped."""
AFTER = SAMPLE_RATE
"""Samples of background that go on after a clip, so that its last words can still come."""


class LiveEars(Protocol):
    """Ears of one chunk length."""

    def begin(self) -> EarStream:
        """Ears for the next clip."""

    def heard_units(self) -> Sequence[str]:
        """Greedy units since `begin`."""


@dataclass(frozen=True)
class ChunksTest:
    """The ears by chunk length, the pronunciations that errors are counted against, and the clips."""

    ears: Mapping[int, LiveEars]
    lexicon: Lexicon
    talk: TalkTest


@dataclass(frozen=True, slots=True)
class Live:
    """What became of a clip that was heard as it comes."""

    units: tuple[str, ...]
    text: str
    wait: float | None
    """Seconds of sound from the last voiced sample until the words stand as they remain; None where there are none."""
    processor: float
    """Processor seconds a second of sound."""


def name_of(chunk: int) -> str:
    """How rows call a chunk length."""
    return f"chunks of {1000 * FRAME_SECONDS * chunk:.0f} ms"


def hear(ears: LiveEars, samples: Samples) -> Live:
    """Hear a clip, (n,), in blocks of 40 ms with its background going on for a second."""
    spoken_until, floor = last_voiced(samples)
    background = floor * np.random.default_rng(0).standard_normal(AFTER).astype(np.float32)
    sound = np.concatenate([samples, background])
    stream, text, stood, began = ears.begin(), "", 0, time.process_time()
    for start in range(0, len(sound), BLOCK):
        stream.accept(sound[start : start + BLOCK])
        now = stream.partial().text
        if now != text:
            text, stood = now, min(start + BLOCK, len(sound))
    final = stream.finish().best.text
    cost = (time.process_time() - began) / (len(sound) / SAMPLE_RATE)
    return Live(tuple(ears.heard_units()), final, (stood - spoken_until) / SAMPLE_RATE if text else None, cost)


def measure(test: ChunksTest, tell: Callable[[str], None]) -> list[Row]:
    """All rows; `tell` hears the name of each chunk length."""
    read = {language: test.talk.clips(packs, READ_CLIPS) for language, packs in READ_PACKS.items()}
    rows: list[Row] = []
    for chunk, ears in test.ears.items():
        tell(name_of(chunk))
        heard = {clip.id: hear(ears, test.talk.sound(clip)) for clips in read.values() for clip in clips}
        for language in ("en", "zh"):
            rows += _error_rows(test.lexicon, name_of(chunk), read[language], language, heard)
        rows += _cost_rows(name_of(chunk), [clip for clips in read.values() for clip in clips], heard)
    return rows


def _error_rows(
    lexicon: Lexicon, chunk: str, clips: Sequence[Clip], language: Language, heard: Mapping[str, Live]
) -> list[Row]:
    def greedy(clip: Clip) -> ErrorCount | None:
        if language == "en":
            return phone_errors(clip.text, heard[clip.id].units, lexicon)
        return syllable_errors(clip.pinyin, heard[clip.id].units)

    def searched(clip: Clip) -> ErrorCount | None:
        return (word_errors if language == "en" else character_errors)(clip.text, heard[clip.id].text)

    names = {
        "phone error, greedy" if language == "en" else "toneless-syllable error, greedy": greedy,
        "word error" if language == "en" else "character error": searched,
    }
    rows = []
    for name, count in names.items():
        found = [(clip, count(clip)) for clip in clips]
        counts = [Count(*errors, clip.speaker) for clip, errors in found if errors is not None]
        if any(one.whole for one in counts):
            data = " + ".join(sorted({clip.pack for clip, errors in found if errors is not None}))
            rows.append(row(f"{name}, {chunk}", data, rate(counts), "real"))
    return rows


def _cost_rows(chunk: str, clips: Sequence[Clip], heard: Mapping[str, Live]) -> list[Row]:
    """Delay and processor time, both languages together."""
    data = " + ".join(sorted({clip.pack for clip in clips}))
    waits = [1000 * wait for clip in clips if (wait := heard[clip.id].wait) is not None]
    note = "sound time, in blocks of 40 ms; words that remain to the end of the clip and a second of background"
    rows = [
        row(f"last voiced sample to all words, p{q}, {chunk}", data, percentile(waits, q), "real", "ms", note=note)
        for q in ((50, 95) if waits else ())
    ]
    costs = [Count(heard[clip.id].processor, 1, clip.id) for clip in clips]
    if costs:
        rows.append(row(f"real-time factor, {chunk}", data, rate(costs, groups="clips"), "real", "x"))
    return rows
