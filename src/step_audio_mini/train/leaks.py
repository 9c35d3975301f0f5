"""What test speakers say stays out of a language model, whole sentences and parts of them.

A reader of a book is cut into utterances elsewhere than the book into sentences, so equality of sentences is not
enough: a sentence that shares a run of words with a reserved transcript is dropped, and a source that shares many is
dropped whole, because it is the very book that was read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from step_audio_mini.text.lexicon import is_han, words

ENGLISH_RUN = 6
"""Words in a row that no sentence may share with a reserved transcript."""
CHINESE_RUN = 8
"""Characters in a row."""
MANY_RUNS = 15
"""A book that shares as many different runs is left out whole: common phrases make one share one or two, seldom ten."""

Run = tuple[str, ...]


class Reserved:
    """Dev and test transcripts, as whole sentences and as runs of their spoken tokens."""

    def __init__(self, transcripts: Iterable[str]) -> None:
        rows = {words(text) for text in transcripts}
        self._sentences = rows
        self._runs = {run for row in rows for run in _runs(row)}

    def __len__(self) -> int:
        return len(self._sentences)

    def shared(self, tokens: Run) -> list[Run]:
        """Runs, or the whole sentence, that the tokens share with a transcript; empty where they may be learnt."""
        length, runs = _length(tokens), self._runs
        starts = range(len(tokens) - length + 1)
        found = [tokens[start : start + length] for start in starts if tokens[start : start + length] in runs]
        return [*found, tokens] if tokens in self._sentences else found


def read_sources(shared: Mapping[str, Sequence[Run]], many: int = MANY_RUNS) -> set[str]:
    """Sources that hold so many of the runs that a test speaker must have read from them; rows of runs by source."""
    return {source for source, runs in shared.items() if len(set(runs)) >= many}


def without_leaks(
    rows: Iterable[tuple[str, Run, float]], reserved: Reserved, many: int = MANY_RUNS
) -> Iterator[tuple[Run, float]]:
    """(tokens, weight) of rows of (source, tokens, weight) that share nothing with the reserved transcripts."""
    kept: list[tuple[str, Run, float]] = []
    shared: defaultdict[str, list[Run]] = defaultdict(list)
    for source, tokens, weight in rows:
        runs = reserved.shared(tokens)
        if runs:
            shared[source] += runs
        else:
            kept.append((source, tokens, weight))
    barred = read_sources({name: runs for name, runs in shared.items() if "/" in name}, many)
    for source, tokens, weight in kept:
        if source not in barred:
            yield tokens, weight


def _runs(tokens: Run) -> Iterator[Run]:
    length = _length(tokens)
    for start in range(len(tokens) - length + 1):
        yield tokens[start : start + length]


def _length(tokens: Run) -> int:
    return CHINESE_RUN if mostly_han(tokens) else ENGLISH_RUN


def mostly_han(tokens: Run) -> bool:
    """True where half of the tokens or more are Chinese characters."""
    return not "".join(tokens).isascii() and 2 * sum(map(is_han, tokens)) >= len(tokens)
