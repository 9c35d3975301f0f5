"""Letter-to-sound for English words that no lexicon lists: a joint-sequence n-gram with beam search.

A word is a sequence of pairs, each one letter and the zero to two phones it stands for (Bisani & Ney, 2008, with one
letter a pair); an n-gram over pairs scores a spelling and its sound together. The model is made by `train.lexicons`.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from step_audio_mini.errors import UserError
from step_audio_mini.text.ngram import BEGIN, END, Gram, Ngram

Pair = tuple[str, tuple[str, ...]]
"""A letter and its phones."""

FIRST_PAIR = 2
"""Token of the first pair; 0 and 1 are the n-gram's own."""

MAX_LETTERS = 40
"""Longer words are refused: no English word is, and search time grows with length."""


class LetterToSound:
    """Guesses how an English word is spoken, stress digits included; the same word twice gives the same answer."""

    def __init__(self, pairs: Sequence[Pair], model: Ngram, *, beam: int = 12) -> None:
        self._pairs = tuple(pairs)
        self._model = model
        self._beam = beam

    @cached_property
    def _by_letter(self) -> dict[str, list[int]]:
        table: defaultdict[str, list[int]] = defaultdict(list)
        for place, (letter, _) in enumerate(self._pairs):
            table[letter].append(place + FIRST_PAIR)
        return dict(table)

    def __call__(self, word: str) -> tuple[str, ...] | None:
        """Phones of the word, None where it holds a sign that is no English letter or is too long."""
        letters = word.lower()
        if not 0 < len(letters) <= MAX_LETTERS or any(c not in self._by_letter for c in letters):
            return None
        beam: list[tuple[float, Gram]] = [(0.0, (BEGIN,))]
        for letter in letters:
            grown = [
                (score + self._model.score(history, pair), (*history, pair))
                for score, history in beam
                for pair in self._by_letter[letter]
            ]
            beam = sorted(grown, key=lambda item: (-item[0], item[1]))[: self._beam]
        ended = [(score + self._model.score(history, END), history) for score, history in beam]
        best = max(ended, key=lambda item: item[0])[1]
        phones = tuple(phone for pair in best[1:] for phone in self._pairs[pair - FIRST_PAIR][1])
        return phones or None

    def to_bytes(self) -> bytes:
        """One zip of the pairs and the n-gram."""
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            pairs = json.dumps([[letter, " ".join(phones)] for letter, phones in self._pairs])
            for name, data in (("pairs.json", pairs.encode()), ("ngram.npz", self._model.to_bytes())):
                archive.writestr(zipfile.ZipInfo(name), data)
        return out.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> LetterToSound:
        """What `to_bytes` wrote."""
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            pairs = [(letter, tuple(phones.split())) for letter, phones in json.loads(archive.read("pairs.json"))]
            return cls(pairs, Ngram.from_bytes(archive.read("ngram.npz")))

    @classmethod
    def load(cls, path: Path) -> LetterToSound:
        """Read the shipped model; a damaged file is an error that names it."""
        try:
            return cls.from_bytes(path.read_bytes())
        except (OSError, zipfile.BadZipFile, KeyError, ValueError) as cause:
            raise UserError(f"letter-to-sound model {path} is missing or damaged; install the package again") from cause
