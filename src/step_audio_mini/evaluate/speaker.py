"""Measures what the speaker network says of unseen people: gender, age band, language, and who is the same person.

Pairs are compared within a pack only: between packs the microphone would tell people apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.data.cache import Cache, to_float
from step_audio_mini.data.packs import Clip
from step_audio_mini.evaluate.conditions import CLEAN, World
from step_audio_mini.evaluate.intervals import FEWEST_GROUPS, RESAMPLES, SEED, Count, Figure, rate
from step_audio_mini.evaluate.results import Row, row
from step_audio_mini.listen.speaker_attributes import LEAST, SpeakerModel

ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "language": ("en", "zh"),
    "gender": ("female", "male"),
    "age": ("adult", "child"),
}
"""What is told of a voice, and the classes of each."""
OLDEST_CHILD, YOUNGEST_ADULT = 12, 18
"""Years. Those in between are neither taught nor judged: their voices are changing, and there are few of them."""
GENDERS = {"f": "female", "female": "female", "m": "male", "male": "male"}
CONDITIONS = {CLEAN: "", "noise 10 dB": ", 10 dB SNR"}
"""Condition to what the measure's name says of it."""
SPEAKER_CLIPS = 10
"""Clips of a speaker that are looked at, evenly spaced: some packs have hundreds of a few."""


def attributes_of(clip: Clip) -> dict[str, str]:
    """What the pack says of the speaker of a clip, as far as it is one of `ATTRIBUTES`."""
    found = {}
    if clip.lang in ATTRIBUTES["language"]:
        found["language"] = clip.lang
    if clip.labels.get("gender") in GENDERS:
        found["gender"] = GENDERS[clip.labels["gender"]]
    age = clip.labels.get("age")
    if isinstance(age, int) and not OLDEST_CHILD < age < YOUNGEST_ADULT:
        found["age"] = "child" if age <= OLDEST_CHILD else "adult"
    elif isinstance(age, str) and age != "teens":  # Common Voice: decades
        found["age"] = "adult"
    return found


def recorded(clip: Clip) -> bool:
    """Whether a person speaks: programs have names too."""
    return not clip.source.startswith("synthetic:")


def known(clip: Clip) -> bool:
    """Whether the pack says which person speaks: clusters of like-sounding clips do not."""
    return recorded(clip) and bool(clip.speaker) and "-guess" not in clip.speaker


@dataclass(frozen=True)
class Pairs:
    """Every pair of some clips: cosine (P,), whether one person spoke both (P,), the two persons' numbers (P, 2)."""

    scores: NDArray[np.float32]
    same: NDArray[np.bool_]
    people: NDArray[np.int64]

    @classmethod
    def of(cls, embeddings: NDArray[np.float32], speakers: Sequence[str]) -> Pairs:
        """Pairs of embeddings (N, E) of length 1."""
        one, other = np.triu_indices(len(embeddings), 1)
        people = np.unique(np.asarray(speakers), return_inverse=True)[1]
        scores = (embeddings @ embeddings.T)[one, other]
        order = np.argsort(scores, kind="stable")
        pairs = np.stack([people[one], people[other]], 1)[order]
        return cls(scores[order], pairs[:, 0] == pairs[:, 1], pairs)

    def equal_error(self, drawn: NDArray[np.float64] | None = None) -> float:
        """Equal error rate: where as many same pairs are refused as different ones are taken, 0...1.

        `drawn`: how often each person counts, (people,).
        """
        weight = np.ones(len(self.scores))
        if drawn is not None:
            one, other = drawn[self.people[:, 0]], drawn[self.people[:, 1]]
            weight = np.where(self.same, one, one * other)
        ends = np.flatnonzero(np.append(np.diff(self.scores) > 0, True))  # equal scores fall together
        refused, spared = (np.cumsum(weight * kind)[ends] for kind in (self.same, ~self.same))
        refused, taken = refused / max(refused[-1], 1e-12), 1 - spared / max(spared[-1], 1e-12)
        after = int(np.argmax(refused >= taken))  # between this threshold and the one before, by a straight line
        before_refused, before_taken = (refused[after - 1], taken[after - 1]) if after else (0.0, 1.0)
        rise, fall = refused[after] - before_refused, before_taken - taken[after]
        share = (before_taken - before_refused) / max(rise + fall, 1e-12)
        return float(before_refused + share * rise)

    def figure(self) -> Figure:
        """The equal error with its interval over speakers; n is the number of pairs."""
        count = int(self.people.max()) + 1
        rng = np.random.default_rng(SEED)
        draws = rng.multinomial(count, np.full(count, 1 / count), RESAMPLES).astype(float)
        errors = [self.equal_error(draw) for draw in draws]
        low, high = np.percentile(errors, [2.5, 97.5])
        return Figure(self.equal_error(), float(low), float(high), len(self.scores), "speakers")


