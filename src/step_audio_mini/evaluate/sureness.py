"""Measures whether words are right as often as the ears are sure of them: the rows of the reliability plot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from step_audio_mini.data.cache import to_float
from step_audio_mini.data.packs import Clip
from step_audio_mini.evaluate.ears import Ears, EarsTest
from step_audio_mini.evaluate.intervals import Count, rate
from step_audio_mini.evaluate.reliability import BINS, Pair, calibration_figure, right_words
from step_audio_mini.evaluate.results import Row, row
from step_audio_mini.text.lexicon import words

PACKS = {
    "en": ("cv_delta", "cv_en", "libri", "libri_mini", "so762"),
    "zh": ("aishell_sample", "cv_rsample", "cv_zh"),
}
"""Packs of read sentences by strangers, by language."""
FEWEST = 20
"""A bin with fewer words gets no row."""
LEVELS = tuple(f"{100 * place // BINS}...{100 * (place + 1) // BINS} % sure" for place in range(BINS))
RIGHT = "words right that are "


def measure(test: EarsTest, ears: Ears, tell: Callable[[str], None]) -> list[Row]:
    """Calibration error of each language, and how many words of each level of confidence are right."""
    rows: list[Row] = []
    for packs in PACKS.values():
        heard: list[tuple[Clip, Sequence[Pair]]] = []
        for pack in packs:
            tell(pack)
            clips = [clip for clip in test.clips(pack, test.most) if clip.speaker not in test.trained_speakers]
            for clip in clips:
                sure = ears.hear(to_float(test.cache.samples(clip))).sure
                heard.append((clip, right_words(words(clip.text), sure)))
        rows += rows_of(" + ".join(sorted({clip.pack for clip, _ in heard})), heard)
    return rows


def rows_of(data: str, heard: Sequence[tuple[Clip, Sequence[Pair]]]) -> list[Row]:
    """The rows of one group of clips with the (confidence, right) of the words heard in each."""
    levels: dict[int, list[Count]] = defaultdict(list)
    for clip, pairs in heard:
        for sure, right in pairs:
            levels[min(int(sure * BINS), BINS - 1)].append(Count(float(right), 1.0, clip.speaker))
    if not levels:
        return []
    rows = [row("word confidence, ECE", data, calibration_figure([pairs for _, pairs in heard if pairs]), "real")]
    for place, counts in sorted(levels.items()):
        if len(counts) >= FEWEST:
            rows.append(row(RIGHT + LEVELS[place], data, rate(counts, items="words"), "real"))
    return rows
