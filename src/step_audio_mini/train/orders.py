"""Finds the words of recorded orders that come with slots but no transcript, so that the ears can learn from them.

Every sentence of the pack that can carry the known values is a candidate; the one the ears find likeliest is taken,
where it is not much less likely than what they would hear without being told: constrained self-training.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from step_audio_mini.data.packs import Clip
from step_audio_mini.errors import UserError
from step_audio_mini.text.lexicon import Lexicon, transcript_units
from step_audio_mini.think.pack import Pack
from step_audio_mini.think.phrases import Phrases
from step_audio_mini.think.units import join

DRAWS, CANDIDATES = 30_000, 600
"""Sentences drawn of an intent, and most that are tried for a clip."""
WORST = 1.6
"""Nats a unit that a transcript may be less likely than the best path; worse ones were said otherwise."""

Posteriors = Callable[[Clip], Tensor]
"""Log-posteriors (T, V) of a clip."""


@dataclass(frozen=True)
class Found:
    """The words of a clip and how far from the best path they are, in nats a unit."""

    clip: Clip
    text: str
    margin: float


def skeletons(pack: Pack, intent: str, seed: int = 1) -> Mapping[frozenset[str], list[str]]:
    """Sentences of an intent with `{slot}` where a value stands, by the slots they have; sorted, then shuffled."""
    phrases, rng = Phrases(pack, None, {}), random.Random(seed)
    bank: defaultdict[frozenset[str], set[str]] = defaultdict(set)
    for _ in range(DRAWS):
        said = phrases.request(intent, "en", rng)
        if said is None:
            continue
        units = list(said.units)
        for slot, (first, last) in sorted(said.spans.items(), key=lambda span: -span[1][0]):
            units[first : last + 1] = [f"{{{slot}}}"]
        bank[frozenset(said.values)].add(join(tuple(units)))
    return {slots: rng.sample(sorted(found), len(found)) for slots, found in bank.items()}


def words_of(clips: Iterable[Clip], pack: Pack, lexicon: Lexicon, hear: Posteriors) -> Iterator[Found]:
    """Transcripts of the clips whose labels name an intent of the pack; clips that fit no sentence are left out."""
    banks: dict[str, Mapping[frozenset[str], list[str]]] = {}
    for clip in clips:
        intent, slots = clip.labels.get("intent"), clip.labels.get("slots")
        if intent not in pack.intents or not slots:
            continue
        if intent not in banks:
            banks[intent] = skeletons(pack, intent)
        texts = [text.format(**slots) for text in banks[intent].get(frozenset(slots), [])[:CANDIDATES]]
        found = likeliest(texts, hear(clip), lexicon)
        if found is not None and found[1] < WORST:
            yield Found(clip, *found)


def likeliest(texts: Iterable[str], posteriors: Tensor, lexicon: Lexicon) -> tuple[str, float] | None:
    """The text whose best CTC path is likeliest, and how far that is from the best path of all, in nats a unit."""
    units = {text: found for text in texts if (found := transcript_units(text, None, lexicon))}
    if not units:
        return None
    costs = path_costs(list(units.values()), posteriors)
    best = int(costs.argmin())
    free = -float(posteriors.max(-1).values.sum())
    text = list(units)[best]
    return text, (float(costs[best]) - free) / len(units[text])


def path_costs(sequences: Sequence[Sequence[int]], posteriors: Tensor) -> Tensor:
    """Cost (C,) of the best CTC path of each sequence of units through log-posteriors (T, V); inf where none fits.

    All at once, and without the sum over paths: twenty times as fast as the loss.
    """
    longest = max(map(len, sequences))
    states = torch.zeros(len(sequences), 2 * longest + 1, dtype=torch.long)  # blanks around every unit
    for row, units in zip(states, sequences, strict=True):
        row[1 : 2 * len(units) : 2] = torch.tensor(units)
    never = torch.tensor(float("inf"))
    # a blank may be left out between two different units
    skips = torch.where((states[:, 2:] != 0) & (states[:, 2:] != states[:, :-2]), 0.0, never)
    cost = torch.full(states.shape, float("inf"))
    cost[:, :2] = 0.0
    for time, frame in enumerate(-posteriors):
        if time:
            ahead = torch.full_like(cost, float("inf"))
            ahead[:, 1:] = cost[:, :-1]
            ahead[:, 2:] = torch.minimum(ahead[:, 2:], cost[:, :-2] + skips)
            cost = torch.minimum(cost, ahead)
        cost = cost + frame[states]
    ends = torch.tensor([2 * len(units) for units in sequences])[:, None]
    return torch.minimum(cost.gather(1, ends), cost.gather(1, ends - 1))[:, 0]


def write_transcripts(found: Iterable[Found], path: Path) -> int:
    """Lines `pack TAB id TAB text`; how many."""
    lines = [f"{one.clip.pack}\t{one.clip.id}\t{one.text}\n" for one in found]
    beside = path.with_name(path.name + ".part")
    beside.write_text("".join(lines), encoding="utf-8")
    beside.replace(path)
    return len(lines)


def read_transcripts(path: Path) -> dict[tuple[str, str], str]:
    """What `write_transcripts` wrote: (pack, id) to text."""
    try:
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
        return {(pack, clip): text for pack, clip, text in rows}
    except (OSError, ValueError) as wrong:
        raise UserError(
            f"{path} holds no transcripts ({wrong}); make them with `step-audio export transcripts`"
        ) from wrong
