"""What was heard of a turn in two pieces, because its speaker went on after it had been taken for finished."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np

from step_audio_mini.types import Hearing, Hypothesis

MOST = 5
"""Readings of each piece that are put together, and of the whole that are kept."""


def joined(first: Hearing, second: Hearing) -> Hearing:
    """The hearing of both pieces, as of one turn; attributes are those of the piece with more words."""
    if not first.best.words or not second.best.words:
        return second if second.best.words else first
    offset = max(word.end for reading in first.nbest for word in reading.words)
    pairs = product(first.nbest[:MOST], second.nbest[:MOST])
    readings = sorted((_after(one, other, offset) for one, other in pairs), key=lambda both: -both.score)
    longer = max(first, second, key=lambda piece: len(piece.best.words))
    vectors = [piece.vectors for piece in (first, second) if len(piece.vectors)]
    together = np.concatenate(vectors) if vectors else second.vectors
    return Hearing(tuple(readings[:MOST]), longer.attributes, together)


def _after(one: Hypothesis, other: Hypothesis, offset: float) -> Hypothesis:
    later = [replace(word, start=word.start + offset, end=word.end + offset) for word in other.words]
    return Hypothesis((*one.words, *later), one.score + other.score)
