"""Text to what the acoustic model reads: clauses of phones with stress or tone, word edges, kind of clause end."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from step_audio_mini.errors import UserError
from step_audio_mini.text.hanzi import pronounce
from step_audio_mini.text.lexicon import Lexicon
from step_audio_mini.text.phones import FINALS, INITIALS, PHONES, pinyin_units
from step_audio_mini.types import Language

PAD, EDGE, PAUSE = "<pad>", "<edge>", "<pause>"
SYMBOLS: tuple[str, ...] = (PAD, EDGE, PAUSE, *PHONES, *INITIALS, *FINALS)
"""Phones of the voice: those of the joint alphabet without tones, padding, clause edge and pause."""
SYMBOL_INDEX = {symbol: index for index, symbol in enumerate(SYMBOLS)}

TONES: tuple[str, ...] = ("none", "1", "2", "3", "4", "5", "unstressed", "primary", "secondary")
"""Mandarin tones of finals and English stress of vowels share one table of ids; consonants have none."""
MARKS = 4
"""Word position of a phone: 1 where a word begins, plus 2 where it ends."""
ENDS: tuple[str, ...] = ("statement", "continuing", "question", "exclamation")
"""How the clause ends that a phone belongs to."""

LONGEST_CLAUSE = 160
"""Phones after which a clause without punctuation is cut: bounds time to the first sound, and memory."""
_SHORT_CLAUSE = 12
"""A clause of fewer phones is spoken in one breath with the next of its sentence."""

_TOKEN = re.compile(
    r"\[\[(?P<raw>[^\[\]]*)\]\]|(?P<han>[\u3400-\u9fff\uf900-\ufaff\u3007\U00020000-\U0003ffff]+)"
    r"|(?P<word>[A-Za-z]+(?:['’][A-Za-z]+)*)|(?P<mark>[.!?;:,—…、。！？；：，\n]+|\s[-–]\s)"
)
_END_OF_MARK = {"?": "question", "？": "question", "!": "exclamation", "！": "exclamation"}
_FULL_STOPS = frozenset(".。;；…\n")
_SECONDS_AFTER = {"statement": 0.32, "continuing": 0.16, "question": 0.36, "exclamation": 0.32}
_LETTERS = {
    "A": "EY1", "B": "B IY1", "C": "S IY1", "D": "D IY1", "E": "IY1", "F": "EH1 F", "G": "JH IY1", "H": "EY1 CH",
    "I": "AY1", "J": "JH EY1", "K": "K EY1", "L": "EH1 L", "M": "EH1 M", "N": "EH1 N", "O": "OW1", "P": "P IY1",
    "Q": "K Y UW1", "R": "AA1 R", "S": "EH1 S", "T": "T IY1", "U": "Y UW1", "V": "V IY1",
    "W": "D AH1 B AH0 L Y UW0", "X": "EH1 K S", "Y": "W AY1", "Z": "Z IY1",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Clause:
    """One stretch of speech between pauses; the four tuples have one entry a phone, edges included."""

    phones: tuple[int, ...]
    """Indices of `SYMBOLS`."""
    tones: tuple[int, ...]
    """Indices of `TONES`."""
    marks: tuple[int, ...]
    """0 inside a word, 1 first, 2 last, 3 only phone of a word."""
    ends: tuple[int, ...]
    """Indices of `ENDS`."""
    language: Language
    """Language of all words of the clause: a change of language begins a new clause."""
    pause: float
    """Seconds of silence that follow."""
    said: tuple[tuple[str, int], ...] = field(default=(), compare=False)
    """What is said, a word or a Han character each, and the number of phones up to its end."""


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A spoken word as (symbol, tone) pairs, or a punctuation mark (no phones, an `end` from `ENDS`)."""

    phones: tuple[tuple[str, str], ...]
    language: Language
    end: str = ""
    silent: bool = True
    """A mark inside a clause is heard as a pause; natural speech sometimes leaves it out."""
    text: str = field(default="", compare=False)
    """As it stands in the spoken text; empty for phones given as such."""

    @property
    def parts(self) -> Iterator[tuple[str, int]]:
        """A Han character each, or the whole word, with the number of its phones up to its end."""
        ends = [place for place, (_, tone) in enumerate(self.phones, 1) if tone.isdigit()]
        if self.language == "zh" and len(ends) == len(self.text):  # the final, which ends a syllable, has the tone
            yield from zip(self.text, ends, strict=True)
        else:
            yield self.text, len(self.phones)


