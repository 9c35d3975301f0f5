"""A small bilingual vocabulary, its general graph, and posteriors as a perfect network would give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from step_audio_mini.listen.arcs import Arcs, to_bytes
from step_audio_mini.listen.recogniser import Pronouncer, WordModel
from step_audio_mini.listen.vocabulary import FIRST_WORD, Vocabulary
from step_audio_mini.listen.wordgraph import compile_words
from step_audio_mini.runtime.manifest import Weights
from step_audio_mini.text.ngram import estimate
from step_audio_mini.text.phones import UNITS, unit_indices

SPOKEN = {
    "bus": "B AH S", "but": "B AH T", "stop": "S T AA P", "top": "T AA P", "the": "DH AH|DH IY", "light": "L AY T",
    "lights": "L AY T S", "on": "AA N", "turn": "T ER N", "right": "R AY T", "write": "R AY T",
    "把": "b a3", "灯": "d eng1", "打开": "d a3 k ai1", "打": "d a3", "开": "k ai1", "一": "i1|i2|i4", "二": "er4",
}  # fmt: skip
SENTENCES = [
    "turn on the light",
    "turn the lights on",
    "bus stop",
    "but stop",
    "把 灯 打开",
    "打开 灯",
    "一 二",
    "the top",
    "on the right",
]


class Script:
    """A network that says rows of posteriors by position, whatever it is given; its state is the position."""

    def __init__(self, rows: NDArray[np.float32], dimension: int = 3) -> None:
        self.rows = rows
        self.facts: Mapping[str, Any] = {"units": list(UNITS), "dimension": dimension}
        self.inputs: Mapping[str, tuple[tuple[int | str, ...], type[Any]]] = {
            "frames": (("streams", "frames", 80), np.float32),
            "in_cache_valid": (("streams",), np.int64),
        }

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        count = feeds["frames"].shape[1] // 4
        start = int(feeds["in_cache_valid"][0])
        rows = np.concatenate([self.rows[start:], silence(count)])[:count]
        places = np.arange(start, start + count, dtype=np.float32)
        vectors = np.repeat(places[None, :, None], int(self.facts["dimension"]), axis=2)
        return {"log_probs": rows[None], "vectors": vectors, "out_cache_valid": feeds["in_cache_valid"] + count}


def silence(frames: int) -> NDArray[np.float32]:
    """Rows that are blank."""
    return posteriors([0] * frames)


def posteriors(units: Sequence[int], sure: float = 0.95) -> NDArray[np.float32]:
    """Log-posteriors (T, V) that give each frame's unit the probability `sure`, the rest shared evenly."""
    rows = np.full((len(units), len(UNITS)), np.log((1 - sure) / (len(UNITS) - 1)), np.float32)
    rows[np.arange(len(units)), list(units)] = np.log(sure)
    return rows


def said(pronunciations: Sequence[str], gap: int = 1) -> tuple[list[int], list[tuple[int, int]]]:
    """Units by frame with `gap` blanks after each (two where a unit repeats), and each word's (first, last) frame."""
    frames: list[int] = []
    places = []
    for pronunciation in pronunciations:
        first = len(frames)
        for unit in unit_indices(pronunciation.split()):
            if frames and frames[-1] == unit:
                frames.append(0)
            frames += [unit] + [0] * gap
        last = max(i for i, unit in enumerate(frames) if unit)
        places.append((first if frames[first] else first + 1, last))
    return frames, places


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return Vocabulary(list(SPOKEN), dict.fromkeys(SPOKEN, 3.0) | {"打开": 4.0}, list(SPOKEN.values()))


@pytest.fixture(scope="session")
def general(vocabulary: Vocabulary) -> Arcs:
    sequences = [([vocabulary.token(word) for word in sentence.split()], 1.0) for sentence in SENTENCES]
    tokens = range(FIRST_WORD, FIRST_WORD + len(vocabulary))
    spoken = ((token, units) for token in tokens for units in vocabulary.pronunciations(token))
    return compile_words(spoken, estimate(sequences, 3, FIRST_WORD + len(vocabulary)))


@pytest.fixture(scope="session")
def word_model(general: Arcs, vocabulary: Vocabulary) -> WordModel:
    class Known(Pronouncer):
        def __call__(self, word: str) -> Sequence[tuple[str, ...]]:
            return {"lamp": (("L", "AE1", "M", "P"),), "泵": (("b", "eng4"),)}.get(word, ())

    return WordModel({"en": to_bytes(general)}, vocabulary, Known(Weights(Path(), {})))
