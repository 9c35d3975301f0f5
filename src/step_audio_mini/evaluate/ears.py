"""Measures the ears on recordings of unseen people: phones and syllables greedy, words through the search, and a peer.

Every pack stands alone: a mean over packs would hide the hard ones. Speakers that the ears were trained on stand apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.audio.features import HOP, WINDOW, log_mel
from step_audio_mini.data.cache import Cache, to_float
from step_audio_mini.data.packs import Clip
from step_audio_mini.evaluate.confusions import confusion_rows
from step_audio_mini.evaluate.intervals import Count, rate
from step_audio_mini.evaluate.measures import ErrorCount, character_errors, phone_errors, syllable_errors, word_errors
from step_audio_mini.evaluate.reliability import calibration_figure, right_words
from step_audio_mini.evaluate.results import Row, row
from step_audio_mini.evaluate.sample import spread
from step_audio_mini.evaluate.trained import by_acquaintance, marked
from step_audio_mini.listen.alignment import calibration_of
from step_audio_mini.listen.recogniser import Recogniser, Tuning, WordModel
from step_audio_mini.listen.stream import FLUSH_SECONDS, STRIDE, Stream
from step_audio_mini.runtime import state
from step_audio_mini.runtime.manifest import Weights
from step_audio_mini.runtime.session import Graph
from step_audio_mini.text.lexicon import Lexicon, words
from step_audio_mini.types import SAMPLE_RATE, Samples

CHUNK = 8
"""Encoder frames a step: 320 ms, as shipped."""
CHILD = 12
"""so762: speakers up to this age are children and stand apart."""


@dataclass(frozen=True)
class Heard:
    """What the ears made of a clip."""

    units: tuple[str, ...]
    """Best unit of every frame, repeats and blanks dropped."""
    text: str
    """Words found by the search."""
    sure: tuple[tuple[str, float], ...] = ()
    """English words and single Han characters of the text, each with its confidence."""


class Ears(Protocol):
    """What is measured."""

    def hear(self, samples: Samples) -> Heard:
        """Units and words of a clip, (n,)."""

    def units(self, samples: Samples) -> Sequence[str]:
        """Units alone, without the search."""


class Peer(Protocol):
    """Another recogniser of English."""

    name: str

    def hear(self, samples: NDArray[np.int16]) -> str:
        """Words of a whole clip, (n,) int16."""


class OurEars:
    """The ears of a folder of weights, with the general language model only: no pack is loaded."""

    def __init__(self, weights: Weights, chunk: int = CHUNK) -> None:
        """`chunk`: encoder frames that the search's network takes at once."""
        self._weights, self._chunk = weights, chunk

    @cached_property
    def _network(self) -> _Recorder:
        return _Recorder(Graph(self._weights.read("ears"), "ears"))

    @cached_property
    def _recogniser(self) -> Recogniser:
        tuning = Tuning(chunk=self._chunk, calibration=calibration_of(self._weights))
        return Recogniser(self._network, WordModel.load(self._weights), tuning=tuning)

    def hear(self, samples: Samples) -> Heard:
        """Units and words of a clip from one pass of the network."""
        stream = self.begin()
        stream.accept(samples)
        best = stream.finish().best
        sure = tuple((part, word.confidence) for word in best.words for part in words(word.text))
        return Heard(tuple(self._network.units()), best.text, sure)

    def begin(self) -> Stream:
        """Ears for one clip, to be fed as it comes; `heard_units` are then its units."""
        self._network.best.clear()
        return Stream(self._recogniser)

    def heard_units(self) -> list[str]:
        """Greedy units since `begin`."""
        return self._network.units()

    def units(self, samples: Samples) -> list[str]:
        """Greedy units of a clip, streamed in chunks of 320 ms."""
        return greedy_units(self._network, samples)


class _Recorder:
    """A network that remembers the best unit of every frame it gave to the search."""

    def __init__(self, graph: Graph) -> None:
        self._graph, self.best = graph, list[int]()
        self.facts, self.inputs = graph.facts, graph.inputs

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        out = self._graph.run(feeds)
        self.best += out["log_probs"][0].argmax(-1).tolist()
        return out

    def units(self) -> list[str]:
        """Units of the frames since `best` was cleared."""
        names: list[str] = list(self.facts["units"])
        return [
            names[unit] for before, unit in zip([0, *self.best], self.best, strict=False) if unit not in (0, before)
        ]


