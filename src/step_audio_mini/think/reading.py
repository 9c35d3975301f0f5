"""Lays out what the mind reads in one turn: state, last act, hypotheses with confidences and spotted values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.think.alphabet import ACTS, INDEX, SYMBOLS, system_symbol
from step_audio_mini.think.hints import Hint, Hints
from step_audio_mini.think.pack import Pack
from step_audio_mini.think.state import Dialogue
from step_audio_mini.think.units import Unit, is_han, split
from step_audio_mini.think.values import Match, Values

MAX_READ_UNITS = 60
"""Units of one hypothesis that the mind reads."""
MAX_STATE_UNITS = 12
MAX_HYPOTHESES = 2
DESCRIPTION_PIECES = 48
"""Pieces that describe one intent or slot; more are cut."""
CONFIDENCE_BINS = (0.3, 0.5, 0.6, 0.66, 0.8)
"""Edges, in about equal shares of what the ears give; the last bin is typed text."""
STATE, FIRST, OTHER = 0, 1, 2
Int64 = NDArray[np.int64]


class Pieces(Protocol):
    """Cuts a unit into sub-word ids; ids start at 0, which stands for nothing."""

    def ids(self, unit: str) -> Sequence[int]:
        """Ids of one unit, at least one."""


class SentencePieces:
    """The trained sub-word model, one unit at a time and remembered."""

    def __init__(self, model: bytes) -> None:
        import sentencepiece  # slow to import

        self._model = sentencepiece.SentencePieceProcessor(model_proto=model)
        self.ids = cache(self._ids)

    def __len__(self) -> int:
        return int(self._model.vocab_size()) + 1

    def _ids(self, unit: str) -> tuple[int, ...]:
        return tuple(i + 1 for i in self._model.encode(unit)) or (1,)


@dataclass(frozen=True)
class Reading:
    """The encoder's input, T positions, and where its positions come from."""

    pieces: Int64
    """(T,) sub-word ids; 0 where a symbol or an item stands."""
    symbols: Int64
    """(T,) index of a fixed symbol + 1; 0 for none."""
    items: Int64
    """(T,) index of an intent or slot of the pack + 1; 0 for none."""
    segments: Int64
    """(T,) state, first hypothesis, other hypothesis."""
    confidences: Int64
    """(T,) confidence bins, 0..5."""
    languages: Int64
    """(T,) 0 English, 1 Chinese."""
    spots: NDArray[np.float32]
    """(2, T, S) begin and inside of values of each slot."""
    hints: NDArray[np.float32]
    """(K + M,) log-probability of acts and intents by the pack's own sentences; for slots 1 where a value was heard."""
    familiar: NDArray[np.float32]
    """(3,) how familiar the words are."""
    links: Int64
    """(n, 2) pairs of candidates, the second likely after the first: slot -> start, start -> end of a value heard."""
    hypotheses: tuple[tuple[Unit, ...], ...]
    units: Int64
    """(T, 2) hypothesis and unit of a position; -1 where it comes from no unit."""
    starts: NDArray[np.bool_]
    """(T,) first piece of a heard unit."""
    ends: NDArray[np.bool_]
    """(T,) last piece of a heard unit."""
    carried: dict[int, str]
    """Position -> slot whose value from the state stands there."""

    def unit_texts(self, start: int, end: int) -> list[str]:
        """Units between two positions of one hypothesis, both included."""
        hypothesis, first = self.units[start]
        return [unit.text for unit in self.hypotheses[hypothesis][first : self.units[end][1] + 1]]


