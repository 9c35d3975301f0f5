"""The mind as one object: a turn that was heard goes in, a decision with tools run and reply filled comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from step_audio_mini.errors import UserError
from step_audio_mini.runtime.manifest import BUILT_IN, Weights
from step_audio_mini.think.alphabet import STYLES
from step_audio_mini.think.clock import Clock
from step_audio_mini.think.counter import Counter
from step_audio_mini.think.decode import Net, Written, inputs_of, write
from step_audio_mini.think.grammar import Draft
from step_audio_mini.think.home import SimulatedHome
from step_audio_mini.think.network import load_network
from step_audio_mini.think.pack import Pack, join
from step_audio_mini.think.pack_file import load_pack
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
        self.pack, self.values = pack, Values(pack)
        self._net, self._ears = net, ears
        self._reader = Reader(pack, self.values, pieces, phrasings)
        self._replies = Replies(pack, self.values)
        self._toolbox = Toolbox(pack, tools)

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

    def decide(self, hearing: Hearing, dialogue: Dialogue) -> Decision:
        """Understand a turn, run its tool, answer; the dialogue is brought up to date."""
        written = self.understand(hearing, dialogue)
        draft = self._careful(written)
        # a pack that lacks the language of the turn answers in its own
        language = hearing.best.language if hearing.best.words else dialogue.language
        if language not in self.pack.languages:
            language = self.pack.languages[0]
        state = DialogueState(draft.intent, dict(draft.slots))
        calls, act, asked, reply, style = self._act(draft, state, language, hearing, dialogue)
        kept = draft.act in ("repeat", "out_of_scope", "not_understood")
        if not kept:
            dialogue.state, dialogue.last_act, dialogue.asked = state, act, asked
        elif dialogue.last_act in ("start", "done"):
            dialogue.last_act = "sorry" if draft.act != "repeat" else dialogue.last_act
        dialogue.last_reply, dialogue.language, dialogue.turns = reply, language, dialogue.turns + 1
        return Decision(
            draft.act, dialogue.state if kept else state, calls, reply, language, STYLES[style], written.certainty
        )

    def _careful(self, written: Written) -> Draft:
        """The draft, held back where the network was not sure of it."""
        from dataclasses import replace

        draft = written.draft
        if draft.act in ("request", "inform") and written.sense < SENSE:
            return Draft(act="not_understood", reply="not_understood", style="sorry", role=None)
        if draft.call == "call" and draft.act != "affirm" and written.certainty < SURE_ENOUGH:
            return replace(draft, call="confirm", reply="confirm")
        return draft

    def _act(
        self, draft: Draft, state: DialogueState, language: Language, hearing: Hearing, dialogue: Dialogue
    ) -> tuple[tuple[ToolCall, ...], SystemAct, str | None, str, str]:
        """Calls, the assistant's act, the slot asked for, the reply and the style of a draft."""
        turn, shared = dialogue.turns, self._replies.shared
        if draft.act == "repeat":
            text = dialogue.last_reply or shared("nothing_to_repeat", language, turn)
            return (), dialogue.last_act, dialogue.asked, text, "slow"
        if draft.reply in ("cancelled", "denied", "out_of_scope", "not_understood"):
            return (), "sorry", None, shared(draft.reply, language, turn), draft.style
        if draft.call == "ask":
            slot = self.pack.intents[str(draft.intent)].missing(draft.slots)[0]
            return (), "ask", slot, self._replies.ask(slot, language, turn), draft.style
        if draft.call == "confirm":
            said = self._replies.outcome(state, "confirm", language, turn, {})
            heard = join_units([u.text for u in units_of(hearing.best)])
            return (), "confirm", None, said or shared("confirm", language, turn, heard), draft.style
        call, outcome = self._run(draft, state)
        said = self._replies.outcome(state, outcome.name, language, turn, outcome.result)
        fallback = outcome.name if outcome.name in ("failed", "timeout", "unconnected", "done") else "failed"
        sorry = outcome.name in _SORRY or (said is None and fallback != "done")
        reply = said or shared(fallback, language, turn)
        return call, "sorry" if sorry else "done", None, reply, "sorry" if sorry else draft.style

    def _run(self, draft: Draft, state: DialogueState) -> tuple[tuple[ToolCall, ...], Outcome]:
        name = self.pack.intents[str(draft.intent)].tool
        if name is None:
            return (), Outcome("done", {})
        outcome = self._toolbox.call(name, state.slots)
        return (ToolCall(name, dict(state.slots), outcome.result | {"outcome": outcome.name}),), outcome
