"""Which sound says which piece of a written reply: what was heard of a reply that was cut off is known to the word.

Written and spoken words are aligned as sequences (Ratcliff & Obershelp, 1988, as `difflib` does it): what is spoken as
it is written ends with its own sound, and what was written otherwise (figures, signs) with the whole of what was said
for it, so that no piece ends before its sound.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise

_HAN = r"\u3400-\u9fff\uf900-\ufaff\u3007\U00020000-\U0003ffff"
_WORD = rf"[^\s{_HAN}，。！？；：、]"
_PIECE = re.compile(rf"[{_HAN}]|{_WORD}*[^\W_{_HAN}]{_WORD}*")


def pieces_of(written: str) -> list[str]:
    """Words, and single Han characters, each with the spaces and signs after it; joined they are the text."""
    starts = [found.start() for found in _PIECE.finditer(written)]
    cuts = [0, *starts[1:], len(written)]
    return [written[begin:end] for begin, end in pairwise(cuts) if end > begin]


def ends_of(pieces: Sequence[str], spoken: Sequence[str]) -> list[int]:
    """For each piece, how many of the spoken words must have been heard for it to be heard; never falls.

    All of them for the last piece.
    """
    written, said = [_key(piece) for piece in reversed(pieces)], [_key(word) for word in reversed(spoken)]
    ends = [0] * len(pieces)
    # from behind, so that of equal words the later one is taken
    for kind, begin, end, first, _ in SequenceMatcher(None, written, said, autojunk=False).get_opcodes():
        for place in range(begin, end):
            heard = first + (place - begin) * (kind == "equal")
            ends[len(pieces) - 1 - place] = len(spoken) - heard
    if ends:
        ends[-1] = len(spoken)
    return ends


def _key(word: str) -> str:
    """What of a word is compared: letters and digits, without accents and case."""
    plain = unicodedata.normalize("NFKD", word.casefold())
    return "".join(character for character in plain if character.isalnum())
