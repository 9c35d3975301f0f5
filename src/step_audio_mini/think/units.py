"""Cuts text into units, the atoms that values are copied from: a Han character, an English word, a run of digits."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from step_audio_mini.types import Hypothesis, Language

_UNIT = re.compile(r"[㐀-䶿一-鿿]|[a-z]+(?:'[a-z]+)*|\d+(?:[.:]\d+)*|[%°]")
MAX_UNITS = 200
"""Longer input is cut: no command is that long, and the mind's cost grows with it."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One atom of what was said, lower case, with the recogniser's confidence (0..1)."""

    text: str
    confidence: float = 1.0

    @property
    def language(self) -> Language:
        """Chinese for a Han character, English for everything else."""
        return "zh" if is_han(self.text) else "en"


def is_han(text: str) -> bool:
    """True where the first character is a Han character."""
    return "㐀" <= text[:1] <= "鿿"


def split(text: str) -> list[str]:
    """Units of a text in order; full-width forms are folded, punctuation and other scripts fall away."""
    folded = unicodedata.normalize("NFKC", text[: MAX_UNITS * 40]).lower().replace("’", "'").replace("℃", "°")
    return _UNIT.findall(folded)[:MAX_UNITS]


def units_of(hypothesis: Hypothesis) -> list[Unit]:
    """Units of a recogniser's hypothesis; each keeps the confidence of the word it came from."""
    units = [Unit(text, word.confidence) for word in hypothesis.words for text in split(word.text)]
    return units[:MAX_UNITS]


def join(units: Sequence[str]) -> str:
    """Units as they are written: a space only between two that are not Han characters."""
    out = ""
    for text in units:
        glue = " " if out and not is_han(out[-1]) and not is_han(text) and text not in "%°" else ""
        out += glue + text
    return out
