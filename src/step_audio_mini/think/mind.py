"""The mind as one object: a turn that was heard goes in, a decision with tools run and reply filled comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from step_audio_mini.errors import UserError
from step_audio_mini.runtime.manifest import BUILT_IN, Weights
from step_audio_mini.think.alphabet import STYLES
from step_audio_mini.think.clock import Clock
from step_audio_mini.think.counter import Counter
from step_audio_mini.think.decode import Net, Written, inputs_of, write
from step_audio_mini.think.functions import guarded
from step_audio_mini.think.grammar import Draft
from step_audio_mini.think.home import SimulatedHome
from step_audio_mini.think.network import load_network
from step_audio_mini.think.pack import Pack, join
from step_audio_mini.think.pack_file import load_pack
from step_audio_mini.think.plan import Plan
from step_audio_mini.think.reading import Pieces, Reader
from step_audio_mini.think.reply import Replies
from step_audio_mini.think.state import Dialogue, SystemAct
from step_audio_mini.think.store import Store
from step_audio_mini.think.tools import Outcome, Toolbox, ToolFunction
from step_audio_mini.think.units import Unit, split, units_of
from step_audio_mini.think.units import join as join_units
from step_audio_mini.think.values import Values
from step_audio_mini.types import (
    Attributes,
    Decision,
    DialogueState,
    Hearing,
    Hypothesis,
    Language,
    ToolCall,
    Word,
)  # fmt: skip

SURE_ENOUGH = 0.5
"""A call is confirmed first when one of its choices is less certain than this."""
SENSE = 0.3
"""With act and intent less certain than this, nothing was understood."""
_TOLD = ("done", "failed", "timeout", "unconnected", "cancelled")
"""Outcomes that every pack has a reply for."""
_SORRY = ("failed", "timeout", "unconnected", "unknown")


def hearing_of(text: str) -> Hearing:
    """Text as if it had been heard perfectly: what the command line and tests talk to the mind with."""
    words = tuple(Word(u, 0.0, 0.0, 1.0, Unit(u).language) for u in split(text))
    nbest = (Hypothesis(words, 0.0),) if words else ()
    return Hearing(nbest, Attributes(60.0, 0.0, None), np.zeros((0, 192), np.float32))


def shipped_tools(store: Store) -> dict[str, ToolFunction]:
    """The tools of the shipped packs: a simulated home, a clock, a coffee counter."""
    return SimulatedHome(store).tools() | Clock(store, datetime.now).tools() | Counter(store).tools()


class Mind:
    """A loaded pack and a network. Shared by all dialogues; what one dialogue remembers is its `Dialogue`.

    `ears` is the width of the ears' vectors. `phrasings` keeps the pack's hints to one split of its phrasings: who
    measures on held-out ones passes `train`.
    """

    def __init__(
        self,
        pack: Pack,
        net: Net,
        pieces: Pieces,
        tools: Mapping[str, ToolFunction],
        *,
        ears: int = 192,
        phrasings: str | None = None,
    ) -> None:
        self.pack = pack = guarded(pack, tools)
        self.values = Values(pack)
        self._net, self._ears = net, ears
        self._reader = Reader(pack, self.values, pieces, phrasings)
        self._replies = Replies(pack, self.values)
        self.toolbox = Toolbox(pack, tools)

    @classmethod
    def load(
        cls,
        packs: str | Path | Sequence[str | Path],
        weights: Weights | str | Path = BUILT_IN,
        *,
        tools: Mapping[str, ToolFunction] | None = None,
        state: Path | None = None,
        phrasings: str | None = None,
    ) -> Mind:
        """The mind for one pack or several, by name or folder.

        `tools` are functions by tool name, beside the shipped ones; `state` is the SQLite file of the shipped tools
        (None: in memory only).
        """
        names = [packs] if isinstance(packs, str | Path) else list(packs)
        if not names:
            raise UserError("no pack given; name at least one", code="unknown_pack")
        pack = join([load_pack(name) for name in names])
        net, pieces = load_network(weights if isinstance(weights, Weights) else Weights.open(weights))
        known = shipped_tools(Store(state)) | dict(tools or {})
        return cls(pack, net, pieces, known, ears=net.ears_width, phrasings=phrasings)

    def dialogue(self, language: Language | None = None) -> Dialogue:
        """A new conversation; silence is answered in `language` until something was understood."""
        return Dialogue(language=language or self.pack.languages[0])

    def understand(self, hearing: Hearing, dialogue: Dialogue) -> Written:
        """What the network writes for a turn; changes nothing and runs no tool."""
        hypotheses = [units_of(h) for h in hearing.nbest]
        reading = self._reader.read(dialogue, hypotheses)
        if not reading.hypotheses:
            return Written(Draft(act="not_understood", reply="not_understood", style="sorry", role=None), {})
        vectors = hearing.vectors
        if vectors.ndim != 2 or vectors.shape[1] != self._ears:
            vectors = np.zeros((0, self._ears), np.float32)
        inputs = inputs_of(self._reader, reading, vectors, hearing.attributes.snr_db)
        return write(self._net, self._reader, reading, dialogue, inputs)

    def plan(self, hearing: Hearing, dialogue: Dialogue) -> Plan:
        """What to do about a turn. Pure: same inputs, same plan; no tool runs and the dialogue stays as it is."""
        written = self.understand(hearing, dialogue)
        draft = self._careful(written)
        # a pack that lacks the language of the turn answers in its own
        language = hearing.best.language if hearing.best.words else dialogue.language
        if language not in self.pack.languages:
            language = self.pack.languages[0]
        state = DialogueState(draft.intent, dict(draft.slots))
        keeps = draft.act in ("repeat", "out_of_scope", "not_understood")
        said = self._say(draft, state, language, hearing, dialogue)
        tool = None if said is not None else self.pack.intents[str(draft.intent)].tool
        said = said or _Said(
            "done", "" if tool else self._told(state, Outcome("done", {}), language, dialogue.turns)[0]
        )
        return Plan(
            act=draft.act,
            state=dialogue.state if keeps else state,
            calls=(ToolCall(tool, dict(state.slots)),) if tool else (),
            reply=said.reply,
            opening=self._replies.opening(state, language) if tool else "",
            waiting=self._replies.shared("waiting", language, dialogue.turns) if tool else "",
            language=language,
            style=STYLES[said.style or draft.style],
            confidence=written.certainty,
            meant=written.meant,
            system=said.act,
            asked=said.asked,
            keeps=keeps,
            turn=dialogue.turns,
        )

    def prompt(self, dialogue: Dialogue) -> tuple[str, Language]:
        """What to ask somebody who has said nothing for long, and its language; the dialogue does not move on."""
        language = dialogue.language if dialogue.language in self.pack.languages else self.pack.languages[0]
        return self._replies.shared("idle", language, dialogue.turns), language

    def run(self, plan: Plan) -> tuple[Outcome, ...]:
        """Run the plan's tools, one after the other; returns within their deadlines whatever they do."""
        return tuple(self.toolbox.call(call.name, call.arguments) for call in plan.calls)

    def accept(self, plan: Plan, dialogue: Dialogue) -> None:
        """The turn counts from now on, though its tools still run: the next one may be planned. Done once."""
        if plan.turn != dialogue.turns:
            return
        dialogue.remember()
        if plan.calls:
            dialogue.before = None
        if not plan.keeps:
            dialogue.state, dialogue.last_act, dialogue.asked = plan.state, plan.system, plan.asked
        elif dialogue.last_act in ("start", "done") and plan.act != "repeat":
            dialogue.last_act = "sorry"
        dialogue.language, dialogue.turns = plan.language, plan.turn + 1
        dialogue.last_reply = plan.reply or dialogue.last_reply

    def complete(self, plan: Plan, outcomes: Sequence[Outcome], dialogue: Dialogue) -> Decision:
        """What is said once the tools are done, an outcome for each call in order; the dialogue moves on.

        A plan completed after a later turn was accepted leaves that turn's state alone: only its reply is told.
        """
        self.accept(plan, dialogue)
        calls = tuple(
            ToolCall(call.name, call.arguments, outcome.result | {"outcome": outcome.name})
            for call, outcome in zip(plan.calls, outcomes, strict=True)
        )
        reply, style = plan.reply, plan.style
        if plan.calls:
            told = [self._told(plan.state, outcome, plan.language, plan.turn) for outcome in outcomes]
            reply = " ".join(text for text, _ in told)
            if any(sorry for _, sorry in told):
                style = STYLES["sorry"]
                if dialogue.turns == plan.turn + 1:
                    dialogue.last_act = "sorry"
        dialogue.last_reply = reply
        return Decision(plan.act, plan.state, calls, reply, plan.language, style, plan.confidence)

    def decide(self, hearing: Hearing, dialogue: Dialogue) -> Decision:
        """Understand a turn, run its tool, answer; the dialogue is brought up to date."""
        plan = self.plan(hearing, dialogue)
        return self.complete(plan, self.run(plan), dialogue)

    def _careful(self, written: Written) -> Draft:
        """The draft, held back where the network was not sure of it; an unsure yes confirms nothing that needs one."""
        draft, unsure = written.draft, written.certainty < SURE_ENOUGH
        if draft.act not in ("affirm", "out_of_scope", "not_understood") and written.sense < SENSE:
            return Draft(act="not_understood", reply="not_understood", style="sorry", role=None)
        tool = self.pack.tool_of(draft.intent) if draft.intent else None
        if draft.call == "call" and unsure and tool and (draft.act != "affirm" or tool.confirm):
            return replace(draft, call="confirm", reply="confirm")
        return draft

    def _say(
        self, draft: Draft, state: DialogueState, language: Language, hearing: Hearing, dialogue: Dialogue
    ) -> _Said | None:
        """What a draft says without any tool; None where it does what was asked."""
        turn, shared = dialogue.turns, self._replies.shared
        if draft.act == "repeat":
            text = dialogue.last_reply or shared("nothing_to_repeat", language, turn)
            return _Said(dialogue.last_act, text, dialogue.asked, "slow")
        if draft.reply in ("cancelled", "denied", "out_of_scope", "not_understood"):
            return _Said("sorry", shared(draft.reply, language, turn))
        if draft.call == "ask":
            slot = self.pack.intents[str(draft.intent)].missing(draft.slots)[0]
            return _Said("ask", self._replies.ask(slot, language, turn), slot)
        if draft.call == "confirm":
            said = self._replies.outcome(state, "confirm", language, turn, {})
            heard = join_units([u.text for u in units_of(hearing.best)])
            return _Said("confirm", said or shared("confirm", language, turn, heard))
        return None

    def _told(self, state: DialogueState, outcome: Outcome, language: Language, turn: int) -> tuple[str, bool]:
        """The reply for an outcome, and whether it is an apology."""
        said = self._replies.outcome(state, outcome.name, language, turn, outcome.result)
        fallback = outcome.name if outcome.name in _TOLD else "failed"
        sorry = outcome.name in _SORRY or (said is None and fallback == "failed")
        return said or self._replies.shared(fallback, language, turn), sorry


@dataclass(frozen=True)
class _Said:
    """What the assistant does and says before tools; `style` None leaves the draft's."""

    act: SystemAct
    reply: str
    asked: str | None = None
    style: str | None = None
