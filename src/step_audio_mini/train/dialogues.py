"""Generates dialogues from packs: a simulated person with a goal, an assistant that always behaves as it should.

Shapes: slots over several turns, corrections, follow-ups, "it", confirmations, cancelling, repeating, and sentences
that are none of the pack's business, after which no tool may be called.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from step_audio_mini.think.pack import Intent, Pack
from step_audio_mini.think.phrases import Phrases, Utterance
from step_audio_mini.think.state import Dialogue, SystemAct
from step_audio_mini.think.units import split
from step_audio_mini.types import DialogueState, Language, SlotValue

MAX_TURNS = 4
LONGEST_OFF_TOPIC = 24


@dataclass(frozen=True)
class Turn:
    """One turn with its right answer: what was remembered before, what was said, what must be written."""

    before: Dialogue
    said: Utterance
    act: str
    intent: str | None = None
    slots: Mapping[str, SlotValue] = field(default_factory=dict)
    carried: Mapping[str, str] = field(default_factory=dict)
    """Slot -> slot of the old state that it is carried over from; the others were said now."""
    call: str = "none"

    @property
    def state(self) -> DialogueState:
        """The dialogue state after the turn."""
        if self.act in ("out_of_scope", "not_understood", "repeat"):
            return self.before.state
        return DialogueState(self.intent, dict(self.slots))


@dataclass(frozen=True)
class Shape:
    """How often a simulated person does what; shares of the turns after the first."""

    repair: float = 0.10
    """Asks to repeat, or cancels."""
    elsewhere: float = 0.16
    """Says something that is none of the pack's business."""
    scraps: float = 0.3
    """Share of these in which the ears heard a scrap of the pack's own sentences: they expect such words."""
    correct: float = 0.22
    more: float = 0.22
    object: float = 0.05
    """Says no to what was just done."""
    refer: float = 0.15
    """Wants something else with the thing just spoken of: `turn it off again`."""
    people: float = 0.3
    """Uses words that somebody really said, where there are some, and not the pack's templates."""
    digits: float = 0.1
    """Numbers typed as digits."""
    unsure: float = 0.25
    """The assistant confirms first, or its tool fails."""


@dataclass(frozen=True)
class Sources:
    """Words beside the pack's own, by language."""

    messages: Mapping[Language, list[str]]
    """What free-text slots are filled with."""
    elsewhere: Mapping[Language, list[str]]
    """What no pack is for."""
    people: Mapping[tuple[str, Language], list[Utterance]] = field(default_factory=dict)
    """(intent or repair act, language) -> what people really said."""


