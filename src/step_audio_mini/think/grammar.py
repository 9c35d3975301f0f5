"""What the decoder may write next: every finished draft is valid for the pack, whatever the network scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.think.alphabet import INDEX, STYLES, SYMBOLS, Role
from step_audio_mini.think.reading import Reader, Reading
from step_audio_mini.think.state import Dialogue
from step_audio_mini.types import DialogueState, SlotValue

LONGEST_VALUE = 14
"""Units that one copied value may have."""
_FIXED_REPLY = {
    "cancel": "cancelled", "deny": "denied", "repeat": "repeat", "out_of_scope": "out_of_scope",
    "not_understood": "not_understood",
}  # fmt: skip
_CALL_REPLY = {"call": "done", "none": "done", "ask": "ask", "confirm": "confirm"}


@dataclass(frozen=True)
class Draft:
    """What has been written so far."""

    act: str = ""
    intent: str | None = None
    slots: dict[str, SlotValue] = field(default_factory=dict)
    call: str = "none"
    reply: str = ""
    style: str = "neutral"
    role: Role | None = Role.ACT
    """What comes next; None when the draft is finished."""
    slot: str = ""
    """The slot whose value is being written."""
    start: int = -1
    closed: int = -1
    """Place, in the intent's order, of the last slot written."""
    refused: frozenset[str] = frozenset()
    """Slots for which no valid value was found."""


