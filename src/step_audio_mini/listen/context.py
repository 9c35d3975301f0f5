"""What is likely to be said now: a small word graph from a pack's sentences or the user's hot words.

Built in about a second when the sentences change, and kept on disk under a hash of all it was made from; a folder that
cannot be written only costs that second again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from step_audio_mini.listen.arcs import Arcs, from_bytes, to_bytes
from step_audio_mini.listen.vocabulary import FIRST_WORD, Pronounce, Vocabulary
from step_audio_mini.listen.wordgraph import compile_words
from step_audio_mini.text.ngram import estimate
from step_audio_mini.text.segment import segment

FORMAT = 1
"""Part of the hash: raised when what is built from the same sentences changes."""
ORDER = 3
"""Order of a context's n-gram."""
MOST_SENTENCES = 30_000
"""Of more, the first are taken: building time and memory are bounded."""

Sentences = Sequence[tuple[str, float]]
"""(sentence as it is spoken, weight)."""


@dataclass(frozen=True)
class Context:
    """A word graph over the vocabulary it comes with, which may be longer than the general one."""

    graph: Arcs
    vocabulary: Vocabulary


def context(sentences: Sentences, vocabulary: Vocabulary, pronounce: Pronounce, cache: Path | None) -> Context | None:
    """Graph of the sentences over the vocabulary and their own new words; None where no word can be said.

    Same arguments, same graph. `cache` is a folder for built graphs, None for none.
    """
    sentences = sentences[:MOST_SENTENCES]
    key = _key(sentences, vocabulary)
    stored = _read(cache, key, vocabulary)
    if stored is not None:
        return stored
    cut = [(segment(text, vocabulary.costs), weight) for text, weight in sentences if weight > 0]
    longer = vocabulary.extended((word for words, _ in cut for word in words), pronounce)
    pieces = [piece for words, weight in cut for piece in _pieces(words, weight, longer)]
    if not pieces:
        return None
    built = _build(pieces, longer)
    _write(cache, key, built, longer.since(len(vocabulary)))
    return Context(from_bytes(built), longer)


def default_cache() -> Path:
    """Where built graphs are kept: below `XDG_CACHE_HOME`, else `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return Path(base, "step-audio-mini")


def _pieces(words: Sequence[str], weight: float, vocabulary: Vocabulary) -> list[tuple[tuple[int, ...], float]]:
    """Tokens of the sentence, cut at words that nobody can pronounce."""
    out, run = [], list[int]()
    for word in (*words, None):
        if word is not None and word in vocabulary:
            run.append(vocabulary.token(word))
        elif run:
            out.append((tuple(run), weight))
            run = []
    return out


def _build(pieces: Sequence[tuple[tuple[int, ...], float]], vocabulary: Vocabulary) -> bytes:
    """Compile over the pieces' own words, numbered from the first, then give them their tokens back."""
    tokens = sorted({token for piece, _ in pieces for token in piece})
    small = {token: place + FIRST_WORD for place, token in enumerate(tokens)}
    lightest = min(weight for _, weight in pieces)
    sequences = (([small[token] for token in piece], weight / lightest) for piece, weight in pieces)
    model = estimate(sequences, ORDER, len(tokens) + FIRST_WORD)
    spoken = ((small[token], variant) for token in tokens for variant in vocabulary.pronunciations(token))
    graph = compile_words(spoken, model)
    return to_bytes(replace(graph, word=np.array([0, 0, *tokens], np.int32)[graph.word]))


def _key(sentences: Sentences, vocabulary: Vocabulary) -> str:
    content = json.dumps([FORMAT, ORDER, vocabulary.key, list(sentences)], ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def _read(cache: Path | None, key: str, vocabulary: Vocabulary) -> Context | None:
    if cache is None:
        return None
    try:
        with zipfile.ZipFile(cache / f"{key}.zip") as archive:
            fresh = json.loads(archive.read("words.json"))
            graph = from_bytes(archive.read("graph.npz"))
        return Context(graph, vocabulary.longer([word for word, _ in fresh], [spoken for _, spoken in fresh]))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def _write(cache: Path | None, key: str, graph: bytes, fresh: list[tuple[str, str]]) -> None:
    if cache is None:
        return
    with contextlib.suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=cache, delete=False) as beside, zipfile.ZipFile(beside, "w") as archive:
            archive.writestr("words.json", json.dumps(fresh, ensure_ascii=False))
            archive.writestr("graph.npz", graph)
        Path(beside.name).replace(cache / f"{key}.zip")
