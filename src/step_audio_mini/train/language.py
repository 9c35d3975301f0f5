"""Makes the general part of the word search: vocabulary, pronunciations, n-gram and word graph, from public texts.

No sentence of a dev or test transcript goes in: what is equal to one after normalisation is dropped here.
"""

from __future__ import annotations

import gzip
import json
import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.text.lexicon import Lexicon, Pronunciation, is_han, words
from step_audio_mini.text.ngram import Ngram
from step_audio_mini.text.phones import pinyin_units
from step_audio_mini.text.segment import segment_tokens
from step_audio_mini.train.large_ngram import Sentences, estimate_trigrams
from step_audio_mini.train.leaks import mostly_han
from step_audio_mini.types import Language

FIRST_WORD = 2
"""Token of the first word; 0 and 1 are the n-gram's own."""


REQUESTS = "requests"
"""Source of all that people say to an assistant."""


@dataclass(frozen=True)
class Texts:
    """Where sentences come from, and how heavy each counts: what people say and read aloud more than pages."""

    folder: Path
    """The text packs. Those of `READING` may be missing: the model is then made from the others."""
    reading: Mapping[str, float]
    """Weight of a sentence of each source of sentences to read; one that is not named counts as 0 and is left out."""

    def sentences(self) -> Iterator[tuple[str, str, float]]:
        """(source, sentence, weight) from every source."""
        yield from self._to_read()
        for row in self._rows("ha_intents/generated.train.jsonl.gz"):
            if row["lang"] in ("en", "zh-cn"):
                yield REQUESTS, row["text"], 1.0
        for row in self._rows("msbot/intents.train.jsonl.gz"):
            yield REQUESTS, row["text"], 2.0
        for row in self._rows("msbot/chitchat.train.jsonl.gz"):
            yield REQUESTS, row["q"], 1.0
        for name in ("snips", "hwu64", "clinc150"):
            for row in self._rows(f"nlu_en/{name}.train.jsonl.gz"):
                yield REQUESTS, row["text"], 1.0
        for row in self._rows("smalltalk/pairs.train.jsonl.gz"):
            yield REQUESTS, row["turns"][0], 2.0
        for name in ("taskmaster4/coffee", "crosswoz/dialogues", "kdconv/dialogues"):
            for row in self._rows(f"{name}.train.jsonl.gz"):
                for turn in row["turns"]:
                    if turn.get("r", "u") == "u":
                        yield REQUESTS, turn["t"], 1.0

    def _to_read(self) -> Iterator[tuple[str, str, float]]:
        simple = self._simplified()
        for pack in ("lm_text", "sentences", "chinese", "wikipedia", "books"):
            for name in ("en", "zh_hans", "zh_hant_tw", "zh_mixed"):
                if not (self.folder / pack / f"{name}.train.tsv.gz").exists():
                    continue
                for source, text in self._lines(f"{pack}/{name}.train.tsv.gz"):
                    weight = self.reading.get("books" if pack == "books" else source.partition(":")[0], 0.0)
                    if weight:
                        yield source, text.translate(simple) if name.startswith("zh_") else text, weight

    def _lines(self, name: str) -> Iterator[tuple[str, str]]:
        with gzip.open(self.folder / name, "rt", encoding="utf-8") as lines:
            for line in lines:
                source, _, text = line.rstrip("\n").partition("\t")
                yield source, text

    def _rows(self, name: str) -> Iterator[dict[str, Any]]:
        with gzip.open(self.folder / name, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)

    def _simplified(self) -> dict[int, str]:
        table = {}
        for key, values in read_pairs(self.folder / "lex_zh/opencc_TSCharacters.tsv.gz"):
            table[ord(key)] = values.split()[0]
        return table


