"""How a user writes the sound of a word that no list reads rightly: in words he knows, in pinyin, or in phones."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from step_audio_mini.errors import UserError
from step_audio_mini.text.lexicon import Pronunciation, is_han, words
from step_audio_mini.text.phones import PHONES, pinyin_units, strip_stress
from step_audio_mini.text.segment import LONGEST

LONGEST_SOUND = 200
"""Characters of a description."""
_PINYIN = re.compile(r"[a-zü:]+[1-5]")
_CAPITALS = re.compile(r"[A-Z]+[0-2]?")


def is_one_word(text: str) -> bool:
    """Whether a text is a word that search can find as one: an English word, or a few Chinese characters."""
    found = words(text)
    return len(found) == 1 or (1 < len(found) <= LONGEST and all(map(is_han, found)))


def sounds(text: str, pronounce: Callable[[str], Sequence[Pronunciation]]) -> tuple[Pronunciation, ...]:
    """Units of a description; several ways to say it stand between `|`. UserError names what cannot be said.

    Parts in between spaces are phones in capitals (`SH IH1`), pinyin with tone digits (`xiao3`), or words and Chinese
    characters, of which `pronounce` tells the sound: `sear sha`.
    """
    if len(text) > LONGEST_SOUND:
        raise UserError(f"a sound of {len(text)} characters is too long; use at most {LONGEST_SOUND}")
    variants = [tuple(u for part in way.split() for u in _units(part, pronounce)) for way in text.split("|")]
    if not all(variants):
        raise UserError("a sound is empty; write words, pinyin (xiao3) or phones in capitals (SH IH)")
    return tuple(dict.fromkeys(variants))


def _units(part: str, pronounce: Callable[[str], Sequence[Pronunciation]]) -> Pronunciation:
    if _CAPITALS.fullmatch(part):
        if (phone := part.rstrip("012")) not in PHONES:
            raise UserError(f"{part} is no phone of {' '.join(PHONES)}; write words in small letters")
        return (phone,)
    if _PINYIN.fullmatch(part):
        try:
            return pinyin_units(part)
        except ValueError:
            raise UserError(f"{part!r} is no pinyin syllable; write one like xiao3") from None
    out: list[str] = []
    for word in _whole_words(part):
        said = pronounce(word)
        if not said:
            raise UserError(f"nobody knows how {word!r} sounds; use other words, pinyin (xiao3) or phones (SH IH)")
        out += strip_stress(said[0])
    if not out:
        raise UserError(f"{part!r} has no sound; write words, pinyin (xiao3) or phones in capitals (SH IH)")
    return tuple(out)


def _whole_words(part: str) -> list[str]:
    """Its words, Chinese characters that stand together in one piece: their readings depend on each other."""
    out: list[str] = []
    for word in words(part):
        if out and is_han(word) and is_han(out[-1]):
            out[-1] += word
        else:
            out.append(word)
    return out
