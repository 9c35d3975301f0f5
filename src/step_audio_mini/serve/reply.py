"""A reply while it is made: held back until it may be seen, silent while ducked, gone without a trace if discarded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from step_audio_mini.converse import events
from step_audio_mini.serve.pace import Pace, cut
from step_audio_mini.serve.responses import Response
from step_audio_mini.think.tools import Outcome
from step_audio_mini.types import AudioChunk, Decision, Hearing

Tell = Callable[[events.Event], None]
_STEPS = {"heard": "listen", "planned": "think", "acted": "tools", "first": "speak_first"}


@dataclass(eq=False)
class Run:
    """The tools of one plan: run beside the sound, and told until that was heard."""

    plan: Any
    outcomes: dict[str, asyncio.Future[Outcome]] = field(default_factory=dict)
    """By call_id, in the plan's order."""
    names: dict[str, str] = field(default_factory=dict)
    """By call_id, the tool."""
    waits_for_client: bool = False
    began: float = field(default_factory=time.monotonic)
    decision: Decision | None = None
    """What is told of it, once all outcomes are there."""

    def resolve(self, call_id: str, outcome: Outcome) -> None:
        """A call came to its end; the first word counts."""
        if not self.outcomes[call_id].done():
            self.outcomes[call_id].set_result(outcome)

    @property
    def ready(self) -> bool:
        """Whether all outcomes are there."""
        return all(future.done() for future in self.outcomes.values())


class Reply:
    """From its first thought to its last sample. `tell` reports to the engine of turn-taking."""

    def __init__(
        self, generation: int, tell: Tell, hearing: Awaitable[Hearing] | None, runs: Sequence[Run] = ()
    ) -> None:
        self.generation, self._tell, self.hearing, self.runs = generation, tell, hearing, runs
        self.prompts = False
        """It breaks a long silence, not the person."""
        self.counts = self.acted = False
        """The dialogue was told that it is the answer; tools were begun for it."""
        self.response: Response | None = None
        self.visible, self.filler = asyncio.Event(), asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self.end_of_turn_ms = 0
        self.pace: Pace | None = None
        """Set before it is shown where the client holds still when asked to."""
        self._timer: asyncio.TimerHandle | None = None
        self._began = self._shown_at = time.perf_counter()
        self._stamps: dict[str, float] = {}
        self._held: list[AudioChunk | str] = []
        self._ducked = self._made = False
        self.facts: dict[str, Any] = {}
        """What the mind decided; told in `response.done`."""

    # what happens to it

    def show(self, response: Response) -> None:
        """From now on it is seen: what was held leaves."""
        self.response, self._shown_at = response, time.perf_counter()
        if self.pace is not None:
            self._held = [part for piece in self._held for part in ([piece] if isinstance(piece, str) else cut(piece))]
        response.generation = self.generation
        self.visible.set()
        self._flush()

    def duck(self, silent: bool) -> None:
        """Hold its sound back, or let it go on."""
        self._ducked = silent
        if self.pace is not None:
            self.pace.hold(silent)
        self._flush()

    def stop(self) -> None:
        """Make no more of it."""
        self._held.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self.task is not None:
            self.task.cancel()

    # what its maker does

    def push(self, piece: AudioChunk | str) -> None:
        """A piece was made."""
        self._held += [piece] if isinstance(piece, str) or self.pace is None else list(cut(piece))
        self._flush()

    def made(self) -> None:
        """All of it was made: it is over when the last piece has left."""
        self._made = True
        self._flush()

    def fail(self, code: str, message: str) -> None:
        """It cannot go on."""
        if self.response is not None:
            self.response.finish("failed", error=(code, message))
        self._tell(events.ReplyFailed(self.generation))

    def stamp(self, step: str) -> None:
        """A step is done for the first time: heard, planned, acted, first."""
        self._stamps.setdefault(step, time.perf_counter())

    @property
    def said(self) -> str:
        """Its words so far, those held included."""
        held = "".join(p if isinstance(p, str) else "".join(w.text for w in p.words) for p in self._held)
        return (self.response.said if self.response else "") + held

    def _flush(self) -> None:
        response = self.response
        if response is None:
            return
        while self._held and not self._ducked and not response.over and not self._early(response):
            piece = self._held.pop(0)
            self.stamp("first")
            if isinstance(piece, str):
                response.text(piece)
            else:
                words = tuple(events.TimedWord(text, end) for text, end in response.sound(piece))
                self._tell(events.ReplySound(self.generation, response.sent_ms, words))
            if response.cut:
                self._held.clear()
                self._made = True
                if self.task is not None and self.task is not asyncio.current_task():
                    self.task.cancel()
        response.timings, response.facts = self._timings(), self.facts
        if self._made and not self._held and not self._ducked and not response.over:
            response.finish(
                "incomplete" if response.cut else "completed", "max_output_tokens" if response.cut else None
            )
            self._tell(events.ReplySound(self.generation, response.sent_ms))
            self._tell(events.ReplyEnded(self.generation))

    def _early(self, response: Response) -> bool:
        """Whether the next piece leaves later; then it is seen to."""
        wait = self.pace.wait_s(response.sent_ms) if self.pace is not None else 0.0
        if wait > 0 and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(wait, self._later)
        return wait > 0

    def _later(self) -> None:
        self._timer = None
        self._flush()

    def _timings(self) -> dict[str, float]:
        """Milliseconds by stage, from when the turn was over; what was done ahead of that counts as nothing."""
        last, spans = self._shown_at, {"end_of_turn": float(self.end_of_turn_ms)} if self.end_of_turn_ms else {}
        for step, stage in _STEPS.items():
            if step in self._stamps:
                at = max(last, self._stamps[step])
                spans[stage], last = round(1000 * (at - last), 1), at
        if "first" in self._stamps:
            spans["total"] = round(1000 * (last - self._shown_at), 1)
        spans["ahead"] = round(1000 * (self._shown_at - self._began), 1)
        return spans
