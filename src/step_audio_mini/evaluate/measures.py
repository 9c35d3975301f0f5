"""Counts what went wrong between what was said and what was heard, in the field's usual measures.

Every measure gives (errors, reference length) of one clip; `intervals` makes figures of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from step_audio_mini.text.lexicon import Lexicon, is_han, words
from step_audio_mini.text.phones import pinyin_units, strip_stress, units_syllables

ErrorCount = tuple[int, int]
"""Errors (substitutions, deletions, insertions) and length of the reference."""


def edit_errors(reference: Sequence[str], heard: Sequence[str]) -> ErrorCount:
    """Levenshtein distance between two rows of tokens, and the length of the reference."""
    from jiwer import process_words

    if not reference:
        return len(heard), 0
    # jiwer splits at spaces, so no token may hold one
    said, got = (" ".join(token.replace(" ", "_") for token in row) for row in (reference, heard))
    found = process_words(said, got)
    return found.substitutions + found.deletions + found.insertions, len(reference)


def word_errors(reference: str, heard: str) -> ErrorCount:
    """Word error over English words (apostrophes kept, case and punctuation dropped) and single Han characters.

    For English alone this is the word error rate, for a Chinese sentence the character error rate, and for a mixed
    sentence both. Digits should be spelled out on both sides before: `17` counts as one wrong word.
    """
    return edit_errors(words(reference), words(heard))


def character_errors(reference: str, heard: str) -> ErrorCount:
    """Mandarin character error: Han characters only; anything else that was heard counts as wrong."""
    return edit_errors([word for word in words(reference) if is_han(word)], words(heard))


def syllable_errors(pinyin: str, units: Sequence[str], *, tones: bool = False) -> ErrorCount | None:
    """Mandarin syllable error of recognised units against a pinyin transcript, toneless by default.

    Units are paired initial + final from left to right; an orphan equals no syllable and so is an error; erhua is a
    syllable of its own. None where the transcript holds what is no Mandarin syllable (a Latin word): drop and count it.
    """
    said: list[str] = []
    for syllable in pinyin.split():
        try:
            said += pinyin_units(syllable)
        except ValueError:
            return None
    return edit_errors(units_syllables(said, tones=tones), units_syllables(units, tones=tones))


def phone_errors(text: str, units: Sequence[str], lexicon: Lexicon) -> ErrorCount | None:
    """English phone error of recognised units against the best row of listed pronunciations of the transcript.

    None where the lexicon (CMUdict) lacks a word: drop the clip and count it.
    """
    spoken = words(text)
    if not spoken or any(word not in lexicon for word in spoken):
        return None
    variants = [tuple(dict.fromkeys(strip_stress(said) for said in lexicon.pronunciations(word))) for word in spoken]
    return variant_errors(variants, units)


def variant_errors(variants: Sequence[Sequence[Sequence[str]]], units: Sequence[str]) -> ErrorCount:
    """Fewest edits from `units` to any row that takes one of the variants of each word, and the length of that row.

    The rows form a lattice: each word's column of costs is the minimum over its variants (ties: the shorter row).
    """
    column = [(place, 0) for place in range(len(units) + 1)]  # (errors, phones said so far) after each heard unit
    for word in variants:
        ends = [_through(column, variant, units) for variant in word]
        column = [min(cells) for cells in zip(*ends, strict=True)]
    return column[-1]


def _through(column: list[ErrorCount], phones: Sequence[str], units: Sequence[str]) -> list[ErrorCount]:
    """The column of edit costs after one more pronunciation."""
    for phone in phones:
        errors, length = column[0]
        row = [(errors + 1, length + 1)]
        for place, unit in enumerate(units):
            errors, length = column[place]
            same = (errors + (phone != unit), length + 1)
            errors, length = column[place + 1]
            missed = (errors + 1, length + 1)
            added = (row[-1][0] + 1, row[-1][1])
            row.append(min(same, missed, added))
        column = row
    return column


def slots_right(expected: Mapping[str, object], found: Mapping[str, object]) -> bool:
    """True where the same slots have the same values, case and outer spaces apart."""
    return _plain(expected) == _plain(found)


def _plain(slots: Mapping[str, object]) -> dict[str, str]:
    return {name: _value(value) for name, value in slots.items()}


def _value(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return " ".join(str(value).lower().split())