class Grammar:
    """The rules of one turn: one pack, one reading, one dialogue."""

    def __init__(self, reader: Reader, reading: Reading, dialogue: Dialogue, *, check_values: bool = True) -> None:
        self._reader, self._reading, self._dialogue = reader, reading, dialogue
        self._check = check_values
        self.items = len(SYMBOLS)
        self.positions = self.items + len(reader.descriptions)
        self.size = self.positions + len(reading.pieces)

    def first(self) -> Draft:
        """The empty draft."""
        return Draft()

    def allowed(self, draft: Draft) -> NDArray[np.int64]:
        """Indices of candidates that may come next, ascending; empty where a value came to nothing."""
        choices = {
            Role.ACT: self._acts, Role.INTENT: self._intents, Role.SLOT: self._slots, Role.START: self._starts,
            Role.END: self._ends, Role.CALL: self._calls, Role.REPLY: self._replies, Role.STYLE: self._styles,
        }  # fmt: skip
        if draft.role is None:
            raise ValueError("the draft is finished")
        return np.array(sorted(choices[draft.role](draft)), np.int64)

    def choose(self, draft: Draft, index: int) -> Draft:
        """The draft after a candidate was chosen."""
        if draft.role is None:
            raise ValueError("the draft is finished")
        chosen: dict[Role, Callable[[Draft, int], Draft]] = {
            Role.ACT: self._chose_act, Role.INTENT: self._chose_intent, Role.SLOT: self._chose_slot,
            Role.START: self._chose_start, Role.END: self._chose_end, Role.CALL: self._chose_call,
            Role.REPLY: self._chose_reply, Role.STYLE: self._chose_style,
        }  # fmt: skip
        return chosen[draft.role](draft, index)

    def refuse(self, draft: Draft) -> Draft:
        """The draft before a slot for which no value was found, that slot no longer allowed."""
        return replace(draft, role=Role.SLOT, refused=draft.refused | {draft.slot}, slot="", start=-1)

    def missing(self, draft: Draft) -> list[str]:
        """Required slots that the draft leaves open."""
        return self._reader.pack.intents[draft.intent].missing(draft.slots) if draft.intent else []

    # what may come

    def _acts(self, _: Draft) -> list[int]:
        names = ["request", "cancel", "repeat", "out_of_scope", "not_understood"]
        if self._dialogue.state.intent is not None:
            names.append("inform")
            names += ["affirm"] if self._dialogue.pending else []
        names += ["deny"] if self._dialogue.last_act != "start" else []
        return [INDEX[f"act:{name}"] for name in names]

    def _intents(self, draft: Draft) -> list[int]:
        if draft.act == "inform":  # goes on with what was asked for
            return [self.items + self._reader.intent_item(str(self._dialogue.state.intent))]
        return list(range(self.items, self.items + len(self._reader.pack.intent_names)))

    def _slots(self, draft: Draft) -> list[int]:
        assert draft.intent is not None
        order = self._reader.pack.intents[draft.intent].slots
        later = [s for place, s in enumerate(order) if place > draft.closed and s not in draft.refused]
        return [INDEX["end_slots"], *(self.items + self._reader.slot_item(s) for s in later)]

    def _starts(self, draft: Draft) -> list[int]:
        kind = self._reader.pack.slots[draft.slot].type
        slots = self._reader.pack.slots
        carried = [at for at, slot in self._reading.carried.items() if slots[slot].type == kind]
        return [self.positions + int(at) for at in (*carried, *np.flatnonzero(self._reading.starts))]

    def _ends(self, draft: Draft) -> list[int]:
        units, start = self._reading.units, draft.start
        hypothesis, first = units[start]
        near = (units[:, 0] == hypothesis) & (units[:, 1] >= first) & (units[:, 1] < first + LONGEST_VALUE)
        ends = np.flatnonzero(near & self._reading.ends)
        return [self.positions + int(e) for e in ends if not self._check or self._value(draft, int(e)) is not None]

    def _calls(self, draft: Draft) -> list[int]:
        return [INDEX[f"call:{name}"] for name in self._call_names(draft)]

    def _call_names(self, draft: Draft) -> tuple[str, ...]:
        if draft.intent is None:
            return ("none",)
        tool = self._reader.pack.tool_of(draft.intent)
        if self.missing(draft):
            return ("ask",)
        if tool is None:
            return ("none",)
        if draft.act == "affirm":
            return ("call",)
        return ("confirm",) if tool.confirm else ("call", "confirm")

    def _replies(self, draft: Draft) -> list[int]:
        return [INDEX[f"reply:{_FIXED_REPLY.get(draft.act, _CALL_REPLY[draft.call])}"]]

    def _styles(self, draft: Draft) -> list[int]:
        return [INDEX[f"style:{name}"] for name in STYLES]

    # what was chosen

    def _chose_act(self, draft: Draft, index: int) -> Draft:
        act = SYMBOLS[index].removeprefix("act:")
        if act in ("request", "inform"):
            return replace(draft, act=act, role=Role.INTENT)
        state = self._dialogue.state if act in ("affirm",) else DialogueState()
        return replace(draft, act=act, intent=state.intent, slots=dict(state.slots), role=Role.CALL)

    def _chose_intent(self, draft: Draft, index: int) -> Draft:
        return replace(draft, intent=self._reader.pack.intent_names[index - self.items], role=Role.SLOT)

    def _chose_slot(self, draft: Draft, index: int) -> Draft:
        if index == INDEX["end_slots"]:
            return replace(draft, role=Role.CALL)
        name = self._reader.pack.slot_names[index - self.items - len(self._reader.pack.intent_names)]
        return replace(draft, slot=name, role=Role.START)

    def _chose_start(self, draft: Draft, index: int) -> Draft:
        position = index - self.positions
        if position in self._reading.carried:
            return self._close(draft, self._dialogue.state.slots[self._reading.carried[position]])
        return replace(draft, start=position, role=Role.END)

    def _chose_end(self, draft: Draft, index: int) -> Draft:
        value = self._value(draft, index - self.positions)
        return self._close(draft, "" if value is None else value)

    def _chose_call(self, draft: Draft, index: int) -> Draft:
        return replace(draft, call=SYMBOLS[index].removeprefix("call:"), role=Role.REPLY)

    def _chose_reply(self, draft: Draft, index: int) -> Draft:
        return replace(draft, reply=SYMBOLS[index].removeprefix("reply:"), role=Role.STYLE)

    def _chose_style(self, draft: Draft, index: int) -> Draft:
        return replace(draft, style=SYMBOLS[index].removeprefix("style:"), role=None)

    def _value(self, draft: Draft, end: int) -> SlotValue | None:
        return self._reader.values.normalise(draft.slot, self._reading.unit_texts(draft.start, end))

    def _close(self, draft: Draft, value: SlotValue) -> Draft:
        assert draft.intent is not None
        place = self._reader.pack.intents[draft.intent].slots.index(draft.slot)
        slots = draft.slots | {draft.slot: value}
        return replace(draft, slots=slots, slot="", start=-1, closed=place, role=Role.SLOT)
