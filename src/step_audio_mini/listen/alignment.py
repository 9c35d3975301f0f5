"""When each word of a path was said, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.listen.search import SearchPath
from step_audio_mini.listen.vocabulary import Vocabulary
from step_audio_mini.runtime.manifest import Weights
from step_audio_mini.text.lexicon import is_han
from step_audio_mini.text.phones import UNITS
from step_audio_mini.types import Language, Word

FRAME_SECONDS = 0.04
"""Encoder frames are 40 ms apart."""
TAIL = 3
"""Frames a word lasts beyond the peak of its last unit, unless the next word begins."""
Calibration = Mapping[Language, Sequence[float]]
"""Bias and three factors of `_confidence`, by the language of the word."""
CALIBRATION: Calibration = {"en": (0.22, 1.6, 0.13, 0.6), "zh": (0.22, 1.6, 0.13, 0.6)}
"""For ears whose weights bring none."""
SHARPNESS = 0.3
"""Factor on path scores before they are turned into probabilities: n-best scores differ more than the truth is sure."""


def spans(path: SearchPath, vocabulary: Vocabulary) -> list[tuple[int, int]]:
    """(first unit, one past the last) of each word: the cut of the path's units into the words' pronunciations.

    On an unfinished path the last word may lack its end, and units of a word not told yet may follow it.
    """
    units = [UNITS[unit] for unit, _ in path.units]
    ways: list[dict[int, int]] = [{0: 0}]
    for number, (token, _) in enumerate(path.words):
        here: dict[int, int] = {}
        for start in ways[-1]:
            for variant in vocabulary.pronunciations(token):
                said = tuple(units[start : start + len(variant)])
                if said == variant[: len(said)] and (len(said) == len(variant) or number == len(path.words) - 1):
                    here[start + len(said)] = start
        ways.append(here)
    cuts = [max(ways[-1])]
    for way in reversed(ways[1:]):
        cuts.append(way[cuts[-1]])
    cuts.reverse()
    return list(pairwise(cuts))


def words_of(
    path: SearchPath,
    vocabulary: Vocabulary,
    log_probs: NDArray[np.float32],
    share: Sequence[float],
    calibration: Calibration = CALIBRATION,
) -> list[Word]:
    """The path's words with times in seconds and confidences.

    log_probs (T, V) are the posteriors. `share[i]` is the probability, among the n-best readings, of those that have
    the i-th word at its place. A confidence estimates the probability that the word is right.
    """
    cuts = spans(path, vocabulary)
    out = []
    for number, ((low, high), (token, _)) in enumerate(zip(cuts, path.words, strict=True)):
        if low == high:
            break  # the last word of an unfinished path, told before its first unit
        first, last = path.units[low][1], path.units[high - 1][1]
        following = path.units[high][1] if high < len(path.units) else len(log_probs)
        end = max(first + 1, min(last + TAIL, following))
        heard = sum(_peak(log_probs, *path.units[i]) for i in range(low, high)) / (high - low)
        word = vocabulary.word(token)
        language: Language = "zh" if is_han(word) else "en"
        sure = _confidence(math.log(max(1e-3, share[number])), heard, math.log(high - low), calibration[language])
        seconds = (round(first * FRAME_SECONDS, 3), round(end * FRAME_SECONDS, 3))
        out.append(Word(word, *seconds, round(sure, 3), language))
    return out


def _peak(log_probs: NDArray[np.float32], unit: int, frame: int) -> float:
    return float(log_probs[max(0, frame - 1) : frame + 3, unit].max())


def _confidence(share: float, heard: float, length: float, calibration: Sequence[float]) -> float:
    """Probability that a word is right, from logs of its share, its units' mean posterior and its number of units.

    Logistic regression over the words of dev clips; `train.calibrate` scales it anew for other ears.
    """
    bias, *factors = calibration
    return 1.0 / (1.0 + math.exp(-bias - sum(f * x for f, x in zip(factors, (share, heard, length), strict=True))))


def word_shares(paths: Sequence[SearchPath]) -> list[list[float]]:
    """For each path, for each of its words: the summed probability of the paths that have it within three frames."""
    best = max((path.score for path in paths), default=0.0)
    weights = [math.exp(SHARPNESS * (path.score - best)) for path in paths]
    total = sum(weights) or 1.0
    placed = [set(path.words) for path in paths]
    out = []
    for path in paths:
        shares = []
        for word, frame in path.words:
            near = {(word, frame + shift) for shift in range(-3, 4)}
            shares.append(sum(w for w, there in zip(weights, placed, strict=True) if near & there) / total)
        out.append(shares)
    return out


def calibration_of(weights: Weights) -> Calibration:
    """What the ears of a folder of weights were calibrated to."""
    found: Calibration = weights.part("ears").facts.get("calibration", CALIBRATION)
    return found
