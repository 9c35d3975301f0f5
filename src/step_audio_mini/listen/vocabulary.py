"""The words a search can find, how they are spoken, and how common they are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

from step_audio_mini.text.lexicon import Pronunciation, is_han
from step_audio_mini.text.phones import pinyin_units, strip_stress

FIRST_WORD = 2
"""Token of the first word: 0 is no word, 1 the end of a sentence."""

Pronounce = Callable[[str], Sequence[Pronunciation]]
"""Word to its pronunciations; none where it has none."""


class Vocabulary:
    """Words in token order with their pronunciations (units) and costs (-log probability, for cutting Chinese)."""

    def __init__(self, words: Sequence[str], costs: Mapping[str, float], spoken: Sequence[str]) -> None:
        """`spoken[i]` holds the pronunciations of `words[i]`: units by spaces, variants by `|`."""
        self.words, self.costs = list(words), dict(costs)
        self._spoken = list(spoken)

    @cached_property
    def _place(self) -> dict[str, int]:
        return {word: place for place, word in enumerate(self.words)}

    def __contains__(self, word: str) -> bool:
        return word in self._place

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def key(self) -> str:
        """Hash of all it holds."""
        return hashlib.sha256(self.to_text().encode()).hexdigest()

    def token(self, word: str) -> int:
        """Token of a word; KeyError for an unknown one."""
        return self._place[word] + FIRST_WORD

    def word(self, token: int) -> str:
        """Word of a token."""
        return self.words[token - FIRST_WORD]

    def pronunciations(self, token: int) -> tuple[Pronunciation, ...]:
        """Units of a word, every way it is spoken."""
        return tuple(tuple(variant.split()) for variant in self._spoken[token - FIRST_WORD].split("|"))

    def extended(self, words: Iterable[str], pronounce: Pronounce) -> Vocabulary:
        """The vocabulary with further words at its end; those nobody can pronounce stay out. Tokens stay valid."""
        fresh, spoken = [], []
        for word in sorted(set(words)):
            if word not in self:
                variants = dict.fromkeys(strip_stress(variant) for variant in pronounce(word))
                if variants:
                    fresh.append(word)
                    spoken.append("|".join(" ".join(variant) for variant in variants))
        return self.longer(fresh, spoken)

    def longer(self, words: Sequence[str], spoken: Sequence[str]) -> Vocabulary:
        """The vocabulary with words at its end; `spoken` as for the constructor."""
        return Vocabulary([*self.words, *words], self.costs, [*self._spoken, *spoken]) if words else self

    def taught(self, sounds: Mapping[str, Sequence[Pronunciation]]) -> Vocabulary:
        """The vocabulary with words spoken as told: new ones at its end, known ones in that way too. Tokens stay valid.

        Chinese text is cut so that these words stay whole.
        """
        spoken = {word: dict.fromkeys(" ".join(way) for way in ways) for word, ways in sounds.items()}
        known = {word: ways for word, ways in spoken.items() if word in self}
        fresh = [word for word in spoken if word not in known]
        old = list(self._spoken)
        for word, ways in known.items():
            place = self._place[word]
            old[place] = "|".join(dict.fromkeys((*old[place].split("|"), *ways)))
        costs = self.costs | {word: 0.0 for word in spoken if is_han(word)}
        return Vocabulary([*self.words, *fresh], costs, [*old, *("|".join(spoken[word]) for word in fresh)])

    def since(self, length: int) -> list[tuple[str, str]]:
        """(word, how it is spoken) of the words after the first `length`."""
        return list(zip(self.words[length:], self._spoken[length:], strict=True))

    def to_text(self) -> str:
        """One `word TAB cost TAB pronunciations` line a word, in token order."""
        rows = zip(self.words, self._spoken, strict=True)
        return "".join(f"{word}\t{self.costs.get(word, 0.0):.2f}\t{spoken}\n" for word, spoken in rows)

    @classmethod
    def from_text(cls, text: str) -> Vocabulary:
        """What `to_text` wrote."""
        words, costs, spoken = [], {}, []
        for line in text.splitlines():
            word, cost, ways = line.split("\t")
            words.append(word)
            costs[word] = float(cost)
            spoken.append(ways)
        return cls(words, costs, spoken)


def spoken_chinese(word: str) -> tuple[Pronunciation, ...]:
    """Pronunciation of a Chinese word that no list has, by pypinyin; none where a sign is no known character."""
    if not all(map(is_han, word)):
        return ()
    from pypinyin import Style, lazy_pinyin

    try:
        syllables = lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True)
        return (tuple(unit for syllable in syllables for unit in pinyin_units(syllable)),)
    except ValueError:
        return ()
