"""Makes what ships for pronunciations: the English lexicon and the letter-to-sound model, from CMUdict."""

from __future__ import annotations

import math
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from step_audio_mini.text.letters import FIRST_PAIR, LetterToSound, Pair
from step_audio_mini.text.lexicon import Pronunciation
from step_audio_mini.text.ngram import estimate

MOST_PHONES = 2
"""A letter stands for at most this many phones (`x` is `K S`)."""

Alignment = list[Pair]


def held_out(word: str) -> bool:
    """True for the 2 % of words that letter-to-sound never sees, chosen by a hash of the word."""
    return zlib.crc32(word.encode()) % 50 == 0


@dataclass(frozen=True)
class Accuracy:
    """Letter-to-sound on held-out words; a word with several pronunciations counts as its nearest."""

    words: int
    word_accuracy: float
    """Share of words with every phone right, stress not counted."""
    phone_error: float
    """Edit distance over phones of the reference, stress not counted."""


def align(spelling: str, phones: Sequence[str], costs: Mapping[Pair, float]) -> Alignment | None:
    """Cheapest way to give each letter zero to two of the phones in order; None where there are too many phones.

    An unseen pair costs 12 + 2 per phone away from one, which gives the first pass its shape.
    """
    n, m = len(spelling), len(phones)
    if m > MOST_PHONES * n:
        return None
    best = [[math.inf] * (m + 1) for _ in range(n + 1)]
    back = [[0] * (m + 1) for _ in range(n + 1)]
    best[0][0] = 0.0
    for i, letter in enumerate(spelling):
        for j in range(max(0, m - MOST_PHONES * (n - i)), min(m, MOST_PHONES * i) + 1):
            if best[i][j] == math.inf:
                continue
            for k in range(min(MOST_PHONES, m - j) + 1):
                pair = (letter, tuple(phones[j : j + k]))
                cost = best[i][j] + costs.get(pair, 12.0 + 2.0 * abs(k - 1))
                if cost < best[i + 1][j + k]:
                    best[i + 1][j + k], back[i + 1][j + k] = cost, k
    if best[n][m] == math.inf:
        return None
    out: Alignment = []
    j = m
    for i in range(n, 0, -1):
        k = back[i][j]
        out.append((spelling[i - 1], tuple(phones[j - k : j])))
        j -= k
    return out[::-1]


def align_all(entries: Sequence[tuple[str, Pronunciation]], passes: int = 4) -> list[Alignment]:
    """Align spellings with sounds by Viterbi training: count pairs, turn counts into costs, align again."""
    costs = _first_costs(entries)
    aligned: list[Alignment] = []
    for step in range(passes):
        sample = entries if step == passes - 1 else entries[:: max(1, len(entries) // 30_000)]
        found = (align(word, phones, costs) for word, phones in sample)
        aligned = [pairs for pairs in found if pairs is not None]
        counts = Counter(pair for pairs in aligned for pair in pairs)
        letters: Counter[str] = Counter()
        for (letter, _), count in counts.items():
            letters[letter] += count
        costs = {pair: -math.log(count / letters[pair[0]]) for pair, count in counts.items()}
    return aligned


def _first_costs(entries: Sequence[tuple[str, Pronunciation]]) -> dict[Pair, float]:
    """Costs from words with as many letters as phones, read straight across, and silence for any letter."""
    counts: Counter[Pair] = Counter()
    for word, phones in entries:
        if len(word) == len(phones):
            counts.update((letter, (phone,)) for letter, phone in zip(word, phones, strict=True))
    letters: defaultdict[str, int] = defaultdict(int)
    for (letter, _), count in counts.items():
        letters[letter] += count
    costs = {pair: -math.log(count / letters[pair[0]]) for pair, count in counts.items()}
    return costs | {(letter, ()): 4.0 for letter in letters}


def train_letters(
    entries: Iterable[tuple[str, Pronunciation]], *, order: int = 5, prune: float = 1.9, rarest: int = 4
) -> LetterToSound:
    """Letter-to-sound from (word, phones with stress), leaving the held-out words and pairs rarer than `rarest` out."""
    usable = [(w, p) for w, p in entries if w.replace("'", "").isalpha() and w.isascii() and not held_out(w)]
    aligned = align_all(usable)
    counts = Counter(pair for pairs in aligned for pair in pairs)
    pairs = sorted(pair for pair, count in counts.items() if count >= rarest)
    place = {pair: index + FIRST_PAIR for index, pair in enumerate(pairs)}
    sequences = (([place[p] for p in word], 1.0) for word in aligned if all(p in place for p in word))
    return LetterToSound(pairs, estimate(sequences, order, len(pairs) + FIRST_PAIR, prune=prune))


def letters_accuracy(model: LetterToSound, entries: Iterable[tuple[str, Pronunciation]]) -> Accuracy:
    """Accuracy on the held-out words among the entries."""
    variants: defaultdict[str, list[Pronunciation]] = defaultdict(list)
    for word, phones in entries:
        if held_out(word) and word.replace("'", "").isalpha():
            variants[word].append(tuple(phone.rstrip("012") for phone in phones))
    right = errors = total = 0
    for word, references in variants.items():
        guess = tuple(phone.rstrip("012") for phone in model(word) or ())
        distance, length = min((_distance(guess, r), len(r)) for r in references)
        right += distance == 0
        errors += distance
        total += length
    return Accuracy(len(variants), right / max(1, len(variants)), errors / max(1, total))


def _distance(a: Sequence[str], b: Sequence[str]) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]
