"""What a pack's own sentences say about a turn before any network: likely intents, and how familiar the words are.

A multinomial naive Bayes over units and pairs (Manning, Raghavan & Schütze 2008, ch. 13), counted when a pack is
loaded. The network reads it as a hint; it is what makes intents of a pack that was never trained on findable.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.think.numbers import is_number_unit
from step_audio_mini.think.pack import Pack
from step_audio_mini.think.phrases import Phrases
from step_audio_mini.think.values import Values

DRAWN = 60
"""Sentences drawn for each intent and language."""
FAMILIARITY = 3
"""Figures about how familiar the words are."""
_PRIOR, _HEAT, _FLOOR = 20.0, 0.5, -8.0
_TEXTS = {"en": ["that is all there is"], "zh": ["就是这样"]}


class Hints:
    """Counts of one pack. `split_name` keeps to the phrasings of one split, so that held-out ones stay unknown."""

    def __init__(self, pack: Pack, values: Values, split_name: str | None = None) -> None:
        self._values = values
        phrases, rng = Phrases(pack, split_name, _TEXTS), random.Random(7)  # type: ignore[arg-type]
        counts: list[Counter[str]] = []
        for name in pack.intents:
            count: Counter[str] = Counter()
            for language in pack.languages:
                for _ in range(DRAWN):
                    said = phrases.request(name, language, rng)
                    count.update(self._features(said.units) if said else ())
            counts.append(count)
        whole = sum(counts, Counter())
        total, kinds = sum(whole.values()), len(whole)
        self._log = {
            feature: np.array(
                [
                    math.log(
                        (c[feature] / (whole[feature] + 0.5) * (total + 0.5 * kinds) + _PRIOR) / (c.total() + _PRIOR)
                    )
                    for c in counts
                ]
            )
            for feature in whole
        }
        self._intents = len(counts)

    def of(self, units: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Log-probabilities of the intents (I,), -8..0, and familiarity (3,): known units, known pairs, fit."""
        features = self._features(units)
        known = [f for f in features if f in self._log]
        score = sum((self._log[f] for f in known), np.zeros(self._intents)) * _HEAT
        best = float(score.max(initial=0.0))
        log = score - best - math.log(float(np.exp(score - best).sum()) or 1.0)
        pairs = max(1, len(features) // 2)
        shares = [sum(" " not in f for f in known) / pairs, sum(" " in f for f in known) / (pairs + 1)]
        told = np.array([*shares, min(best / (pairs + 1), 4.0) / 2], np.float32)
        return np.maximum(log, _FLOOR).astype(np.float32), told

    def _features(self, units: Sequence[str]) -> list[str]:
        words = self._without_values(units)
        return [*words, *(f"{one} {other}" for one, other in zip(["^", *words], [*words, "$"], strict=True))]

    def _without_values(self, units: Sequence[str]) -> list[str]:
        """Units with every listed value and every number replaced by what it is."""
        out: list[str] = []
        at = 0
        while at < len(units):
            slot, length = self._values.longest_at(units, at)
            if slot is not None:
                out.append(f"{{{slot}}}")
            elif is_number_unit(units[at]) and units[at] not in ("a", "an"):
                if not out or out[-1] != "{number}":
                    out.append("{number}")
            else:
                out.append(units[at])
            at += max(1, length)
        return out