def read_pairs(path: Path) -> Iterator[tuple[str, str]]:
    """First two columns of a gzipped TSV file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            columns = line.rstrip("\n").split("\t")
            if len(columns) > 1:
                yield columns[0], columns[1]


_PRINTED = str.maketrans({"“": " ", "”": " ", "‘": "'", "’": "'", "—": " ", "–": " ", "…": " "})
"""Signs of print that nobody says; without them most English sentences are plain ASCII, which is faster to cut."""


def spoken(
    rows: Iterable[tuple[str, str, float]], *, most_words: int = 40
) -> Iterator[tuple[str, tuple[str, ...], float]]:
    """(source, spoken tokens, weight) of rows of (source, sentence, weight).

    Sentences with digits are dropped (nobody says them so), and overlong ones.
    """
    for source, text, weight in rows:
        tokens = words(text.translate(_PRINTED))
        if 0 < len(tokens) <= most_words and all(map(str.isalpha, (token[0] for token in tokens))):
            yield source, tokens, weight


def reserved_transcripts(folders: Iterable[Path]) -> Iterator[str]:
    """Transcripts of dev and test clips of every speech pack below the folders."""
    for folder in folders:
        for manifest in sorted(folder.glob("*/manifest.jsonl.gz")):
            with gzip.open(manifest, "rt", encoding="utf-8") as lines:
                for line in lines:
                    row = json.loads(line)
                    if row["split"] in ("dev", "test") and row.get("text"):
                        yield row["text"]
                        if row.get("text_punct"):
                            yield row["text_punct"]


@dataclass(frozen=True)
class Limits:
    """Size of the general vocabulary."""

    english: int = 40_000
    chinese: int = 16_000
    characters: int = 5_000
    rarest: float = 2.0
    """A word of the texts must weigh at least this much; the commonest words of speech come in regardless."""
    common: int = 6_000


def chinese_costs(folder: Path) -> dict[str, float]:
    """-log probability of Chinese words of up to four characters, from jieba's frequencies."""
    counts = {w: float(n) for w, n in read_pairs(folder / "lex_zh/jieba_small_freq.tsv.gz") if all(map(is_han, w))}
    total = sum(counts.values())
    return {word: -math.log(count / total) for word, count in counts.items() if len(word) <= 4}


@dataclass(frozen=True)
class Corpus:
    """Sentences of one language, each word a number."""

    words: Sequence[str]
    tokens: NDArray[np.int32]
    """(N,) places in `words`, sentences back to back."""
    lengths: NDArray[np.int32]
    """(S,)"""
    weights: NDArray[np.float32]
    """(S,)"""

    def weighed(self) -> dict[str, float]:
        """Weight of every word."""
        sums = np.bincount(self.tokens, np.repeat(self.weights, self.lengths), len(self.words))
        return dict(zip(self.words, sums.tolist(), strict=True))

    def sentences(self, vocabulary: Sequence[str], costs: Mapping[str, float]) -> list[Sentences]:
        """Rows of tokens of the vocabulary, by weight; a Chinese word outside it is cut into words inside it."""
        place = {word: number + FIRST_WORD for number, word in enumerate(vocabulary)}
        known = {word: costs.get(word, 12.0) for word in vocabulary}
        unknown = len(vocabulary) + FIRST_WORD
        cuts = [segment_tokens(tuple(w), known) if is_han(w) and w not in place else (w,) for w in self.words]
        flat = np.array([place.get(part, unknown) for cut in cuts for part in cut], np.int32)
        sizes = np.array([len(cut) for cut in cuts], np.int64)
        first = np.cumsum(sizes) - sizes
        spread = sizes[self.tokens]
        inner = np.arange(spread.sum()) - np.repeat(np.cumsum(spread) - spread, spread)
        tokens = flat[np.repeat(first[self.tokens], spread) + inner]
        lengths = np.bincount(np.repeat(np.arange(len(self.lengths)), self.lengths), spread, len(self.lengths))
        out = []
        for weight in np.unique(self.weights):
            chosen = self.weights == weight
            rows = np.repeat(chosen, lengths.astype(np.int64))
            out.append(Sentences(tokens[rows], lengths[chosen].astype(np.int32), float(weight)))
        return out


