"""Turns of generated dialogues as tensors: what the mind reads, what it must write, and what it might have written."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from step_audio_mini.think.alphabet import INDEX, Role
from step_audio_mini.think.grammar import Draft, Grammar
from step_audio_mini.think.reading import Reader, Reading
from step_audio_mini.think.units import Unit, units_of
from step_audio_mini.train.confusion import Confusion
from step_audio_mini.train.dialogues import Turn
from step_audio_mini.types import Hearing

LOST = 0.55
"""Share of units heard wrong from which the right answer is: not understood."""


Span = tuple[tuple[int, int], object]
"""Positions of the first and last piece of a value, and what the units between them come to."""


@dataclass(frozen=True)
class Choice:
    """One right choice among the allowed ones."""

    role: int
    index: int
    allowed: NDArray[np.int64]


@dataclass(frozen=True)
class Example:
    """A turn as it was heard, with the right choices."""

    reading: Reading
    choices: tuple[Choice, ...]
    candidates: int
    vectors: NDArray[np.float32] | None = None
    """(N, ears) what the ears heard; None for turns that were never sound."""
    snr_db: float = 0.0


def hear(
    turn: Turn, confusion: Confusion | None, rng: random.Random
) -> tuple[list[list[Unit]], list[tuple[int, ...]], float]:
    """Hypotheses of a turn, where its units went in each, and the share of errors of the first."""
    units = turn.said.units
    if confusion is None or rng.random() < 0.3:
        return [[Unit(u) for u in units]], [tuple(range(len(units)))], 0.0
    first = confusion.hear(units, rng)
    hearings = [first]
    if rng.random() < 0.35:
        hearings.append(confusion.hear(units, rng, level=rng.choice((0.0, 0.1, 0.3))))
    # empty and equal hypotheses are not read, and places must count as reading does
    kept = {tuple(u.text for u in h.units): h for h in reversed(hearings) if h.units}
    told = [h for h in hearings if h.units and kept[tuple(u.text for u in h.units)] is h]
    return [list(h.units) for h in told], [h.places for h in told], first.errors / max(1, len(units))


def example(turn: Turn, reader: Reader, confusion: Confusion | None, rng: random.Random) -> Example:
    """A turn through the channel, with what is right to write given what was heard."""
    heard, places, errors = hear(turn, confusion, rng)
    reading = reader.read(turn.before, heard)
    grammar = Grammar(reader, reading, turn.before, check_values=False)
    lost = errors >= LOST or not reading.hypotheses
    writer = _RightWriter(grammar, reader, reading, turn, places, lost)
    return Example(reading, writer.choices(), grammar.size)


def heard_example(turn: Turn, reader: Reader, hearing: Hearing, *, lost: bool = False) -> Example:
    """A turn as the ears really heard it. Where a value stands is not known: it is looked for in the hypotheses."""
    reading = reader.read(turn.before, [units_of(h) for h in hearing.nbest])
    grammar = Grammar(reader, reading, turn.before, check_values=False)
    writer = _RightWriter(grammar, reader, reading, turn, (), lost or not reading.hypotheses)
    vectors = hearing.vectors if len(hearing.vectors) else None
    return Example(reading, writer.choices(), grammar.size, vectors, hearing.attributes.snr_db)


class _RightWriter:
    """Walks the grammar along the right choices."""

    def __init__(
        self,
        grammar: Grammar,
        reader: Reader,
        reading: Reading,
        turn: Turn,
        places: Sequence[tuple[int, ...]],
        lost: bool,
    ) -> None:
        self._grammar, self._reader, self._reading, self._turn = grammar, reader, reading, turn
        self._act = "not_understood" if lost else turn.act
        self._sources, self._wrong = self._find_sources(places)

    def choices(self) -> tuple[Choice, ...]:
        """The right choices, first to last."""
        draft, out = self._grammar.first(), list[Choice]()
        while draft.role is not None:
            allowed = self._grammar.allowed(draft)
            index = int(allowed[0]) if len(allowed) == 1 else self._right(draft)
            if index not in allowed:
                raise ValueError(f"{draft.role.name} of {self._turn} is not allowed by the grammar")
            out.append(Choice(int(draft.role), index, allowed))
            draft = self._grammar.choose(draft, index)
        return tuple(out)

    def _right(self, draft: Draft) -> int:
        grammar = self._grammar
        if draft.role is Role.ACT:
            return INDEX[f"act:{self._act}"]
        if draft.role is Role.INTENT:
            return grammar.items + self._reader.intent_item(str(self._turn.intent))
        if draft.role is Role.SLOT:
            order = self._reader.pack.intents[str(draft.intent)].slots
            left = [s for place, s in enumerate(order) if s in self._sources and place > draft.closed]
            return grammar.items + self._reader.slot_item(left[0]) if left else INDEX["end_slots"]
        if draft.role in (Role.START, Role.END):
            return grammar.positions + self._sources[draft.slot][draft.role is Role.END]
        if draft.role is Role.CALL:
            return INDEX["call:confirm" if self._wrong and self._turn.call == "call" else f"call:{self._turn.call}"]
        sorry = self._act in ("not_understood", "out_of_scope", "deny")
        return INDEX["style:sorry" if sorry else "style:slow" if self._act == "repeat" else "style:neutral"]

    def _find_sources(self, places: Sequence[tuple[int, ...]]) -> tuple[dict[str, tuple[int, int]], bool]:
        """Slot -> positions of its first and last piece; and whether a value was heard wrong or not at all."""
        turn, sources, wrong = self._turn, dict[str, tuple[int, int]](), False
        at = {slot: position for position, slot in self._reading.carried.items()}
        for slot, value in turn.slots.items():
            if slot in turn.carried:
                sources[slot] = (at[turn.carried[slot]],) * 2
                continue
            found = [self._span(slot, hypothesis, p) for hypothesis, p in enumerate(places)]
            found = found or [self._search(slot, value)]
            right = [f for f in found if f and f[1] == value]
            any_ = right or [f for f in found if f and f[1] is not None]
            wrong |= not right
            if any_:
                sources[slot] = any_[0][0]
        return sources, wrong

    def _search(self, slot: str, value: object) -> Span | None:
        """The place in the first hypothesis that has it where a value was heard right."""
        values, index = self._reader.values, self._reader.pack.slot_names.index(slot)
        for number, hypothesis in enumerate(self._reading.hypotheses):
            units = [unit.text for unit in hypothesis]
            for match in values.matches(units):
                if index in match.slots and values.normalise(slot, units[match.first : match.last + 1]) == value:
                    at = self._reading.units
                    inside = (at[:, 0] == number) & (at[:, 1] >= match.first) & (at[:, 1] <= match.last)
                    positions = np.flatnonzero(inside)
                    return (int(positions[0]), int(positions[-1])), value
        return None

    def _span(self, slot: str, hypothesis: int, places: tuple[int, ...]) -> Span | None:
        first, last = self._turn.said.spans[slot]
        went = [p for p in places[first : last + 1] if p >= 0]
        units = self._reading.units
        if not went:
            return None
        inside = (units[:, 0] == hypothesis) & (units[:, 1] >= went[0]) & (units[:, 1] <= went[-1])
        positions = np.flatnonzero(inside)
        # the second hypothesis is not read when it equals the first, and long turns are cut
        if not len(positions) or units[positions[-1], 1] != went[-1]:
            return None
        span = int(positions[0]), int(positions[-1])
        return span, self._reader.values.normalise(slot, self._reading.unit_texts(*span))


@dataclass(frozen=True)
class MindBatch:
    """Padded tensors; `inputs` as `MindNet.encode` takes them."""

    inputs: dict[str, Tensor]
    previous: Tensor
    roles: Tensor
    targets: Tensor
    """(B, Q) right candidates; -100 where there is no choice."""
    allowed: Tensor
    """(B, Q, C) bool."""


def _sound(examples: Sequence[Example], ears: int) -> dict[str, Tensor]:
    """The ears' vectors, padded; a row without sound has one zero vector behind a closed gate."""
    longest = max(1, *(0 if e.vectors is None else len(e.vectors) for e in examples))
    vectors = np.zeros((len(examples), longest, ears), np.float32)
    snr, mask = np.zeros((len(examples), 2), np.float32), np.zeros((len(examples), longest), bool)
    mask[:, 0] = True
    for row, e in enumerate(examples):
        if e.vectors is not None:
            vectors[row, : len(e.vectors)], mask[row, : len(e.vectors)] = e.vectors, True
            snr[row] = e.snr_db / 20, 1.0
    arrays = {"vectors": vectors, "snr": snr, "sound_mask": mask}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def collate(examples: Sequence[Example], reader: Reader, ears: int) -> MindBatch:
    """One batch of examples of one pack."""
    batch, length = len(examples), max(len(e.reading.pieces) for e in examples)
    steps, slots = max(len(e.choices) for e in examples), len(reader.pack.slot_names)
    names = ("pieces", "symbols", "items", "segments", "confidences", "languages")
    arrays = {name: np.zeros((batch, length), np.int64) for name in names}
    spots = np.zeros((batch, 2, length, slots), np.float32)
    mask = np.zeros((batch, length), bool)
    base = examples[0].candidates - len(examples[0].reading.pieces)
    previous, roles = np.full((batch, steps), INDEX["begin"], np.int64), np.zeros((batch, steps), np.int64)
    links = np.zeros((batch, base + length, base + length), np.float32)
    targets, allowed = np.full((batch, steps), -100, np.int64), np.zeros((batch, steps, base + length), bool)
    for row, e in enumerate(examples):
        size = len(e.reading.pieces)
        for name in names:
            arrays[name][row, :size] = getattr(e.reading, name)
        spots[row, :, :size], mask[row, :size] = e.reading.spots, True
        links[row, e.reading.links[:, 0], e.reading.links[:, 1]] = 1
        for step, choice in enumerate(e.choices):
            roles[row, step], allowed[row, step, choice.allowed] = choice.role, True
            if step:
                previous[row, step] = e.choices[step - 1].index
            if len(choice.allowed) > 1:
                targets[row, step] = choice.index
    allowed[:, :, 0] |= ~allowed.any(-1)
    inputs = {name: torch.from_numpy(array) for name, array in arrays.items()} | {
        "spots": torch.from_numpy(spots), "mask": torch.from_numpy(mask),
        "descriptions": torch.from_numpy(reader.descriptions),
        "links": torch.from_numpy(links),
        "hints": torch.from_numpy(np.stack([e.reading.hints for e in examples])),
        "familiar": torch.from_numpy(np.stack([e.reading.familiar for e in examples])),
    }  # fmt: skip
    inputs |= _sound(examples, ears)
    numbers = (torch.from_numpy(a) for a in (previous, roles, targets, allowed))
    return MindBatch(inputs, *numbers)