class Reader:
    """Lays out turns for one loaded pack. `split_name`: the phrasings that hints are counted from; None for all."""

    def __init__(self, pack: Pack, values: Values, pieces: Pieces, split_name: str | None = None) -> None:
        self._hints = Hints(pack, values, split_name)
        self.pack, self.values, self.pieces = pack, values, pieces
        self._intent = {name: i for i, name in enumerate(pack.intent_names)}
        self._slot = {name: i + len(pack.intent_names) for i, name in enumerate(pack.slot_names)}
        self.descriptions = self._describe()

    def item(self, name: str) -> int:
        """Index of an intent or slot among the pack's items: intents first, then slots."""
        return self._slot[name] if name in self._slot else self._intent[name]

    def intent_item(self, name: str) -> int:
        """Index of an intent among the pack's items."""
        return self._intent[name]

    def slot_item(self, name: str) -> int:
        """Index of a slot among the pack's items."""
        return self._slot[name]

    def _describe(self) -> Int64:
        """(M, DESCRIPTION_PIECES) ids that describe each item: name, description, telling words of its sentences."""
        texts = [
            [*split(_spaced(name)), *(u for text in intent.describe.values() for u in split(text)), *telling]
            for (name, intent), telling in zip(self.pack.intents.items(), telling_units(self.pack), strict=True)
        ]
        for name, slot in self.pack.slots.items():
            words = [split(_spaced(name)), *map(split, slot.describe.values())]
            words += [split(text) for variants in slot.ask.values() for text in variants]
            texts.append([unit for part in words for unit in part])
        table = np.zeros((len(texts), DESCRIPTION_PIECES), np.int64)
        for row, units in enumerate(texts):
            ids = [i for unit in dict.fromkeys(units) for i in self.pieces.ids(unit)][:DESCRIPTION_PIECES]
            table[row, : len(ids)] = ids
        return table

    def read(self, dialogue: Dialogue, hypotheses: Sequence[Sequence[Unit]]) -> Reading:
        """The layout of one turn: state first, then at most two hypotheses, best first."""
        layout = _Layout(len(self.pack.intent_names), len(self.pack.slot_names))
        layout.symbol(system_symbol(dialogue.last_act), STATE)
        if dialogue.asked in self._slot:
            layout.item(self._slot[dialogue.asked])
        self._lay_state(layout, dialogue)
        kept: list[tuple[Unit, ...]] = []
        for units in hypotheses:
            heard = tuple(units[:MAX_READ_UNITS])
            if not heard or any([u.text for u in heard] == [u.text for u in k] for k in kept):
                continue
            segment = OTHER if kept else FIRST
            layout.symbol(INDEX["segment:other" if kept else "segment:first"], segment)
            matches = self.values.matches([unit.text for unit in heard])
            spots = _spots(matches, len(heard), len(self.pack.slot_names))
            first_pieces = []
            for at, unit in enumerate(heard):
                first_pieces.append(len(layout.pieces))
                layout.unit(self.pieces.ids(unit.text), unit, segment, (len(kept), at), spots[:, at])
            layout.link(matches, [*first_pieces, len(layout.pieces)])
            kept.append(heard)
            if len(kept) == MAX_HYPOTHESES:
                break
        return layout.finish(tuple(kept), self._hints.of([unit.text for unit in kept[0]] if kept else []))

    def _lay_state(self, layout: _Layout, dialogue: Dialogue) -> None:
        if dialogue.state.intent not in self._intent:
            return
        layout.symbol(INDEX["segment:state"], STATE)
        layout.item(self._intent[dialogue.state.intent])
        for slot, value in dialogue.state.slots.items():
            if slot not in self._slot:
                continue
            layout.item(self._slot[slot])
            layout.carried[len(layout.pieces)] = slot
            shown = split(self.values.show(slot, value, dialogue.language))[:MAX_STATE_UNITS]
            for text in shown or ["0"]:
                layout.unit(self.pieces.ids(text), Unit(text), STATE, (-1, -1), None)


