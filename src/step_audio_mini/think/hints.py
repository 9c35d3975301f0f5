"""What a pack's own sentences say about a turn before any network: likely acts and intents, and how familiar it sounds.

A multinomial naive Bayes over units and pairs (Manning, Raghavan & Schütze 2008, ch. 13), counted when a pack is
loaded. The network reads it as a hint; it is what makes intents of a pack that was never trained on findable.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.think.alphabet import ACTS
from step_audio_mini.think.numbers import is_number_unit
from step_audio_mini.think.pack import Pack
from step_audio_mini.think.phrases import Phrases, Utterance
from step_audio_mini.think.values import Values
from step_audio_mini.types import Language

DRAWN = 60
"""Sentences drawn for each intent or act, and language."""
FAMILIARITY = 3
"""Figures about how familiar the words are."""
_PRIOR, _HEAT, _FLOOR, _NO_EVIDENCE = 20.0, 0.5, -8.0, -2.0
_TEXTS: dict[Language, list[str]] = {"en": ["that is all there is"], "zh": ["就是这样"]}
Figures = NDArray[np.float32]


@dataclass(frozen=True)
class Hint:
    """What the sentences say of one turn."""

    acts: Figures
    """(A,) log-probabilities of the acts, in their order; -2 for those that no sentence stands for."""
    intents: Figures
    """(I,) log-probabilities of the intents, -8..0."""
    familiar: Figures
    """(3,) share of known units, of known pairs, and how well the best intent fits."""


class Bayes:
    """Naive Bayes over counted features of some classes."""

    def __init__(self, counts: Sequence[Counter[str]]) -> None:
        whole = sum(counts, Counter())
        total, kinds = whole.total(), len(whole)
        sizes = np.array([c.total() + _PRIOR for c in counts])
        self._classes = len(counts)
        self._log = {
            feature: np.log(
                (np.array([c[feature] for c in counts]) * ((total + 0.5 * kinds) / (count + 0.5)) + _PRIOR) / sizes
            )
            for feature, count in whole.items()
        }

    def __contains__(self, feature: str) -> bool:
        return feature in self._log

    def score(self, features: Sequence[str]) -> tuple[Figures, float]:
        """Log-probabilities of the classes, and how much likelier than chance the best makes the features."""
        known = (self._log[f] for f in features if f in self._log)
        score = sum(known, np.zeros(self._classes)) * _HEAT
        best = float(score.max(initial=0.0))
        log = score - best - math.log(float(np.exp(score - best).sum()) or 1.0)
        return np.maximum(log, _FLOOR).astype(np.float32), best


class Hints:
    """Counts of one pack. `split_name` keeps to the phrasings of one split, so that held-out ones stay unknown."""

    def __init__(self, pack: Pack, values: Values, split_name: str | None = None) -> None:
        self._values = values
        self._open = {slot for slot in pack.slots if pack.type_of(slot).open}
        phrases, rng = Phrases(pack, split_name, _TEXTS), random.Random(7)
        intents = [self._count(_requests(phrases, name, rng)) for name in pack.intents]
        acts = {name: self._count(_repairs(phrases, name, rng)) for name in ("affirm", "deny", "cancel", "repeat")}
        acts |= {"request": sum(intents, Counter()), "inform": self._count(_answers(phrases, rng))}
        self._intents, self._acts = Bayes(intents), Bayes(list(acts.values()))
        self._act_places = np.array([ACTS.index(name) for name in acts])

    def of(self, units: Sequence[str]) -> Hint:
        """The hint of one reading of a turn."""
        features = self._features(units)
        intents, fit = self._intents.score(features)
        acts = np.full(len(ACTS), _NO_EVIDENCE, np.float32)
        acts[self._act_places] = self._acts.score(features)[0]
        known = [f for f in features if f in self._acts]
        pairs = max(1, len(features) // 2)
        shares = [sum(" " not in f for f in known) / pairs, sum(" " in f for f in known) / (pairs + 1)]
        return Hint(acts, intents, np.array([*shares, min(fit / (pairs + 1), 4.0) / 2], np.float32))

    def _count(self, drawn: Sequence[Utterance | None]) -> Counter[str]:
        count: Counter[str] = Counter()
        for said in drawn:
            count.update(self._features(said.units) if said else ())
        return count

    def _features(self, units: Sequence[str]) -> list[str]:
        words = self._without_values(units)
        return [*words, *(f"{one} {other}" for one, other in zip(["^", *words], [*words, "$"], strict=True))]

    def _without_values(self, units: Sequence[str]) -> list[str]:
        """Units with every value that is the user's own, and every number, replaced by what it is."""
        out: list[str] = []
        at = 0
        while at < len(units):
            slot, length = self._values.longest_at(units, at)
            if slot in self._open:
                out.append(f"{{{slot}}}")
                at += length
                continue
            if not is_number_unit(units[at]) or units[at] in ("a", "an"):
                out.append(units[at])
            elif not out or out[-1] != "{number}":
                out.append("{number}")
            at += 1
        return out


def _requests(phrases: Phrases, intent: str, rng: random.Random) -> list[Utterance | None]:
    return [phrases.request(intent, language, rng) for language in phrases.pack.languages for _ in range(DRAWN)]


def _repairs(phrases: Phrases, act: str, rng: random.Random) -> list[Utterance | None]:
    return [phrases.repair(act, language, rng) for language in phrases.pack.languages for _ in range(2 * DRAWN)]


def _answers(phrases: Phrases, rng: random.Random) -> list[Utterance | None]:
    every, known = phrases.pack.slot_names, set(phrases.pack.slot_names)
    say = (phrases.answer, phrases.correction, phrases.more)
    return [
        say[number % 3](every[number % len(every)], language, rng, known)
        for language in phrases.pack.languages
        for number in range(4 * DRAWN if every else 0)
    ]
