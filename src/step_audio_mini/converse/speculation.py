"""Replies begun before the turn is over: held, and let out only if the turn ends with the same words."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST = 4
"""Trials a turn: who pauses after every word is not worth a reply a word."""


@dataclass(slots=True)
class Counts:
    """How often it paid."""

    proposed: int = 0
    accepted: int = 0
    discarded: int = 0


@dataclass(slots=True)
class Speculation:
    """At most one held reply at a time."""

    counts: Counts = field(default_factory=Counts)
    generation: int | None = None
    _texts: set[str] = field(default_factory=set)
    _tried: set[str] = field(default_factory=set)

    def worth(self, text: str) -> bool:
        """Whether to begin a reply to this transcript."""
        return self.generation is None and text not in self._tried and len(self._tried) < MOST

    def begin(self, generation: int, text: str) -> None:
        """A reply was begun."""
        self.generation, self._texts = generation, {text}
        self._tried.add(text)
        self.counts.proposed += 1

    def answers(self, generation: int, text: str) -> None:
        """What the reply turned out to answer: the ears' snapshot may know more than the words shown so far."""
        if generation == self.generation:
            self._texts.add(text)

    def fits(self, text: str) -> bool:
        """Whether the held reply answers this transcript."""
        return self.generation is not None and text in self._texts

    def accept(self) -> int | None:
        """Let the held reply out; its generation."""
        generation, self.generation = self.generation, None
        self.counts.accepted += generation is not None
        return generation

    def drop(self) -> int | None:
        """Forget the held reply; its generation, None where there is none."""
        generation, self.generation = self.generation, None
        self.counts.discarded += generation is not None
        return generation

    def next_turn(self) -> None:
        """All transcripts may be tried again."""
        self._tried.clear()
