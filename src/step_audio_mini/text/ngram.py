"""Back-off n-gram models over small integers: words in the search, letter-sound pairs in letter-to-sound.

Estimated with interpolated Kneser-Ney smoothing (Kneser & Ney, 1995; Chen & Goodman, 1999), thinned by the weighted
difference of Seymore & Rosenfeld (1996), stored as a trie of arrays: about five bytes an n-gram before compression.
"""

from __future__ import annotations

import io
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

BEGIN = 0
"""Token before every sequence; it is never predicted."""
END = 1
"""Token after every sequence."""

Gram = tuple[int, ...]

_STEP = 0.05
"""Natural-log step of a stored probability: 256 of them reach down to -12.75."""


class Ngram:
    """A back-off model: `score(context, token)` is the natural-log probability of the token after the context.

    Level k holds the n-grams of k + 1 tokens, sorted by parent, then token. `tokens[k]`, `log_prob[k]`, `backoff[k]`
    are (n_k,); the children of node i of level k are `starts[k][i]:starts[k][i + 1]` of level k + 1.
    """

    def __init__(
        self,
        tokens: Sequence[NDArray[np.int32]],
        starts: Sequence[NDArray[np.int64]],
        log_prob: Sequence[NDArray[np.float32]],
        backoff: Sequence[NDArray[np.float32]],
    ) -> None:
        self.tokens, self.starts, self.log_prob, self.backoff = tokens, starts, log_prob, backoff
        self._memo: dict[Gram, int | None] = {}
        # Indexing a memoryview gives plain numbers, several times faster than array scalars.
        self._tokens = [np.ascontiguousarray(level).data for level in tokens]
        self._starts = [np.ascontiguousarray(level).data for level in starts]
        self._log_prob = [np.ascontiguousarray(level).data for level in log_prob]
        self._backoff = [np.ascontiguousarray(level).data for level in backoff]

    @property
    def order(self) -> int:
        """Tokens in the longest n-gram."""
        return len(self.tokens)

    @property
    def size(self) -> int:
        """Number of tokens that have a probability of their own, `BEGIN` and `END` among them."""
        return len(self.tokens[0])

    def score(self, context: Gram, token: int) -> float:
        """Natural-log probability of `token` after `context` (only the last `order - 1` tokens of it count)."""
        context = context[-(self.order - 1) :] if self.order > 1 else ()
        total = 0.0
        while True:
            node = self._find((*context, token))
            if node is not None:
                return total + self._log_prob[len(context)][node]
            if not context:
                return -math.inf
            parent = self._find(context)
            if parent is not None:
                total += self._backoff[len(context) - 1][parent]
            context = context[1:]

    def sentence(self, tokens: Sequence[int]) -> float:
        """Natural-log probability of the whole sequence, its end included."""
        history: Gram = (BEGIN,)
        total = 0.0
        for token in (*tokens, END):
            total += self.score(history, token)
            history = (*history, token)
        return total

    def weight(self, context: Gram) -> float:
        """Natural-log weight of backing off from a context to its shorter end; 0 where the context is unknown."""
        node = self._find(context)
        return 0.0 if node is None or len(context) == self.order else self._backoff[len(context) - 1][node]

    def successors(self, context: Gram) -> list[tuple[int, float]]:
        """(token, natural-log probability) of every token listed after a context, by token; () lists all."""
        low, high = 0, self.size
        if context:
            node = self._find(context)
            if node is None or len(context) >= self.order:
                return []
            low, high = self._starts[len(context) - 1][node], self._starts[len(context) - 1][node + 1]
        level = len(context)
        return list(zip(self._tokens[level][low:high], self._log_prob[level][low:high], strict=True))

    def _find(self, gram: Gram) -> int | None:
        if len(gram) == 1:
            return gram[0] if 0 <= gram[0] < self.size else None
        if gram in self._memo:
            return self._memo[gram]
        parent = self._find(gram[:-1])
        node = None
        if parent is not None:
            level = len(gram) - 1
            low, high = self._starts[level - 1][parent], self._starts[level - 1][parent + 1]
            place = bisect_left(self._tokens[level], gram[-1], low, high)
            if place < high and self._tokens[level][place] == gram[-1]:
                node = place
        if len(self._memo) < 200_000:
            self._memo[gram] = node
        return node

    def to_bytes(self) -> bytes:
        """Compressed form: probabilities in steps of 0.05, so that scores differ by at most 0.025 an n-gram."""
        arrays: dict[str, NDArray[np.generic]] = {}
        for level in range(self.order):
            width = np.uint16 if self.size < 65_536 else np.int32
            arrays[f"tokens{level}"] = self.tokens[level].astype(width)
            arrays[f"log_prob{level}"] = _quantise(self.log_prob[level])
            if level + 1 < self.order:
                arrays[f"children{level}"] = np.diff(self.starts[level]).astype(np.uint16)
                arrays[f"backoff{level}"] = _quantise(self.backoff[level])
        out = io.BytesIO()
        np.savez_compressed(out, **arrays)  # type: ignore[arg-type]  # the stub takes the keyword for a flag
        return out.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Ngram:
        """What `to_bytes` wrote."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            levels = range(sum(name.startswith("tokens") for name in arrays))
            tokens = [arrays[f"tokens{i}"].astype(np.int32) for i in levels]
            log_prob = [-_STEP * arrays[f"log_prob{i}"].astype(np.float32) for i in levels]
            starts = [np.concatenate([[0], np.cumsum(arrays[f"children{i}"], dtype=np.int64)]) for i in levels[:-1]]
            backoff = [-_STEP * arrays[f"backoff{i}"].astype(np.float32) for i in levels[:-1]]
        log_prob[0][BEGIN] = -math.inf
        return cls(tokens, starts, log_prob, [*backoff, np.zeros(len(tokens[-1]), np.float32)])


def _quantise(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    finite = np.where(np.isfinite(values), values, -255 * _STEP)
    return np.clip(np.rint(finite / -_STEP), 0, 255).astype(np.uint8)


def estimate(sequences: Iterable[tuple[Sequence[int], float]], order: int, size: int, *, prune: float = 0.0) -> Ngram:
    """Model of the given order from (tokens, weight) pairs; tokens are 2...size-1, weight 1 is one occurrence.

    `prune` drops an n-gram of two or more tokens whose count times its gain in natural log over backing off is
    below it. Every token keeps a unigram probability, seen or not.
    """
    counts = _adjusted_counts(sequences, order)
    probs, gains = _interpolated(counts, size)
    kept = _thin(counts, gains, prune)
    return _trie(probs, kept, size)


def _adjusted_counts(sequences: Iterable[tuple[Sequence[int], float]], order: int) -> list[dict[Gram, float]]:
    """Per level: occurrences at the top, number of different left neighbours below (and for what begins a sequence)."""
    raw: list[defaultdict[Gram, float]] = [defaultdict(float) for _ in range(order)]
    for tokens, weight in sequences:
        padded = (BEGIN, *tokens, END)
        for end in range(2, len(padded) + 1):
            for n in range(1, min(order, end) + 1):
                if n in (order, end):
                    raw[n - 1][padded[end - n : end]] += weight
    for n in range(order - 1, 0, -1):
        lower = raw[n - 1]
        for gram, count in raw[n].items():
            # A light sentence must not lend its words more mass than it has itself.
            lower[gram[1:]] += min(1.0, count)
    return [dict(level) for level in raw]


def _interpolated(
    counts: list[dict[Gram, float]], size: int
) -> tuple[list[dict[Gram, float]], list[dict[Gram, float]]]:
    """Probability of every seen n-gram, and its gain in natural log over the lower order, level by level."""
    probs: list[dict[Gram, float]] = []
    gains: list[dict[Gram, float]] = []
    for level, table in enumerate(counts):
        discount = _discount(table)
        mass: defaultdict[Gram, float] = defaultdict(float)
        held: defaultdict[Gram, float] = defaultdict(float)
        for gram, count in table.items():
            mass[gram[:-1]] += count
            held[gram[:-1]] += discount * min(1.0, count)
        here: dict[Gram, float] = {}
        gain: dict[Gram, float] = {}
        for gram, count in table.items():
            context = gram[:-1]
            lower = probs[level - 1][gram[1:]] if level else 1.0 / (size - 1)
            back = held[context] / mass[context] * lower
            here[gram] = (count - discount * min(1.0, count)) / mass[context] + back
            gain[gram] = math.log(here[gram] / back)
        if level == 0:
            floor = held[()] / mass[()] / (size - 1) if mass else 1.0 / (size - 1)
            for token in range(1, size):
                here.setdefault((token,), floor)
        probs.append(here)
        gains.append(gain)
    return probs, gains


def _discount(table: Mapping[Gram, float]) -> float:
    ones = sum(0.5 < count < 1.5 for count in table.values())
    twos = sum(1.5 < count < 2.5 for count in table.values())
    return min(0.95, max(0.3, ones / (ones + 2 * twos))) if ones and twos else 0.5


def _thin(counts: list[dict[Gram, float]], gains: list[dict[Gram, float]], prune: float) -> list[set[Gram]]:
    kept: list[set[Gram]] = [set() for _ in counts]
    for level in range(len(counts) - 1, 0, -1):
        kept[level].update(g for g, count in counts[level].items() if count * gains[level][g] >= prune)
        kept[level - 1].update(gram[:-1] for gram in kept[level])
    return kept


def _trie(probs: list[dict[Gram, float]], kept: list[set[Gram]], size: int) -> Ngram:
    """Sort the kept n-grams into arrays; back-off weights make every distribution sum to one."""
    order = len(probs)
    grams: list[list[Gram]] = [[(token,) for token in range(size)]]
    grams += [sorted(kept[level]) for level in range(1, order)]
    probs[0][(BEGIN,)] = 0.0
    tokens, starts, log_prob, backoff = [], [], [], []
    for level in range(order):
        used: defaultdict[Gram, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
        for gram in grams[level + 1] if level + 1 < order else ():
            tally = used[gram[:-1]]
            tally[0] += 1
            tally[1] += probs[level + 1][gram]
            tally[2] += probs[level][gram[1:]]
        tokens.append(np.array([gram[-1] for gram in grams[level]], np.int32))
        values = np.array([probs[level].get(gram, 0.0) for gram in grams[level]])
        with np.errstate(divide="ignore"):
            log_prob.append(np.log(values).astype(np.float32))
        weights = np.zeros(len(grams[level]), np.float32)
        children = np.zeros(len(grams[level]), np.int64)
        for place, gram in enumerate(grams[level]):
            if gram in used:
                number, explicit, lower = used[gram]
                children[place] = int(number)
                weights[place] = math.log(max(1.0 - explicit, 1e-6) / max(1.0 - lower, 1e-6))
        backoff.append(weights)
        if level + 1 < order:
            starts.append(np.concatenate([[0], np.cumsum(children)]))
    return Ngram(tokens, starts, log_prob, backoff)