class Person:
    """Simulates people talking to one pack in one split."""

    def __init__(self, pack: Pack, split_name: str, sources: Sources, shape: Shape = Shape()) -> None:
        self.pack, self.phrases, self._shape = pack, Phrases(pack, split_name, sources.messages, shape.digits), shape
        self._sources = sources
        self._intents = {
            language: [name for name, intent in pack.intents.items() if language in intent.sentences]
            for language in pack.languages
        }

    def dialogue(self, rng: random.Random, language: Language | None = None) -> list[Turn]:
        """One to four turns."""
        spoken = rng.choice(self.pack.languages) if language is None else language
        memory, turns = Dialogue(language=spoken), list[Turn]()
        for _ in range(rng.choice([1, 1, 2, 2, 3, MAX_TURNS])):
            turn = self._next(memory, spoken, rng)
            if turn is None:
                break
            turns.append(turn)
            memory = after(self.pack, turn, rng, self._shape.unsure)
        return turns

    def _next(self, memory: Dialogue, language: Language, rng: random.Random) -> Turn | None:
        dice = rng.random()
        if dice < self._shape.elsewhere:
            return self._off_topic(memory, language, rng)
        if memory.last_act == "start":
            return self._request(memory, language, rng)
        if dice < self._shape.elsewhere + self._shape.repair:
            return self._repair(memory, rng.choice(["repeat", "cancel"]), language, rng)
        if memory.last_act in ("ask", "confirm") and rng.random() < 0.85:
            if memory.asked:
                return self._inform(memory, memory.asked, "answer", language, rng)
            return self._repair(memory, rng.choice(["affirm", "affirm", "deny"]), language, rng)
        return self._go_on(memory, language, rng)

    def _go_on(self, memory: Dialogue, language: Language, rng: random.Random) -> Turn | None:
        """Corrects, follows up, objects, or wants something new."""
        dice = rng.random()
        if memory.state.slots and memory.state.intent:
            if dice < self._shape.correct + self._shape.more:
                manner = "correction" if dice < self._shape.correct else "more"
                return self._inform(memory, rng.choice(list(memory.state.slots)), manner, language, rng)
            rest = dice - self._shape.correct - self._shape.more
            if rest < self._shape.object:
                return self._repair(memory, "deny", language, rng)
            if rest < self._shape.object + self._shape.refer and (turn := self._refer(memory, language, rng)):
                return turn
        return self._request(memory, language, rng)

    def _off_topic(self, memory: Dialogue, language: Language, rng: random.Random) -> Turn | None:
        units = tuple(split(rng.choice(self._sources.elsewhere[language])))[:LONGEST_OFF_TOPIC]
        if rng.random() < self._shape.scraps:
            units = self._with_scrap(units, language, rng)
        return Turn(memory, Utterance(units, {}, {}, " ".join(units), language), "out_of_scope") if units else None

    def _with_scrap(self, units: tuple[str, ...], language: Language, rng: random.Random) -> tuple[str, ...]:
        """A sentence with some of its words heard as a piece, at most half, of something said to the pack."""
        said = self.phrases.request(rng.choice(self._intents[language]), language, rng)
        if said is None or len(said.units) < 2 or len(units) < 4:
            return units
        length = rng.randint(1, min(4, len(said.units) // 2))
        first, at = rng.randrange(len(said.units) - length + 1), rng.randrange(len(units))
        return (*units[:at], *said.units[first : first + length], *units[at + rng.randint(1, length + 1) :])

    def _repair(self, memory: Dialogue, act: str, language: Language, rng: random.Random) -> Turn | None:
        said = self._by_people(act, language, rng) or self.phrases.repair(act, language, rng)
        if said is None:
            return None
        if act == "affirm":
            state = memory.state
            return Turn(memory, said, act, state.intent, state.slots, {s: s for s in state.slots}, "call")
        return Turn(memory, said, act)

    def _by_people(self, name: str, language: Language, rng: random.Random) -> Utterance | None:
        found = self._sources.people.get((name, language))
        return rng.choice(found) if found and rng.random() < self._shape.people else None

    def _request(self, memory: Dialogue, language: Language, rng: random.Random) -> Turn | None:
        name = rng.choice(self._intents[language])
        said = self._by_people(name, language, rng) or self.phrases.request(name, language, rng)
        if said is None:
            return None
        return self.request_turn(memory, said, name)

    def request_turn(self, memory: Dialogue, said: Utterance, name: str) -> Turn:
        """The turn in which an intent is asked for in these words."""
        carried = referred(self.pack, self.pack.intents[name], said.values, memory)
        return self._turn(memory, said, "request", name, carried)

    def _refer(self, memory: Dialogue, language: Language, rng: random.Random) -> Turn | None:
        known = {s for s in memory.state.slots if self.pack.slots[s].refers}
        fitting = [n for n in self._intents[language] if known & set(self.pack.intents[n].slots)]
        for _ in range(12 if fitting else 0):
            name = rng.choice(fitting)
            said = self.phrases.request(name, language, rng)
            if said and (carried := referred(self.pack, self.pack.intents[name], said.values, memory)):
                return self._turn(memory, said, "request", name, carried)
        return None

    def _inform(self, memory: Dialogue, slot: str, manner: str, language: Language, rng: random.Random) -> Turn | None:
        name = memory.state.intent
        if name is None:
            return None
        say = {"answer": self.phrases.answer, "correction": self.phrases.correction, "more": self.phrases.more}[manner]
        said = say(slot, language, rng, set(self.pack.intents[name].slots))
        if said is None:
            return None
        carried = {s: s for s in memory.state.slots if s not in said.values}
        return self._turn(memory, said, "inform", name, carried)

    def _turn(self, memory: Dialogue, said: Utterance, act: str, name: str, carried: Mapping[str, str]) -> Turn:
        intent = self.pack.intents[name]
        slots = {s: memory.state.slots[carried[s]] if s in carried else said.values[s]
                 for s in intent.slots if s in carried or s in said.values}  # fmt: skip
        tool = self.pack.tool_of(name)
        call = "ask" if intent.missing(slots) else "none" if tool is None else "confirm" if tool.confirm else "call"
        return Turn(memory, said, act, name, slots, dict(carried), call)


def referred(pack: Pack, intent: Intent, said: Mapping[str, SlotValue], memory: Dialogue) -> dict[str, str]:
    """Slots of the old state that a request means by "it": only where it names no such thing itself and needs one."""
    refers = [s for s in intent.slots if pack.slots[s].refers]
    if any(s in said for s in refers) or not intent.missing(said):
        return {}
    known = {s: s for s in refers if s in memory.state.slots}
    filled = dict(said) | {s: memory.state.slots[s] for s in known}
    return known if len(intent.missing(filled)) < len(intent.missing(said)) else {}


def after(pack: Pack, turn: Turn, rng: random.Random, unsure: float = 0.25) -> Dialogue:
    """What is remembered after a turn that was understood; a share of the calls is confirmed first, or fails."""
    memory = replace(turn.before, turns=turn.before.turns + 1, language=turn.said.language, last_reply="...")
    if turn.act == "repeat":
        return memory
    if turn.act in ("out_of_scope", "not_understood"):
        waits = memory.last_act in ("ask", "confirm")
        return memory if waits else replace(memory, last_act="sorry", asked=None)
    if turn.intent and turn.call == "ask":
        missing = pack.intents[turn.intent].missing(turn.slots)
        return replace(memory, state=turn.state, last_act="ask", asked=missing[0])
    act: SystemAct = {"call": "done", "none": "done", "confirm": "confirm"}.get(turn.call, "done")  # type: ignore[assignment]
    if turn.act in ("cancel", "deny"):
        act = "sorry"
    elif act == "done" and turn.act != "affirm" and rng.random() < unsure:
        # an unsure assistant confirms first; a failing tool makes it apologise
        act = rng.choice(["confirm", "sorry"])
    return replace(memory, state=turn.state, last_act=act, asked=None)
