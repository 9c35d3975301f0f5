"""Makes the general part of the word search: vocabulary, pronunciations, n-gram and word graph, from public texts.

No sentence of a dev or test transcript goes in: what is equal to one after normalisation is dropped here.
"""

from __future__ import annotations

import gzip
import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from step_audio_mini.text.lexicon import Lexicon, Pronunciation, is_han, words
from step_audio_mini.text.ngram import Ngram, estimate
from step_audio_mini.text.phones import pinyin_units
from step_audio_mini.text.segment import segment
from step_audio_mini.types import Language

FIRST_WORD = 2
"""Token of the first word; 0 and 1 are the n-gram's own."""


@dataclass(frozen=True)
class Texts:
    """Where sentences come from, and how heavy each counts: requests to an assistant more than encyclopedia lines."""

    folder: Path
    """The text packs."""

    def sentences(self) -> Iterator[tuple[str, float]]:
        """(sentence, weight) from every source that may ship: CC0, CC BY, MIT, Apache-2.0."""
        yield from self._lines("lm_text/en.train.tsv.gz", 1.0)
        yield from self._lines("lm_text/zh_hans.train.tsv.gz", 1.0)
        simple = self._simplified()
        for text, _ in self._lines("lm_text/zh_hant_tw.train.tsv.gz", 1.0):
            yield text.translate(simple), 2.0
        for row in self._rows("ha_intents/generated.train.jsonl.gz"):
            if row["lang"] in ("en", "zh-cn"):
                yield row["text"], 1.0
        for row in self._rows("msbot/intents.train.jsonl.gz"):
            yield row["text"], 2.0
        for row in self._rows("msbot/chitchat.train.jsonl.gz"):
            yield row["q"], 1.0
        for name in ("snips", "hwu64", "clinc150"):
            for row in self._rows(f"nlu_en/{name}.train.jsonl.gz"):
                yield row["text"], 1.0
        for row in self._rows("smalltalk/pairs.train.jsonl.gz"):
            yield row["turns"][0], 2.0
        yield from self._turns()

    def _turns(self) -> Iterator[tuple[str, float]]:
        for name in ("taskmaster4/coffee", "crosswoz/dialogues", "kdconv/dialogues"):
            for row in self._rows(f"{name}.train.jsonl.gz"):
                for turn in row["turns"]:
                    if turn.get("r", "u") == "u":
                        yield turn["t"], 1.0

    def _lines(self, name: str, weight: float) -> Iterator[tuple[str, float]]:
        with gzip.open(self.folder / name, "rt", encoding="utf-8") as lines:
            for line in lines:
                source, _, text = line.rstrip("\n").partition("\t")
                if not source.startswith("ud"):  # Universal Dependencies: share-alike, left out
                    yield text, weight

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


def fingerprint(text: str) -> str:
    """What two writings of one sentence share: its spoken tokens."""
    return " ".join(words(text))


def clean(
    sentences: Iterable[tuple[str, float]], reserved: Iterable[str], *, most_words: int = 40
) -> Iterator[tuple[str, float]]:
    """Drop sentences equal to a reserved transcript, sentences with digits (nobody says them so), and overlong ones."""
    barred = {fingerprint(text) for text in reserved}
    for text, weight in sentences:
        tokens = words(text)
        if not tokens or len(tokens) > most_words or any(token[0].isdigit() for token in tokens):
            continue
        if " ".join(tokens) not in barred:
            yield text, weight


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

    english: int = 14_000
    chinese: int = 11_000
    characters: int = 4_000
    rarest: float = 2.0
    """A word of the texts must weigh at least this much; the commonest words of speech come in regardless."""
    common: int = 6_000


def chinese_costs(folder: Path) -> dict[str, float]:
    """-log probability of Chinese words of up to four characters, from jieba's frequencies."""
    counts = {w: float(n) for w, n in read_pairs(folder / "lex_zh/jieba_small_freq.tsv.gz") if all(map(is_han, w))}
    total = sum(counts.values())
    return {word: -math.log(count / total) for word, count in counts.items() if len(word) <= 4}


def choose_words(
    sentences: Sequence[tuple[str, float]], costs: Mapping[str, float], english: Lexicon, folder: Path, limits: Limits
) -> list[str]:
    """The general vocabulary, sorted: words of the texts by weight, and the commonest words of speech."""
    weights: Counter[str] = Counter()
    for text, weight in sentences:
        for word in segment(text, costs):
            weights[word] += weight  # type: ignore[assignment]  # Counter adds floats well
    heard = [w for w, _ in read_pairs(folder / "lex_en/freq_50k.tsv.gz") if w in english and w[0].isalpha()]
    latin = set(heard[: limits.common])
    for word, weight in weights.most_common():
        if (
            len(latin) < limits.english
            and weight >= limits.rarest
            and not is_han(word)
            and english.pronunciations(word)
        ):
            latin.add(word)
    spoken = [w for w, _ in read_pairs(folder / "lex_zh/freq_subtitles_zh_cn_50k.tsv.gz") if len(w) > 1 and w in costs]
    han = set(spoken[: limits.common])
    for word, weight in weights.most_common():
        if len(han) < limits.chinese and weight >= limits.rarest and len(word) > 1 and word in costs:
            han.add(word)
    single = {w for w in costs if len(w) == 1} | {w for w in weights if len(w) == 1 and is_han(w)}
    characters = sorted(single, key=lambda w: (-weights[w], costs.get(w, 99.0), w))[: limits.characters]
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


def language_of(text: str) -> Language:
    """Language of most spoken tokens of a sentence."""
    tokens = words(text)
    return "zh" if 2 * sum(map(is_han, tokens)) >= len(tokens) else "en"


def word_ngram(
    sentences: Iterable[tuple[str, float]], vocabulary: Sequence[str], costs: Mapping[str, float], *, prune: float
) -> Ngram:
    """Trigram over the vocabulary; a sentence is cut at unknown words into pieces that count on their own."""
    token = {word: place + FIRST_WORD for place, word in enumerate(vocabulary)}
    known = {word: costs.get(word, 12.0) for word in vocabulary}

    def pieces() -> Iterator[tuple[list[int], float]]:
        for text, weight in sentences:
            run: list[int] = []
            for word in segment(text, known):
                if word in token:
                    run.append(token[word])
                elif run:
                    yield run, weight
                    run = []
            if run:
                yield run, weight

    return estimate(pieces(), 3, len(vocabulary) + FIRST_WORD, prune=prune)