def greedy_units(network: _Recorder, samples: Samples) -> list[str]:
    """Best unit of every frame of (n,) samples, repeats and blanks dropped."""
    need = STRIDE * CHUNK
    frames = len(samples) // HOP + int(FLUSH_SECONDS * SAMPLE_RATE) // HOP
    whole = -(-frames // need) * need
    sound = np.pad(samples, (0, max(0, whole * HOP + WINDOW - HOP - len(samples))))
    mels, memory = log_mel(sound)[:whole], state.init(network)
    network.best.clear()
    for start in range(0, whole, need):
        _, memory = state.step(network, {"frames": mels[None, start : start + need]}, memory)
    return network.units()


def lexicon_of(weights: Weights) -> Lexicon:
    """The English pronunciations that ship, the reference of the phone error."""
    return Lexicon.from_bytes(weights.read("lexicon"))


@dataclass(frozen=True)
class EarsTest:
    """What to measure on: test clips of a cache, at most `most` of a pack (evenly spaced), the peer on `most_peer`."""

    cache: Cache
    lexicon: Lexicon
    most: int = 1000
    most_peer: int = 40
    trained_speakers: frozenset[str] = frozenset()
    """Whom the ears were trained on."""

    @cached_property
    def _clips(self) -> list[Clip]:
        return [c for c in self.cache.clips if c.split == "test" and c.text and c.lang in ("zh", "en")]

    def clips(self, pack: str, most: int) -> list[Clip]:
        """Test clips of a pack, or of one subset of it, that have a transcript."""
        found = [clip for clip in self._clips if subset(clip) == pack]
        return spread(found, most)

    @cached_property
    def packs(self) -> dict[str, str]:
        """Packs, or their subsets, with test transcripts, and their language."""
        return {subset(clip): clip.lang for clip in self._clips}

    @cached_property
    def trained(self) -> frozenset[tuple[str, ...]]:
        """Sentences of the train split, whoever said them."""
        return frozenset(words(clip.text) for clip in self.cache.clips if clip.split == "train")


def subset(clip: Clip) -> str:
    """What a row is about: a pack, or what its corpus reports on its own (`librispeech test-clean`)."""
    return f"{clip.pack} {clip.labels['subset']}" if "subset" in clip.labels else clip.pack


def measure(test: EarsTest, ears: Ears, peer: Peer | None, tell: Callable[[str], None]) -> list[Row]:
    """All rows; `tell` hears the name of each pack."""
    rows: list[Row] = []
    strangers: dict[str, list[tuple[Clip, Sequence[str]]]] = {"en": [], "zh": []}
    for pack, language in sorted(test.packs.items()):
        tell(pack)
        clips = test.clips(pack, test.most)
        heard = {clip.id: ears.hear(to_float(test.cache.samples(clip))) for clip in clips}
        unknown = (clip for clip in clips if clip.speaker not in test.trained_speakers)
        strangers[language] += [(clip, heard[clip.id].units) for clip in unknown]
        for mark, group in by_acquaintance(clips, test.trained_speakers).items():
            rows += marked(_greedy_rows(test, pack, language, group, heard), mark)
            rows += marked(_word_rows(pack, language, group, heard), mark)
        if peer and language == "en":
            compared = spread(clips, test.most_peer)
            for mark, group in by_acquaintance(compared, test.trained_speakers).items():
                rows += marked(_peer_rows(test, pack, peer, group, heard), mark)
    for language, name in (("en", "all English packs"), ("zh", "all Mandarin packs")):
        rows += confusion_rows(strangers[language], test.lexicon, name)
    return rows


def _greedy_rows(test: EarsTest, pack: str, language: str, clips: list[Clip], heard: Mapping[str, Heard]) -> list[Row]:
    def error(clip: Clip) -> ErrorCount | None:
        if language == "en":
            return phone_errors(clip.text, heard[clip.id].units, test.lexicon)
        return syllable_errors(clip.pinyin, heard[clip.id].units)

    name = "phone error, greedy" if language == "en" else "toneless-syllable error, greedy"
    rows = _rows(name, pack, clips, error)
    if language == "zh":
        toned = "toned-syllable error, greedy"
        rows += _rows(toned, pack, clips, lambda clip: syllable_errors(clip.pinyin, heard[clip.id].units, tones=True))
    if pack == "so762":
        children = [clip for clip in clips if clip.labels["age"] <= CHILD]
        rows += _rows(f"{name}, children up to {CHILD}", pack, children, error)
        rows += _rows(f"{name}, older speakers", pack, [clip for clip in clips if clip not in children], error)
    unseen = [clip for clip in clips if words(clip.text) not in test.trained]
    if 0 < len(unseen) < len(clips):
        rows += _rows(f"{name}, sentences that no training clip has", pack, unseen, error)
    return rows


def _word_rows(pack: str, language: str, clips: list[Clip], heard: Mapping[str, Heard]) -> list[Row]:
    """Word or character errors through the search."""
    count, name = (word_errors, "word error") if language == "en" else (character_errors, "character error")
    rows = _rows(name, pack, clips, lambda clip: count(clip.text, heard[clip.id].text))
    pairs = [right_words(words(clip.text), heard[clip.id].sure) for clip in clips]
    return [*rows, row("word confidence, ECE", pack, calibration_figure(pairs), "real")] if any(pairs) else rows


def _peer_rows(test: EarsTest, pack: str, peer: Peer, clips: list[Clip], heard: Mapping[str, Heard]) -> list[Row]:
    """Ours and the peer's word error on the same clips, fewer because the peer is slow."""
    name = "word error, clips of the comparison"
    ours = _rows(name, pack, clips, lambda clip: word_errors(clip.text, heard[clip.id].text))
    theirs = _rows(name, pack, clips, lambda c: word_errors(c.text, peer.hear(test.cache.samples(c))), peer.name)
    return ours + theirs


def _rows(
    name: str, pack: str, clips: list[Clip], error: Callable[[Clip], ErrorCount | None], system: str = ""
) -> list[Row]:
    """One row, none where nothing could be counted; says how many clips were dropped."""
    found = [(clip, error(clip)) for clip in clips]
    counts = [Count(count[0], count[1], clip.speaker) for clip, count in found if count is not None]
    if not any(count.whole for count in counts):
        return []
    dropped = len(found) - len(counts)
    note = f"{dropped} clips dropped: a word outside the reference pronunciations" if dropped else ""
    more = {"system": system} if system else {}
    return [row(name, pack, rate(counts), "real", note=note, **more)]
