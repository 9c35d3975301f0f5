"""Word graphs: a lexicon composed with an n-gram, determinised and minimised (Mohri, Pereira & Riley, 2002).

kaldifst does that work. The result leads from units (their places in `UNITS`) to words (tokens of the n-gram).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from step_audio_mini.listen.arcs import INFINITE, Arcs, from_fst, to_fst
from step_audio_mini.text.ngram import BEGIN, END, Ngram
from step_audio_mini.text.phones import UNIT_INDEX, UNITS

LINK_IN = len(UNITS)
"""Label of the arc from the start to the place between two words where nothing is remembered."""
LINK_OUT = len(UNITS) + 1
"""Label of arcs that leave that place: joined graphs pass from one to the other along them."""
_BACKOFF = len(UNITS) + 2
_FIRST_DISAMBIGUATION = len(UNITS) + 3

FIRST_WORD = 2
"""Output labels are token numbers of the n-gram: 0 is none, 1 is unused."""


def compile_words(pronunciations: Iterable[tuple[int, Sequence[str]]], model: Ngram) -> Arcs:
    """Word graph of (token, units) pairs and an n-gram over the tokens; a token without a pair cannot be said.

    Costs are -log probabilities of the n-gram, unscaled. Holds the link arcs.
    """
    return _compose(_lexicon_arcs(pronunciations, model.size), _grammar_arcs(model))


def compile_phrases(
    pronunciations: Iterable[tuple[int, Sequence[str]]], phrases: Iterable[Sequence[int]], size: int
) -> Arcs:
    """Word graph of phrases (rows of tokens below `size`), each said whole and at no cost. Holds the link arcs."""
    return _compose(_lexicon_arcs(pronunciations, size), _phrase_arcs(phrases, size))


def _compose(words: Arcs, sentences: Arcs) -> Arcs:
    import kaldifst

    lexicon = to_fst(words)
    kaldifst.arcsort(lexicon, sort_type="olabel")
    grammar = to_fst(sentences)
    kaldifst.arcsort(grammar, sort_type="ilabel")
    graph = kaldifst.compose(lexicon, grammar)
    del lexicon, grammar
    kaldifst.determinize_star(graph)
    kaldifst.minimize_encoded(graph)
    arcs = from_fst(graph)
    del graph
    unit = np.where((arcs.unit >= _BACKOFF), 0, arcs.unit).astype(np.int32)
    return _shorten(Arcs(unit, arcs.word, arcs.cost, arcs.target, arcs.first, arcs.final))


def _lexicon_arcs(pronunciations: Iterable[tuple[int, Sequence[str]]], size: int) -> Arcs:
    """One loop over all words; pronunciations that are equal or begin another end in a label of their own."""
    entries = sorted({(tuple(UNIT_INDEX[u] for u in units), token) for token, units in pronunciations})
    beginnings = {units[:n] for units, _ in entries for n in range(1, len(units))}
    times: dict[tuple[int, ...], int] = {}
    for units, _ in entries:
        times[units] = times.get(units, 0) + 1
    seen: dict[tuple[int, ...], int] = {}
    rows: list[tuple[int, int, int, int]] = []
    state = 1
    for units, token in entries:
        path = list(units)
        if times[units] > 1 or units in beginnings:
            seen[units] = seen.get(units, 0) + 1
            path.append(_FIRST_DISAMBIGUATION + seen[units] - 1)
        here = 0
        for place, unit in enumerate(path):
            there = 0 if place == len(path) - 1 else state
            rows.append((here, unit, token if place == 0 else 0, there))
            here, state = there, state + (there != 0)
    rows += [(0, label, label - LINK_IN + size, 0) for label in (LINK_IN, LINK_OUT, _BACKOFF)]
    table = np.array(rows, np.int64)
    final = np.full(state, INFINITE, np.float32)
    final[0] = 0.0
    return Arcs.gathered(table[:, 0], (table[:, 1], table[:, 2], np.zeros(len(rows)), table[:, 3]), final)


def _grammar_arcs(model: Ngram) -> Arcs:
    """The n-gram as an acceptor of tokens: a state for each context that something follows, arcs to shorter ones."""
    places = _Contexts(model)
    rows: list[tuple[int, int, int, float, int]] = []
    final = np.full(len(places.grams), INFINITE, np.float32)
    for state, gram in enumerate(places.grams):
        for token, cost, longer in places.successors(gram):
            if token == END:
                final[state] = cost
            else:
                rows.append((state, token, token, cost, places.state(longer)))
        if gram:
            rows.append((state, model.size + _BACKOFF - LINK_IN, 0, *places.shorter(gram)))
    root = places.state(())
    rows.append((0, model.size, 0, 0.0, root))
    exit_state = len(final)
    rows.append((root, model.size + 1, 0, 0.0, exit_state))
    final = np.append(final, np.float32(0.0))
    columns = list(zip(*rows, strict=True))
    return Arcs.gathered(np.array(columns[0]), [np.array(column) for column in columns[1:]], final)


def _phrase_arcs(phrases: Iterable[Sequence[int]], size: int) -> Arcs:
    """The phrases as a tree of tokens, entered at its root and left wherever a phrase ends."""
    nodes: dict[tuple[int, ...], int] = {(): 0}
    rows: list[tuple[int, int, int]] = [(0, size, 0)]
    ends: set[int] = set()
    for phrase in phrases:
        for length, token in enumerate(phrase, 1):
            node = tuple(phrase[:length])
            if node not in nodes:
                nodes[node] = len(nodes)
                rows.append((nodes[node[:-1]], token, nodes[node]))
        ends.add(nodes[tuple(phrase)])
    exit_state = len(nodes)
    rows += [(end, size + 1, exit_state) for end in sorted(ends)]
    table = np.array(rows, np.int64)
    word = np.where(table[:, 1] < size, table[:, 1], 0)
    final = np.full(exit_state + 1, INFINITE, np.float32)
    final[[*ends, exit_state]] = 0.0
    return Arcs.gathered(table[:, 0], (table[:, 1], word, np.zeros(len(rows)), table[:, 2]), final)


class _Contexts:
    """States of the n-gram acceptor: the contexts that have successors, the start of a sentence first."""

    def __init__(self, model: Ngram) -> None:
        self._model = model
        self.grams: list[tuple[int, ...]] = [(BEGIN,), ()] if model.order > 1 else [()]
        level: list[tuple[int, ...]] = [(token,) for token in range(model.size)]
        for depth in range(model.order - 1):
            followed = np.diff(model.starts[depth]) > 0
            self.grams += [gram for gram, any_ in zip(level, followed, strict=True) if any_ and gram != (BEGIN,)]
            owner = np.repeat(np.arange(len(level)), np.diff(model.starts[depth]))
            level = [(*level[o], int(t)) for o, t in zip(owner, model.tokens[depth + 1], strict=True)]
        self._state = {gram: state for state, gram in enumerate(self.grams)}

    def state(self, gram: tuple[int, ...]) -> int:
        """State of the longest end of the gram that is a context."""
        while gram not in self._state:
            gram = gram[1:]
        return self._state[gram]

    def shorter(self, gram: tuple[int, ...]) -> tuple[float, int]:
        """Cost and state of forgetting the oldest token."""
        return -self._model.weight(gram), self.state(gram[1:])

    def successors(self, gram: tuple[int, ...]) -> Iterable[tuple[int, float, tuple[int, ...]]]:
        """(token, cost, longer context) of what is listed after the context."""
        for token, log_prob in self._model.successors(gram):
            if token != BEGIN:
                yield token, -log_prob, (*gram, token)


def _shorten(arcs: Arcs) -> Arcs:
    """Skip states that only lead on by an empty arc (the ends of words that needed a label of their own)."""
    lone = (np.diff(arcs.first) == 1) & ~np.isfinite(arcs.final)
    only = np.where(lone, arcs.first[:-1], 0)
    lone &= (arcs.unit[only] == 0) & (arcs.word[only] == 0)
    jump = np.where(lone, arcs.target[only], np.arange(arcs.states)).astype(np.int32)
    price = np.where(lone, arcs.cost[only], np.float32(0)).astype(np.float32)
    price, jump = (price + np.where(lone, price[jump], np.float32(0))).astype(np.float32), jump[jump]
    keep = ~lone
    keep[0] = True
    number = np.cumsum(keep) - 1
    kept = keep[arcs.source]
    target = arcs.target[kept]
    return Arcs.gathered(
        number[arcs.source[kept]],
        (arcs.unit[kept], arcs.word[kept], arcs.cost[kept] + price[target], number[jump[target]]),
        arcs.final[keep],
    )