@dataclass(frozen=True)
class Seen:
    """A clip, its embedding, and the likeliest class of each attribute with its chance."""

    clip: Clip
    embedding: NDArray[np.float32]
    guesses: Mapping[str, tuple[str, float]]

    def right(self, name: str) -> bool:
        """Whether the likeliest class is the labelled one."""
        return self.guesses[name][0] == attributes_of(self.clip)[name]


@dataclass(frozen=True)
class SpeakerTest:
    """What to measure on: test clips of strangers, some of each."""

    cache: Cache
    model: SpeakerModel
    world: World
    trained: frozenset[str] = field(default_factory=frozenset)
    """Speakers that the network was trained on."""

    def clips(self) -> dict[str, list[Clip]]:
        """Pack to its clips."""
        by_speaker: dict[tuple[str, str], list[Clip]] = defaultdict(list)
        for clip in self.cache.clips:
            if clip.split == "test" and clip.lang in ("en", "zh") and known(clip):
                by_speaker[clip.pack, clip.speaker].append(clip)
        packs: dict[str, list[Clip]] = defaultdict(list)
        for (pack, speaker), clips in sorted(by_speaker.items()):
            if speaker not in self.trained:
                places = np.unique(np.linspace(0, len(clips) - 1, min(len(clips), SPEAKER_CLIPS)).round().astype(int))
                packs[pack] += [clips[place] for place in places]
        return packs

    def look(self, clips: Iterable[Clip], condition: str) -> list[Seen]:
        """The clips as the network sees them; those with too little speech are left out."""
        out = []
        for clip in clips:
            samples, _ = self.world.heard(to_float(self.cache.samples(clip)), condition, clip.id)
            seen = self.model.look(samples)
            if seen is not None:
                out.append(Seen(clip, seen[0], self.model.likeliest(seen[1])))
        return out


def measure(test: SpeakerTest, tell: Callable[[str], None]) -> list[Row]:
    """All rows; `tell` hears the name of each pack."""
    rows: list[Row] = []
    packs = test.clips()
    for condition, suffix in CONDITIONS.items():
        everybody: list[Seen] = []
        for pack, clips in packs.items():
            tell(f"{pack}{suffix}")
            seen = test.look(clips, condition)
            rows += [*_attribute_rows(pack, seen, suffix), *_pair_rows(pack, seen, suffix)]
            everybody += seen
        rows += _attribute_rows("all packs", everybody, suffix)
        rows += _told_rows(everybody, suffix)
    return rows


def _attribute_rows(pack: str, seen: Sequence[Seen], suffix: str) -> list[Row]:
    """Share of right guesses of each attribute and, where a pack has several classes, of each class by language."""
    rows = []
    for name in ATTRIBUTES:
        labelled = [one for one in seen if name in attributes_of(one.clip)]
        groups: dict[str, list[Seen]] = defaultdict(list)
        for one in labelled:
            label = attributes_of(one.clip)[name]
            groups[label if name == "language" else f"{one.clip.lang} {label}"].append(one)
        rows += _right(f"{name} right{suffix}", pack, name, labelled)
        if len(groups) > 1:
            for group, members in sorted(groups.items()):
                rows += _right(f"{name} right, {group}{suffix}", pack, name, members)
    return rows


def _right(measure: str, pack: str, name: str, seen: Sequence[Seen]) -> list[Row]:
    if not seen:
        return []
    note = f"{len({one.clip.speaker for one in seen})} speakers"
    return [row(measure, pack, rate([Count(one.right(name), 1, one.clip.speaker) for one in seen]), "real", note=note)]


def _told_rows(seen: Sequence[Seen], suffix: str) -> list[Row]:
    """How often an attribute is sure enough to be told, and how often it is then right."""
    rows = []
    for name in ATTRIBUTES:
        labelled = [one for one in seen if name in attributes_of(one.clip)]
        told = [one for one in labelled if one.guesses[name][1] >= LEAST]
        if labelled:
            counts = [Count(one.guesses[name][1] >= LEAST, 1, one.clip.speaker) for one in labelled]
            rows.append(row(f"{name} told{suffix}", "all packs", rate(counts), "real"))
        rows += _right(f"{name} right where told{suffix}", "all packs", name, told)
        for label in ATTRIBUTES[name]:  # the commoner class would hide the rarer one
            members = [one for one in told if attributes_of(one.clip)[name] == label]
            rows += _right(f"{name} right where told, {label}{suffix}", "all packs", name, members)
    return rows


def _pair_rows(pack: str, seen: Sequence[Seen], suffix: str) -> list[Row]:
    """Equal error over the pairs of a pack with enough speakers of several clips."""
    clips: dict[str, int] = defaultdict(int)
    for one in seen:
        clips[one.clip.speaker] += 1
    if sum(count > 1 for count in clips.values()) < FEWEST_GROUPS:
        return []
    pairs = Pairs.of(np.stack([one.embedding for one in seen]), [one.clip.speaker for one in seen])
    note = f"{len(clips)} speakers, {int(pairs.same.sum())} same pairs; one recording session a speaker is likely"
    return [row(f"equal error, same or other speaker{suffix}", pack, pairs.figure(), "real", note=note)]
