"""From public texts and dictionaries to the three parts that word search and voice need: words, lexicon, letters."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from step_audio_mini.errors import UserError
from step_audio_mini.listen.arcs import Arcs, to_bytes
from step_audio_mini.listen.vocabulary import FIRST_WORD, Vocabulary
from step_audio_mini.listen.wordgraph import compile_words
from step_audio_mini.text.lexicon import Lexicon, is_han, read_entries
from step_audio_mini.text.segment import segment
from step_audio_mini.train.export import add_part
from step_audio_mini.train.language import (
    Limits,
    Texts,
    chinese_costs,
    chinese_pronunciations,
    choose_words,
    clean,
    language_of,
    reserved_transcripts,
    word_ngram,
)
from step_audio_mini.train.lexicons import letters_accuracy, train_letters
from step_audio_mini.types import Language

PRUNE = 6.0
"""Weighted difference below which an n-gram is dropped: 250,000 bigrams and 200,000 trigrams stay."""
LANGUAGES: tuple[Language, ...] = get_args(Language)
"""Each language has a graph of its own: passing from one to the other costs what `Weighing.cross` says."""

SOURCES = {
    "Common Voice sentences": "CC0-1.0",
    "home-assistant/intents": "CC BY 4.0",
    "Microsoft botframework-solutions and personality chat": "MIT",
    "SNIPS": "CC0-1.0",
    "HWU64": "CC BY 4.0",
    "CLINC150": "CC BY 3.0",
    "taskmaster4": "CC BY 4.0",
    "CrossWOZ, KdConv": "Apache-2.0",
    "smalltalk": "BSD-3-Clause; MIT",
    "CMUdict": "BSD-2-Clause",
    "jieba frequencies": "MIT",
    "OpenSubtitles word frequencies": "CC BY-SA 4.0 (say which words are common; not shipped)",
    "CPP polyphones": "Apache-2.0",
    "pypinyin": "MIT",
}
"""What the parts are made from, with licences."""


def export_search(texts: Path, speech: Sequence[Path], weights: Path) -> dict[str, Any]:
    """Make the parts `words`, `lexicon` and `letters` and put them into a folder of weights; returns figures of them.

    `texts`: the folder of text packs. `speech`: folders of speech packs, whose dev and test transcripts stay out.
    """
    dictionary = texts / "lex_en" / "cmudict.tsv.gz"
    if not dictionary.exists():
        raise UserError(f"no text packs at {texts} (lex_en/cmudict.tsv.gz is missing); give the folder that holds them")
    entries = list(read_entries(dictionary))
    lexicon = Lexicon.load(dictionary)
    content, figures = word_part(texts, speech, lexicon)
    command = "step-audio export words --texts TEXTS --speech SPEECH --weights WEIGHTS"
    training = {"command": command, "sources": SOURCES}
    add_part(weights, "words", content, suffix="zip", facts=figures, training=training)
    add_part(weights, "lexicon", lexicon.to_bytes(), suffix="tsv.gz", facts={"words": len(lexicon)}, training=training)
    letters = train_letters(entries)
    accuracy = letters_accuracy(letters, entries)
    quality = {
        "held_out_words": accuracy.words,
        "word_accuracy": round(accuracy.word_accuracy, 4),
        "phone_error": round(accuracy.phone_error, 4),
    }
    add_part(weights, "letters", letters.to_bytes(), suffix="zip", training=training, quality=quality)
    return {**figures, **quality}


def word_part(texts: Path, speech: Sequence[Path], lexicon: Lexicon) -> tuple[bytes, dict[str, Any]]:
    """The part `words` (a zip of graph and vocabulary) and its figures."""
    sentences = list(clean(Texts(texts).sentences(), reserved_transcripts(speech)))
    costs = chinese_costs(texts)
    words = choose_words(sentences, costs, lexicon, texts, Limits())
    chinese = chinese_pronunciations(texts)
    spoken = {word: chinese(word) if is_han(word) else lexicon.units(word) for word in words}
    words = [word for word in words if spoken[word]]
    vocabulary = Vocabulary(
        words,
        {word: costs.get(word, 12.0) for word in words},
        ["|".join(" ".join(variant) for variant in spoken[word]) for word in words],
    )
    figures: dict[str, Any] = {"sentences": len(sentences), "words": len(words)}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        text = zipfile.ZipInfo("vocabulary.tsv")
        text.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(text, vocabulary.to_text())
        for language in LANGUAGES:
            chosen = [sentence for sentence in sentences if language_of(sentence[0]) == language]
            graph, figures[language] = _language_graph(chosen, vocabulary, language)
            archive.writestr(zipfile.ZipInfo(f"{language}.npz"), to_bytes(graph))
    return out.getvalue(), figures


def _language_graph(
    sentences: Sequence[tuple[str, float]], vocabulary: Vocabulary, language: Language
) -> tuple[Arcs, dict[str, Any]]:
    """Word graph of one language: its own words, and foreign ones that its sentences hold; tokens of the vocabulary."""
    seen = {word for text, _ in sentences for word in segment(text, vocabulary.costs)}
    own = [word for word in vocabulary.words if word in seen or is_han(word) == (language == "zh")]
    model = word_ngram(sentences, own, vocabulary.costs, prune=PRUNE)
    tokens = np.array([0, 0, *map(vocabulary.token, own)], np.int32)
    spoken = (
        (place + FIRST_WORD, variant)
        for place, word in enumerate(own)
        for variant in vocabulary.pronunciations(vocabulary.token(word))
    )
    graph = compile_words(spoken, model)
    figures = {"ngrams": [len(level) for level in model.tokens], "states": graph.states, "arcs": len(graph.unit)}
    return replace(graph, word=tokens[graph.word]), figures
