"""Hot words: names and phrases of a user that the search prefers, wherever in a sentence they are said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from step_audio_mini.errors import UserError
from step_audio_mini.listen.arcs import Arcs
from step_audio_mini.listen.vocabulary import FIRST_WORD, Pronounce, Vocabulary
from step_audio_mini.listen.wordgraph import compile_phrases
from step_audio_mini.text.lexicon import Pronunciation, words
from step_audio_mini.text.segment import segment
from step_audio_mini.text.sounds_like import is_one_word, sounds

MOST = 1000
"""More hot words would be no choice any more."""
LONGEST = 100
"""Characters of one."""


@dataclass(frozen=True)
class HotWord:
    """A phrase, and how it sounds where its spelling does not tell."""

    text: str
    sound: str = ""


def hot_words(lines: Iterable[str]) -> list[HotWord]:
    """Hot words from lines `PHRASE` or `WORD = HOW IT SOUNDS` (see `text.sounds_like`); UserError names a wrong one."""
    found = list(dict.fromkeys(_parsed(line) for line in lines))
    if len(found) > MOST:
        raise UserError(f"{len(found)} hot words; keep the {MOST} that matter most")
    return found


def read_lines(path: Path) -> list[str]:
    """Lines of a file of hot words, without empty ones and comments (`#`)."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give a text file, a hot word a line") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8 text; save it as UTF-8") from None
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def teach(vocabulary: Vocabulary, sounds_like: Mapping[str, str], pronounce: Pronounce) -> Vocabulary:
    """The vocabulary with words that sound as described; UserError names the word whose description cannot be said."""

    def known(word: str) -> Sequence[Pronunciation]:
        return vocabulary.pronunciations(vocabulary.token(word)) if word in vocabulary else pronounce(word)

    taught = {}
    for word, sound in sounds_like.items():
        try:
            taught["".join(words(word))] = sounds(sound, known)
        except UserError as wrong:
            raise UserError(f"{word!r} = {sound!r}: {wrong}") from None
    return vocabulary.taught(taught) if taught else vocabulary


def hot_graph(hot: Sequence[HotWord], vocabulary: Vocabulary, pronounce: Pronounce) -> tuple[Arcs, Vocabulary]:
    """Graph of the hot words (at least one), over the vocabulary with their new words; same words, same graph."""
    vocabulary = teach(vocabulary, {word.text: word.sound for word in hot if word.sound}, pronounce)
    cut = {word.text: segment(word.text, vocabulary.costs) for word in hot}
    vocabulary = vocabulary.extended((word for phrase in cut.values() for word in phrase), pronounce)
    for text, phrase in cut.items():
        for word in phrase:
            if word not in vocabulary:
                raise UserError(f"hot word {text!r}: nobody knows how {word!r} sounds; write it as it is spoken")
    phrases = [[vocabulary.token(word) for word in phrase] for phrase in cut.values()]
    tokens = sorted({token for phrase in phrases for token in phrase})
    small = {token: place + FIRST_WORD for place, token in enumerate(tokens)}
    spoken = ((small[token], variant) for token in tokens for variant in vocabulary.pronunciations(token))
    graph = compile_phrases(spoken, [[small[t] for t in phrase] for phrase in phrases], len(tokens) + FIRST_WORD)
    return replace(graph, word=np.array([0, 0, *tokens], np.int32)[graph.word]), vocabulary


def _parsed(line: str) -> HotWord:
    text, told, sound = (part.strip() for part in line.partition("="))
    if not words(text):
        raise UserError(f"hot word {line!r} holds no word; write it as PHRASE, or as WORD = how it sounds")
    if len(text) > LONGEST:
        raise UserError(f"hot word {text[:20]!r}... is too long; use at most {LONGEST} characters")
    if told and not sound:
        raise UserError(f"hot word {line!r} tells no sound; write it as WORD = how it sounds, or without '='")
    if told and not is_one_word(text):
        raise UserError(f"hot word {text!r} is not one word; tell the sound of each word on a line of its own")
    return HotWord(text, sound)