def gather(rows: Iterable[tuple[tuple[str, ...], float]], costs: Mapping[str, float]) -> dict[Language, Corpus]:
    """Corpus of each language from (spoken tokens, weight): a sentence goes where most of its tokens belong."""
    numbers: dict[Language, dict[str, int]] = {"en": {}, "zh": {}}
    tokens: dict[Language, array[int]] = {"en": array("i"), "zh": array("i")}
    lengths: dict[Language, array[int]] = {"en": array("i"), "zh": array("i")}
    weights: dict[Language, array[float]] = {"en": array("f"), "zh": array("f")}
    for row, weight in rows:
        language = language_of(row)
        cut = segment_tokens(row, costs) if language == "zh" else row
        number = numbers[language]
        tokens[language].extend([number.setdefault(word, len(number)) for word in cut])
        lengths[language].append(len(cut))
        weights[language].append(weight)
    return {
        language: Corpus(
            list(numbers[language]),
            np.array(tokens[language], np.int32),
            np.array(lengths[language], np.int32),
            np.array(weights[language], np.float32),
        )
        for language in numbers
    }


def choose_words(
    weights: Mapping[str, float], costs: Mapping[str, float], english: Lexicon, folder: Path, limits: Limits
) -> list[str]:
    """The general vocabulary, sorted: words of the texts by weight, and the commonest words of speech."""
    common = sorted(weights, key=lambda word: (-weights[word], word))
    heard = [w for w, _ in read_pairs(folder / "lex_en/freq_50k.tsv.gz") if w in english and w[0].isalpha()]
    latin = set(heard[: limits.common])
    for word in common:
        wanted = len(latin) < limits.english and weights[word] >= limits.rarest and not is_han(word)
        if wanted and english.pronunciations(word):
            latin.add(word)
    spoken = [w for w, _ in read_pairs(folder / "lex_zh/freq_subtitles_zh_cn_50k.tsv.gz") if len(w) > 1 and w in costs]
    han = set(spoken[: limits.common])
    for word in common:
        if len(han) < limits.chinese and weights[word] >= limits.rarest and len(word) > 1 and word in costs:
            han.add(word)
    single = {w for w in costs if len(w) == 1} | {w for w in weights if len(w) == 1 and is_han(w)}
    characters = sorted(single, key=lambda w: (-weights.get(w, 0.0), costs.get(w, 99.0), w))[: limits.characters]
    return sorted(latin | han | set(characters))


def chinese_pronunciations(folder: Path, share: float = 0.08) -> Callable[[str], tuple[Pronunciation, ...]]:
    """Pronouncer of Chinese words: phrase pinyin first; for characters, also readings common in labelled sentences."""
    readings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    with gzip.open(folder / "lex_zh/polyphone_cpp.train.tsv.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            text, place, reading = line.rstrip("\n").split("\t")
            readings[text[int(place)]][reading] += 1
    # Tones that speech changes before other words; transcripts sometimes carry the changed one.
    extra = {"一": ("yi2", "yi4"), "不": ("bu2",), "儿": ("er5",), "子": ("zi5",), "们": ("men5",), "了": ("liao3",)}

    def pronounce(word: str) -> tuple[Pronunciation, ...]:
        from pypinyin import Style, lazy_pinyin

        syllables = lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True, v_to_u=False)
        spoken = [tuple(syllables)]
        if len(word) == 1:
            counts = readings[word]
            common = (r for r, n in counts.most_common() if n >= share * sum(counts.values()))
            spoken += [(reading,) for reading in (*common, *extra.get(word, ()))]
        found: list[Pronunciation] = []
        for parts in dict.fromkeys(spoken):
            try:
                found.append(tuple(unit for part in parts for unit in pinyin_units(part)))
            except ValueError:
                continue
        return tuple(found)

    return pronounce


def language_of(tokens: Sequence[str]) -> Language:
    """Language of most spoken tokens of a sentence."""
    return "zh" if mostly_han(tuple(tokens)) else "en"


def word_ngram(corpus: Corpus, vocabulary: Sequence[str], costs: Mapping[str, float], *, most: int) -> Ngram:
    """Trigram over the vocabulary of the `most` telling n-grams; what holds a word outside it is not counted."""
    return estimate_trigrams(corpus.sentences(vocabulary, costs), len(vocabulary) + FIRST_WORD, most=most)
