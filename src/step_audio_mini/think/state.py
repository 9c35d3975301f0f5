"""What a dialogue remembers between turns: the state, what the assistant did last, and what it said."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from step_audio_mini.types import DialogueState, Language

SystemAct = Literal["start", "done", "ask", "confirm", "sorry"]
"""What the assistant did last: nothing yet, answered or acted, asked for a slot, asked to confirm, apologised."""


@dataclass
class Dialogue:
    """One conversation's memory. Bounded: only the last turn is kept, the state holds the rest."""

    state: DialogueState = field(default_factory=DialogueState)
    last_act: SystemAct = "start"
    asked: str | None = None
    """The slot that was asked for, while `last_act` is `ask`."""
    last_reply: str = ""
    language: Language = "en"
    """Language of the last turn that was understood; silence is answered in it."""
    turns: int = 0
    before: Dialogue | None = None
    """As it was before the last turn, where nothing was done for that."""

    @property
    def pending(self) -> bool:
        """True while the assistant waits for a yes or no."""
        return self.last_act == "confirm"

    def remember(self) -> None:
        """The turn that follows may be taken back."""
        self.before = replace(self, before=None)

    def take_back(self) -> None:
        """The last turn was but the beginning of one; what was done for it stays done."""
        if self.before is None:
            return
        before, self.before = self.before, None
        self.state, self.last_act, self.asked = before.state, before.last_act, before.asked
        self.last_reply, self.language = before.last_reply, before.language

    def cut_short(self, heard: str) -> None:
        """Only this was heard of the last reply. A question of which less than half was heard was not asked."""
        if self.pending and 2 * len(heard) < len(self.last_reply):
            self.last_act = "sorry"
