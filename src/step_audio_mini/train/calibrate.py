"""Calibrates the word confidences of ears: of the words that are 80 % sure, 80 % should be right."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from step_audio_mini.data.cache import Cache, to_float
from step_audio_mini.errors import UserError
from step_audio_mini.evaluate.ears import Ears
from step_audio_mini.evaluate.reliability import Pair, right_words
from step_audio_mini.listen.alignment import calibration_of
from step_audio_mini.runtime.manifest import Weights
from step_audio_mini.text.lexicon import is_han, words
from step_audio_mini.types import Language

PACKS = ("an4", "cv_delta", "cv_rsample", "cv_zh", "kathleen", "libri_mini", "so762")
"""Packs whose dev clips are read or free speech by strangers, as far as there is any."""
CLOSEST = 1e-3
"""Confidences are kept this far from 0 and 1: they are told in thousandths."""


def calibrate(
    cache: Cache, weights: Weights, ears: Ears, most: int, tell: Callable[[str], None] = lambda _: None
) -> Weights:
    """Scale the confidences of the ears by their dev clips, at most so many of a pack, and note it in the manifest."""
    before, after = calibration_of(weights), {}
    for language, found in heard_words(cache, ears, most, tell).items():
        slope, bias = scaling(found)
        first, *factors = before[language]
        after[language] = [round(slope * first + bias, 4), *(round(slope * factor, 4) for factor in factors)]
    if len(after) < len(before):
        raise UserError("the cache lacks dev clips in one language; prepare libri_mini and cv_zh")
    part = weights.part("ears")
    return weights.with_part("ears", replace(part, facts={**part.facts, "calibration": after}), weights.read("ears"))


def heard_words(cache: Cache, ears: Ears, most: int, tell: Callable[[str], None]) -> dict[Language, list[Pair]]:
    """(confidence, right) of the words that ears hear in dev clips, by language."""
    found: dict[Language, list[Pair]] = defaultdict(list)
    for pack in PACKS:
        tell(pack)
        clips = [c for c in cache.clips if (c.pack, c.split) == (pack, "dev") and c.text and c.lang in ("zh", "en")]
        for clip in clips[:: max(1, len(clips) // most)][:most]:
            heard = ears.hear(to_float(cache.samples(clip))).sure
            for (word, _), pair in zip(heard, right_words(words(clip.text), heard), strict=True):
                found["zh" if is_han(word) else "en"].append(pair)
    return dict(found)


def scaling(pairs: Sequence[Pair], rounds: int = 30) -> tuple[float, float]:
    """Slope and bias on the log odds of confidences that make them likeliest (Platt, 1999), by Newton's method.

    Half a right and half a wrong word are added, so that a handful of words cannot run to infinity.
    """
    sure = np.array([min(max(p, CLOSEST), 1 - CLOSEST) for p, _ in pairs] + [0.5, 0.5])
    right = np.array([float(good) for _, good in pairs] + [1.0, 0.0])
    weight = np.array([1.0] * len(pairs) + [0.5, 0.5])
    inputs = np.stack([np.log(sure / (1 - sure)), np.ones(len(sure))], 1)
    found = np.array([1.0, 0.0])
    ridge = np.diag([1e-3, 1e-3])
    for _ in range(rounds):
        told = 1 / (1 + np.exp(-np.clip(inputs @ found, -30, 30)))
        slope = inputs.T @ (weight * (right - told)) - ridge @ (found - np.array([1.0, 0.0]))
        bend = (inputs * (weight * told * (1 - told))[:, None]).T @ inputs + ridge
        step = np.linalg.solve(bend, slope)
        found = found + step / max(1.0, float(np.abs(step).max()))
    if not all(map(math.isfinite, found)):
        raise UserError("the confidences cannot be calibrated; give more dev clips")
    return float(found[0]), float(found[1])
