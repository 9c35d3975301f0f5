"""What a dialogue remembers between turns: the state, what the assistant did last, and what it said."""

from __future__ import annotations

from dataclasses import dataclass, field
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

    @property
    def pending(self) -> bool:
        """True while the assistant waits for a yes or no."""
        return self.last_act == "confirm"

    def cut_short(self, heard: str) -> None:
        """Only this was heard of the last reply. A question of which less than half was heard was not asked."""
        if self.pending and 2 * len(heard) < len(self.last_reply):
            self.last_act = "sorry"