class _Layout:
    """A reading under construction."""

    def __init__(self, intents: int, slots: int) -> None:
        self._slots, self._positions = len(SYMBOLS) + intents, len(SYMBOLS) + intents + slots
        self._heard = np.zeros(slots, np.float32)
        self._links: list[tuple[int, int]] = []
        self.pieces: list[int] = []
        self.carried: dict[int, str] = {}
        self._rows: list[tuple[int, int, int, int, int]] = []
        self._units: list[tuple[int, int]] = []
        self._edges: list[tuple[bool, bool]] = []
        self._spots: list[NDArray[np.float32]] = []
        self._none = np.zeros((2, slots), np.float32)

    def _add(self, piece: int, row: tuple[int, int, int, int, int]) -> None:
        self.pieces.append(piece)
        self._rows.append(row)

    def symbol(self, index: int, segment: int) -> None:
        self._add(0, (index + 1, 0, segment, 5, 0))
        self._place((-1, -1), (False, False), None)

    def item(self, index: int) -> None:
        self._add(0, (0, index + 1, STATE, 5, 0))
        self._place((-1, -1), (False, False), None)

    def unit(
        self, ids: Sequence[int], unit: Unit, segment: int, at: tuple[int, int], spots: NDArray[np.float32] | None
    ) -> None:
        confidence = sum(unit.confidence >= edge for edge in CONFIDENCE_BINS)
        for number, piece in enumerate(ids):
            self._add(piece, (0, 0, segment, confidence, int(is_han(unit.text))))
            heard = at[0] >= 0
            self._place(at, (heard and number == 0, heard and number == len(ids) - 1), spots)

    def link(self, matches: Sequence[Match], first_pieces: Sequence[int]) -> None:
        """Values of a hypothesis whose units begin at these positions (and one beyond)."""
        for match in matches:
            start = self._positions + first_pieces[match.first]
            self._links.append((start, self._positions + first_pieces[match.last + 1] - 1))
            for slot in match.slots:
                self._heard[slot] = 1
                self._links.append((self._slots + slot, start))

    def _place(self, at: tuple[int, int], edges: tuple[bool, bool], spots: NDArray[np.float32] | None) -> None:
        self._units.append(at)
        self._edges.append(edges)
        self._spots.append(self._none if spots is None else spots)

    def finish(self, hypotheses: tuple[tuple[Unit, ...], ...], hint: Hint) -> Reading:
        rows = np.array(self._rows, np.int64)
        edges = np.array(self._edges, bool)
        symbols = np.zeros(len(SYMBOLS), np.float32)
        symbols[[INDEX[f"act:{name}"] for name in ACTS]] = hint.acts
        return Reading(
            pieces=np.array(self.pieces, np.int64),
            symbols=rows[:, 0], items=rows[:, 1], segments=rows[:, 2], confidences=rows[:, 3], languages=rows[:, 4],
            spots=np.stack(self._spots, axis=1),
            hints=np.concatenate([symbols, hint.intents, self._heard]), familiar=hint.familiar,
            links=np.array(self._links or np.zeros((0, 2)), np.int64),
            hypotheses=hypotheses,
            units=np.array(self._units, np.int64),
            starts=edges[:, 0], ends=edges[:, 1],
            carried=self.carried,
        )  # fmt: skip


def _spots(matches: Sequence[Match], units: int, slots: int) -> NDArray[np.float32]:
    """(2, units, slots) where values begin and where they go on."""
    found = np.zeros((2, units, slots), np.float32)
    for match in matches:
        for slot in match.slots:
            found[0, match.first, slot] = 1
            found[1, match.first + 1 : match.last + 1, slot] = 1
    return found


def _spaced(name: str) -> str:
    """`HassTurnOn` -> `Hass Turn On`."""
    return "".join(f" {c}" if c.isupper() else c for c in name).replace("_", " ").replace("-", " ")


def telling_units(pack: Pack, most: int = 16) -> list[list[str]]:
    """For each intent the units of its templates that few other intents use, most telling first."""
    import re

    counts: list[dict[str, int]] = []
    for intent in pack.intents.values():
        count: dict[str, int] = {}
        for language in pack.languages:
            for template in intent.ways(language):
                for unit in set(split(re.sub(r"\{[^}]*\}|<[^>]*>", " ", template))):
                    count[unit] = count.get(unit, 0) + 1
        counts.append(count)
    spread: dict[str, int] = {}
    for count in counts:
        for unit in count:
            spread[unit] = spread.get(unit, 0) + 1
    return [sorted(c, key=lambda u, c=c: (-c[u] / spread[u], u))[:most] for c in counts]  # type: ignore[misc]
