"""Cuts text into the words of a vocabulary: English at its spaces, Chinese by the likeliest sequence of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from step_audio_mini.text.lexicon import is_han, words

LONGEST = 6
"""Characters in the longest Chinese word looked for."""

UNKNOWN_COST = 25.0
"""Cost of a character that is no word: more than any word's."""


def segment(text: str, costs: Mapping[str, float]) -> tuple[str, ...]:
    """Words of a sentence; `costs` is the -log probability of each vocabulary word.

    English words and digits stay as they stand, in the vocabulary or not; a Chinese character that begins no word of
    the vocabulary stays alone. Among equal sums the longer first word wins.
    """
    return segment_tokens(words(text), costs)


def segment_tokens(tokens: Sequence[str], costs: Mapping[str, float]) -> tuple[str, ...]:
    """The same for a sentence that is cut into spoken tokens already."""
    out: list[str] = []
    run: list[str] = []
    for token in tokens:
        if is_han(token):
            run.append(token)
            continue
        out.extend(_cut(run, costs))
        out.append(token)
        run = []
    return (*out, *_cut(run, costs))


def _cut(run: Sequence[str], costs: Mapping[str, float]) -> tuple[str, ...]:
    """Cheapest cut of a run of characters, found from its end."""
    best = [0.0] * (len(run) + 1)
    step = [1] * (len(run) + 1)
    for start in range(len(run) - 1, -1, -1):
        best[start] = costs.get(run[start], UNKNOWN_COST) + best[start + 1]
        for size in range(2, min(LONGEST, len(run) - start) + 1):
            cost = costs.get("".join(run[start : start + size]))
            if cost is not None and cost + best[start + size] <= best[start]:
                best[start], step[start] = cost + best[start + size], size
    cuts: list[str] = []
    place = 0
    while place < len(run):
        cuts.append("".join(run[place : place + step[place]]))
        place += step[place]
    return tuple(cuts)
