"""From public texts and dictionaries to the three parts that word search and voice need: words, lexicon, letters."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from step_audio_mini.errors import UserError
from step_audio_mini.listen.arcs import Arcs, to_bytes
from step_audio_mini.listen.vocabulary import FIRST_WORD, Vocabulary
from step_audio_mini.listen.wordgraph import compile_words
from step_audio_mini.text.lexicon import Lexicon, is_han, read_entries
from step_audio_mini.train.export import add_part
from step_audio_mini.train.language import (
    Corpus,
    Limits,
    Texts,
    chinese_costs,
    chinese_pronunciations,
    choose_words,
    gather,
    reserved_transcripts,
    spoken,
    word_ngram,
)
from step_audio_mini.train.leaks import Reserved, without_leaks
from step_audio_mini.train.lexicons import letters_accuracy, train_letters
from step_audio_mini.types import Language

MOST: Mapping[Language, int] = {"en": 330_000, "zh": 330_000}
"""N-grams of two and three words that stay in a language's model: what memory, disk and the start of a call bear."""
READING = {
    "cv": 3.0,
    "cv16": 3.0,
    "tatoeba": 3.0,
    "wikipedia": 1.5,
    "wikinews": 0.5,
    "books": 0.5,
    "thchs_train": 1.0,
    "aishell_dev": 1.0,
    "udgsd": 1.5,
    "taiwan": 0.75,
    "talks": 0.3,
    "laws": 0.3,
}
"""Weight of a sentence of each source: what is made to be read aloud more than pages."""
SIGHTING: Mapping[Language, float] = {"en": 1.0, "zh": 1 / 3}
"""What a weight of one counts in a language's model.

Smoothing takes a count of one for what was seen once. With what is read aloud at three, as English has it beside its
many books, Mandarin's model believed each of its few sentences too much (perplexity a character of `cv_zh` dev: 131
against 102).
"""
LANGUAGES: tuple[Language, ...] = get_args(Language)
"""Each language has a graph of its own: passing from one to the other costs what `Weighing.cross` says."""

SOURCES = {
    "Common Voice sentences, Chinese transcripts, Common Voice 16 dev and train": "CC0-1.0",
    "classic books until 1928 (mlschmitt/classic-books-markdown)": "public domain",
    "Wikipedia (English and Chinese articles, CMRC 2018, DRCD)": "CC BY-SA 3.0, CC BY-SA 4.0",
    "taiwan-md": "CC BY-SA 4.0",
    "transcripts of talks (audreyt/archive.tw)": "CC0-1.0",
    "laws of the People's Republic of China (LawRefBook/Laws)": "public domain",
    "Wikinews": "CC BY 2.5",
    "Tatoeba": "CC BY 2.0 FR",
    "THCHS-30 train, AISHELL-1 dev transcripts": "Apache-2.0",
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
    costs = chinese_costs(texts)
    rows = without_leaks(spoken(Texts(texts, READING).sentences()), Reserved(reserved_transcripts(speech)))
    corpora = gather(rows, costs)
    vocabulary = general_vocabulary(corpora, costs, lexicon, texts)
    figures: dict[str, Any] = {"words": len(vocabulary)}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        text = zipfile.ZipInfo("vocabulary.tsv")
        text.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(text, vocabulary.to_text())
        for language in LANGUAGES:
            graph, figures[language] = _language_graph(corpora[language], vocabulary, language)
            archive.writestr(zipfile.ZipInfo(f"{language}.npz"), to_bytes(graph))
    return out.getvalue(), figures


def general_vocabulary(
    corpora: Mapping[Language, Corpus], costs: Mapping[str, float], lexicon: Lexicon, texts: Path
) -> Vocabulary:
    """The words that can be found, with how they are spoken."""
    weights: Counter[str] = Counter()
    for corpus in corpora.values():
        weights.update(corpus.weighed())
    chinese = chinese_pronunciations(texts)
    chosen = choose_words(weights, costs, lexicon, texts, Limits())
    ways = {word: chinese(word) if is_han(word) else lexicon.units(word) for word in chosen}
    said = [word for word in chosen if ways[word]]
    return Vocabulary(
        said,
        {word: costs.get(word, 12.0) for word in said},
        ["|".join(" ".join(variant) for variant in ways[word]) for word in said],
    )


def _language_graph(corpus: Corpus, vocabulary: Vocabulary, language: Language) -> tuple[Arcs, dict[str, Any]]:
    """Word graph of one language: its own words, and foreign ones that its sentences hold; tokens of the vocabulary."""
    seen = set(corpus.words)
    own = [word for word in vocabulary.words if word in seen or is_han(word) == (language == "zh")]
    counted = replace(corpus, weights=corpus.weights * np.float32(SIGHTING[language]))
    model = word_ngram(counted, own, vocabulary.costs, most=MOST[language])
    tokens = np.array([0, 0, *map(vocabulary.token, own)], np.int32)
    ways = (
        (place + FIRST_WORD, variant)
        for place, word in enumerate(own)
        for variant in vocabulary.pronunciations(vocabulary.token(word))
    )
    graph = compile_words(ways, model)
    figures = {
        "sentences": len(corpus.lengths),
        "tokens": len(corpus.tokens),
        "ngrams": [len(level) for level in model.tokens],
        "states": graph.states,
        "arcs": len(graph.unit),
    }
    return replace(graph, word=tokens[graph.word]), figures