class Frontend:
    """Turns spoken text (numbers already written out) into clauses. Knows the lexicon; knows nothing of voices."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon

    def clauses(self, text: str) -> Iterator[Clause]:
        """Clauses of text in either language or both; nothing for text without a sound.

        `[[HH AH0 L OW1]]` and `[[ni3 hao3]]` are phones as they stand; an unknown phone there is a UserError.
        """
        held: list[SpokenWord] = []
        for word in self.words(text):
            spoken = [other for other in held if not other.end]
            size = sum(len(other.phones) for other in spoken)
            if word.end:
                if not spoken:
                    continue
                held.append(word)
                if word.end != "continuing" or size >= _SHORT_CLAUSE:
                    yield clause(held)
                    held = []
            else:
                if spoken and (word.language != spoken[-1].language or size + len(word.phones) > LONGEST_CLAUSE):
                    yield clause(held)
                    held = []
                held.append(word)
        if any(not word.end for word in held):
            yield clause(held)

    def words(self, text: str) -> Iterator[SpokenWord]:
        """Spoken words and punctuation marks in order."""
        for token in _TOKEN.finditer(text):
            kind = token.lastgroup
            if kind == "raw":
                yield from _raw(token["raw"])
            elif kind == "han":
                rest = token["han"]
                for syllables in pronounce(rest):
                    yield _mandarin(syllables, rest[: len(syllables)])
                    rest = rest[len(syllables) :]
            elif kind == "word":
                followed = text[token.end() : token.end() + 1].isspace()
                yield from self._english(token["word"].replace("’", "'"), followed)
            else:
                yield SpokenWord((), "en", _end(token["mark"]))

    def _english(self, word: str, followed: bool) -> Iterator[SpokenWord]:
        """A listed word as it is; initials (`TV`, `USB`) letter by letter; the rest by letter-to-sound.

        `A` is the article only where a space follows: not in `A股` or `A, B`.
        """
        bare = word.lower()
        initials = word.isupper() and len(word) <= 5 and (len(word) == 1 or bare not in self._lexicon)
        if initials and word != "I" and not (word == "A" and followed):
            yield from _spelled(word, word)
            return
        found = self._lexicon.pronunciations(bare)
        if found:
            yield _arpabet(found[0], word)
        else:
            yield from _spelled(bare.replace("'", "").upper(), word)


def clause(words: Sequence[SpokenWord]) -> Clause:
    """Join words and marks; a mark inside is a pause, and each mark says how the phones before it end."""
    phones, tones, marks, ends = [EDGE], ["none"], [0], [""]
    said: list[tuple[str, int]] = []
    last = len(words) - 1
    for number, word in enumerate(words):
        if word.phones:
            said += [(text, len(phones) + count) for text, count in word.parts]
        for place, (symbol, tone) in enumerate(word.phones):
            phones.append(symbol)
            tones.append(tone)
            marks.append((place == 0) + 2 * (place == len(word.phones) - 1))
            ends.append("")
        if word.end:
            ends = [end or word.end for end in ends]
            if word.silent and number < last:
                phones.append(PAUSE)
                tones.append("none")
                marks.append(0)
                ends.append(word.end)
    end = words[last].end
    closing = end or "statement"
    return Clause(
        phones=tuple(SYMBOL_INDEX[symbol] for symbol in [*phones, EDGE]),
        tones=tuple(TONES.index(tone) for tone in [*tones, "none"]),
        marks=(*marks, 0),
        ends=tuple(ENDS.index(one or closing) for one in [*ends, ""]),
        language=next(word.language for word in words if word.phones),
        pause=_SECONDS_AFTER[closing] if end else 0.0,
        said=tuple(said),
    )


def _end(mark: str) -> str:
    for character in mark:
        if character in _END_OF_MARK:
            return _END_OF_MARK[character]
    return "statement" if any(character in _FULL_STOPS for character in mark) else "continuing"


def _mandarin(syllables: Iterable[str], text: str = "") -> SpokenWord:
    units = [unit for syllable in syllables for unit in pinyin_units(syllable)]
    phones = tuple((unit[:-1], unit[-1]) if unit[-1].isdigit() else (unit, "none") for unit in units)
    return SpokenWord(phones, "zh", text=text)


def _arpabet(phones: Iterable[str], text: str = "") -> SpokenWord:
    stress = {"0": "unstressed", "1": "primary", "2": "secondary"}
    said = tuple((phone.rstrip("012"), stress.get(phone[-1], "none")) for phone in phones)
    return SpokenWord(said, "en", text=text)


def _spelled(letters: str, text: str) -> Iterator[SpokenWord]:
    """A word letter by letter; the text was said when the last of them was."""
    for place, letter in enumerate(letters, 1):
        yield _arpabet(_LETTERS[letter].split(), text if place == len(letters) else "")


def _raw(phones: str) -> Iterator[SpokenWord]:
    """Words of a `[[...]]` passage: neighbouring ARPAbet phones are one word, pinyin syllables one word each."""
    english: list[str] = []
    for phone in phones.split():
        if phone.rstrip("012") in PHONES:
            english.append(phone)
            continue
        if english:
            yield _arpabet(english)
            english = []
        try:
            yield _mandarin([phone])
        except ValueError as cause:
            raise UserError(
                f"[[{phone}]] is no ARPAbet phone and no pinyin syllable; write [[HH AH0 L OW1]] or [[ni3 hao3]]"
            ) from cause
    if english:
        yield _arpabet(english)
