"""What the mind means to do about a turn before any tool ran: made ahead, thrown away freely, carried out once."""

from __future__ import annotations

from dataclasses import dataclass

from step_audio_mini.think.state import SystemAct
from step_audio_mini.types import DialogueState, Language, Style, ToolCall

MEANT = 0.3
"""Below this `Plan.meant` a turn counts as an open question; chosen by `step-audio evaluate handover`."""
_CLEAR = ("repeat", "cancel", "affirm", "deny")
"""Acts that are about the conversation itself."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A turn understood. `Mind.plan` makes it and changes nothing; `Mind.complete` carries it out."""

    act: str
    """What the user did; the acts of `Decision`."""
    state: DialogueState
    """What is being asked for once this turn counts."""
    calls: tuple[ToolCall, ...]
    """Tools to run, none of which has a result yet. What needs the person's yes first is not among them: then
    `system` is `confirm`, and `reply` is the question."""
    reply: str
    """The whole reply; empty while calls wait, whose results it tells."""
    opening: str
    """What the reply begins with unless the tools fail: may be spoken meanwhile, and the rest of the reply after it
    where the reply does begin so. Often empty: of something done it says nothing before it is done."""
    waiting: str
    """Words to fill the time with where a tool is slow and `opening` is empty; no part of the reply."""
    language: Language
    style: Style
    confidence: float
    """Of the least sure choice, 0...1."""
    meant: float
    """How sure the mind is that something it can do is meant, 0...1; low for open questions and idle talk."""
    system: SystemAct
    """What the assistant does by it; `done` while calls wait."""
    asked: str | None
    """The slot asked for, while `system` is `ask`."""
    keeps: bool
    """True where the turn leaves the dialogue's state as it was: nothing understood, out of scope, say it again."""
    turn: int
    """Turns that the dialogue had before this one."""

    @property
    def openness(self) -> float:
        """How likely nothing is meant that the mind can do, 0...1; 0 for words about the conversation itself."""
        return 0.0 if self.act in _CLEAR else 1 - self.meant

    @property
    def is_open(self) -> bool:
        """Whether to hand the turn over, if words were heard and there is someone to hand it to."""
        return not self.calls and self.openness > 1 - MEANT
