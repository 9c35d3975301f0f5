"""Words and how they are spoken: the one place where writing meets units, for training, search and voice."""

from __future__ import annotations

import gzip
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from step_audio_mini.errors import UserError
from step_audio_mini.text.phones import UNIT_INDEX, pinyin_units, strip_stress, unit_indices

Pronunciation = tuple[str, ...]
"""Units of a word; English vowels carry a stress digit (`AH0`), Mandarin finals a tone digit (`ei1`)."""

_WORD = re.compile(
    r"[a-z]+(?:'[a-z]+)*|\d+(?:[.,:]\d+)*|[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3007\U00020000-\U0003ffff]"
)
_QUOTES = str.maketrans({"’": "'", "‘": "'", "＇": "'", "`": "'", "ʼ": "'"})


def is_han(word: str) -> bool:
    """True where the word is written in Chinese characters."""
    return bool(word) and ("\u3400" <= word[0] <= "\u9fff" or word[0] == "〇" or word[0] >= "\U00020000")


def words(text: str) -> tuple[str, ...]:
    """Spoken tokens of a transcript: lower-case English words with inner apostrophes, and single Han characters.

    Digits stay one token each (`1,280`): no lexicon holds them, so whoever wants them spoken spells them out before.
    Accents of Latin letters are dropped; everything else separates.
    """
    if text.isascii():
        return tuple(_WORD.findall(text.replace("`", "'").lower()))
    folded = unicodedata.normalize("NFKC", text).translate(_QUOTES).lower()
    plain = "".join(c for c in unicodedata.normalize("NFD", folded) if not unicodedata.combining(c))
    return tuple(_WORD.findall(unicodedata.normalize("NFC", plain)))


_VARIANT = " | "


class Lexicon:
    """Word to its pronunciations, best first; knows nothing of search or voice.

    `fallback` (letter-to-sound) is asked for words that are not listed; without it such words have no pronunciation.
    """

    def __init__(
        self,
        entries: Mapping[str, tuple[Pronunciation, ...]],
        fallback: Callable[[str], Pronunciation | None] | None = None,
    ) -> None:
        self._spoken = {word: _VARIANT.join(" ".join(p) for p in spoken) for word, spoken in entries.items()}
        self._fallback = fallback
        self._units: dict[str, tuple[Pronunciation, ...]] = {}  # of words that were asked for

    @classmethod
    def load(cls, path: Path, fallback: Callable[[str], Pronunciation | None] | None = None) -> Lexicon:
        """Read `word TAB units` lines (a word may have several), plain or gzip; CMUdict in this layout too."""
        return cls(_collect(read_entries(path)), fallback)

    @classmethod
    def from_bytes(cls, data: bytes, fallback: Callable[[str], Pronunciation | None] | None = None) -> Lexicon:
        """What `to_bytes` wrote: not checked again, and read in a tenth of a second."""
        lexicon = cls({}, fallback)
        lines = gzip.decompress(data).decode("utf-8").splitlines()
        lexicon._spoken = dict(line.split("\t", 1) for line in lines)
        return lexicon

    def to_bytes(self) -> bytes:
        """Compressed `word TAB variants` lines in the order of words; the same lexicon gives the same bytes."""
        lines = "".join(f"{word}\t{self._spoken[word]}\n" for word in sorted(self._spoken))
        return gzip.compress(lines.encode("utf-8"), mtime=0)

    def __contains__(self, word: str) -> bool:
        return word in self._spoken

    def __len__(self) -> int:
        return len(self._spoken)

    def __iter__(self) -> Iterator[str]:
        return iter(self._spoken)

    def pronunciations(self, word: str) -> tuple[Pronunciation, ...]:
        """All pronunciations with stress digits, best first; the fallback's, or none, for an unlisted word."""
        found = self._spoken.get(word) or self._spoken.get(word.lower())
        if found:
            return tuple(tuple(variant.split()) for variant in found.split(_VARIANT))
        if word.endswith("'s") and len(word) > 2:
            return tuple(_possessive(stem) for stem in self.pronunciations(word[:-2]))
        guess = self._fallback(word) if self._fallback else None
        return (guess,) if guess else ()

    def units(self, word: str) -> tuple[Pronunciation, ...]:
        """All pronunciations as recogniser units (no stress), without repetitions."""
        found = self._units.get(word)
        if found is None:
            found = self._units[word] = tuple(dict.fromkeys(strip_stress(p) for p in self.pronunciations(word)))
        return found

    def merged(self, other: Lexicon) -> Lexicon:
        """The same lexicon with the words it lacks taken from another; own pronunciations and own fallback stay."""
        both = Lexicon({}, self._fallback or other._fallback)
        both._spoken = {**other._spoken, **self._spoken}
        return both


_SIBILANTS = frozenset(("S", "Z", "SH", "ZH", "CH", "JH"))
_VOICELESS = frozenset(("P", "T", "K", "F", "TH"))


def _possessive(stem: Pronunciation) -> Pronunciation:
    """English `'s` by the stem's last phone: `IH0 Z` after a sibilant, `S` after a voiceless phone, else `Z`."""
    if stem[-1] in _SIBILANTS:
        return (*stem, "IH0", "Z")
    return (*stem, "S" if stem[-1] in _VOICELESS else "Z")


def read_entries(path: Path) -> Iterator[tuple[str, Pronunciation]]:
    """Lines of a lexicon file in order; a line whose units are unknown is an error that names it."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as cause:
        raise UserError(f"lexicon {path} cannot be read ({cause}); give a UTF-8 file of word TAB units") from cause
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        word, _, units = line.partition("\t")
        phones = tuple(units.split())
        if not word or not phones or any(unit not in UNIT_INDEX for unit in strip_stress(phones)):
            raise UserError(f"lexicon {path} line {number} is not 'word TAB units'; mend or remove it")
        yield word, phones


def _collect(entries: Iterable[tuple[str, Pronunciation]]) -> dict[str, tuple[Pronunciation, ...]]:
    out: dict[str, tuple[Pronunciation, ...]] = {}
    for word, phones in entries:
        known = out.get(word, ())
        if phones not in known:
            out[word] = (*known, phones)
    return out


def english_units(word: str, lexicon: Lexicon) -> Pronunciation | None:
    """Units of the first pronunciation of an English word, None for a word without one."""
    found = lexicon.units(word)
    return found[0] if found else None


def transcript_units(text: str, pinyin: str | None, lexicon: Lexicon) -> tuple[int, ...] | None:
    """Training targets of a transcript as indices of `UNITS`; None where a word has no pronunciation.

    `pinyin` (numbered syllables, space separated, lexical) rules where it is given; a token in it that is no
    syllable is looked up as an English word (`T恤` is written `T xu4`). Without it, every word of `text` goes through
    the lexicon.
    """
    units: list[str] = []
    for token in pinyin.split() if pinyin else words(text):
        if pinyin:
            try:
                units.extend(pinyin_units(token))
                continue
            except ValueError:
                pass
        found = [english_units(part, lexicon) for part in words(token)]
        if not found:
            return None
        for pronunciation in found:
            if pronunciation is None:
                return None
            units.extend(pronunciation)
    return unit_indices(units) if units else None
