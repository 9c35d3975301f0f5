"""What all calls share of the ears: the network, the vocabulary and the search space; `stream` begins one call."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from step_audio_mini.errors import UserError
from step_audio_mini.listen.alignment import CALIBRATION, Calibration
from step_audio_mini.listen.arcs import Arcs, from_bytes
from step_audio_mini.listen.context import Sentences, context
from step_audio_mini.listen.endpoint import EndRules
from step_audio_mini.listen.hotwords import HotWord, hot_graph, teach
from step_audio_mini.listen.search import Limits, Searcher
from step_audio_mini.listen.space import Weighing, join, weigh, weigh_hot
from step_audio_mini.listen.vocabulary import Vocabulary, spoken_chinese
from step_audio_mini.runtime.manifest import Weights
from step_audio_mini.text.letters import LetterToSound
from step_audio_mini.text.lexicon import Lexicon, Pronunciation, is_han
from step_audio_mini.text.phones import UNITS
from step_audio_mini.types import Language

NO_GRAPH = "weight part 'words' is not a word graph; install the package again"


class Network(Protocol):
    """One streaming step of the ears: `frames` (B, 4 C, 80) and `in_cache_*` to `log_probs` (B, C, V), `vectors`."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the graph says of itself: `units` is needed here."""

    @property
    def inputs(self) -> Mapping[str, tuple[tuple[int | str, ...], type[Any]]]:
        """Name to shape and dtype of each input."""

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs by name."""


@dataclass(frozen=True)
class WordModel:
    """The general part of the search, as it ships."""

    stored: Mapping[str, bytes]
    """A word graph a language, by `zh` or `en`, compressed: decoded they would weigh five times as much."""
    vocabulary: Vocabulary
    pronounce: Pronouncer

    @classmethod
    def load(cls, weights: Weights) -> WordModel:
        """Parts `words` (graph and vocabulary), `lexicon` and `letters`; the last two are read when first needed."""
        try:
            with zipfile.ZipFile(io.BytesIO(weights.read("words"))) as archive:
                vocabulary = Vocabulary.from_text(archive.read("vocabulary.tsv").decode())
                names = sorted(name for name in archive.namelist() if name.endswith(".npz"))
                stored = {name.removesuffix(".npz"): archive.read(name) for name in names}
        except (zipfile.BadZipFile, KeyError, ValueError) as cause:
            raise UserError(NO_GRAPH) from cause
        return cls(stored, vocabulary, Pronouncer(weights))

    def graph(self, language: str) -> Arcs:
        """The word graph of a language, decoded anew (0.1 s) at every call."""
        try:
            return from_bytes(self.stored[language])
        except (zipfile.BadZipFile, KeyError, ValueError) as cause:
            raise UserError(NO_GRAPH) from cause


class Pronouncer:
    """How a word that the vocabulary lacks is spoken: the English lexicon, then its letters; pypinyin for Chinese."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights

    @cached_property
    def _lexicon(self) -> Lexicon:
        letters = LetterToSound.from_bytes(self._weights.read("letters"))
        return Lexicon.from_bytes(self._weights.read("lexicon"), letters)

    def __call__(self, word: str) -> Sequence[Pronunciation]:
        """Pronunciations, best first; none for digits and signs."""
        return spoken_chinese(word) if is_han(word) else self._lexicon.pronunciations(word)


@dataclass(frozen=True)
class Tuning:
    """Numbers of the search, tuned on dev clips."""

    weighing: Weighing = field(default_factory=Weighing)
    limits: Limits = field(default_factory=Limits)
    end: EndRules = field(default_factory=EndRules)
    blank: float = 2.0
    """Cost of a blank frame: a network that has seen little says blank too often."""
    chunk: int = 8
    """Encoder frames a step of the network takes: 8 are 320 ms."""
    readings: int = 5
    """Most readings handed on."""
    calibration: Calibration = field(default_factory=lambda: CALIBRATION)
    least_confidence: float = 0.0
    """A best reading less sure than this counts as nothing understood."""


@dataclass(frozen=True)
class Expected:
    """What is likely to be said, beside all that the general words can say."""

    contexts: Sequence[Sentences] = ()
    """Lists of (sentence, weight), one a pack; each becomes a graph of its own."""
    hot_words: Sequence[HotWord] = ()
    sounds_like: Mapping[str, str] = field(default_factory=dict)
    """Word to how it sounds, for the sentences (see `text.sounds_like`)."""


class Recogniser:
    """Shared by all calls; `listen.stream.Stream(recogniser)` is one call's ears."""

    def __init__(
        self,
        network: Network,
        words: WordModel,
        *,
        expected: Expected | None = None,
        language: Language | None = None,
        tuning: Tuning | None = None,
        cache: Path | None = None,
    ) -> None:
        """With a `language`, the general words of the other one are not searched; what is expected may hold any.

        `cache` is a folder for the graphs of sentences, None for none.
        """
        if list(network.facts.get("units", ())) != list(UNITS):
            raise UserError("the ears' units are not those of this version; use weights made for it")
        expected = expected or Expected()
        self.network, self.tuning = network, tuning or Tuning()
        weighing = self.tuning.weighing
        pronounce = copy(words.pronounce)  # its lexicon is read for new words alone, and goes with this function
        vocabulary = teach(words.vocabulary, expected.sounds_like, pronounce)
        own: list[str] = [name for name in words.stored if name == language] or list(words.stored)
        special = []
        for sentences in expected.contexts:
            found = context(sentences, vocabulary, pronounce, cache)
            if found is not None:
                special.append(weigh(found.graph, weighing))
                vocabulary = found.vocabulary
        share = weighing.pack_share if special else 0.0
        shares = [(1.0 - share) / len(own)] * len(own) + [share / max(1, len(special))] * len(special)
        hot = None
        if expected.hot_words:
            graph, vocabulary = hot_graph(expected.hot_words, vocabulary, pronounce)
            hot = weigh_hot(graph, weighing)
        self.vocabulary = vocabulary
        general = (weigh(words.graph(name), weighing) for name in own)
        self.searcher = Searcher(join(chain(general, special), shares, weighing, hot), self.tuning.limits)
