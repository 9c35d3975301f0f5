"""How a reply is made: understand, run tools, speak; held back until it may be seen, dropped without a trace before.

A reply is one task. It knows the model and the tools, not the socket: what it makes goes to its `Response` once it has
one and is not ducked. Tools are tasks of their own: they outlive the reply that was spoken over.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from step_audio_mini.converse import events
from step_audio_mini.serve.responses import Response
from step_audio_mini.think.tools import Outcome
from step_audio_mini.types import (
    AudioChunk,
    Decision,
    Hearing,
    Language,
    Samples,
    SlotValue,
    SpokenWord,
    Style,
    ToolCall,
)

log = logging.getLogger(__name__)
ASKS = ("ask", "confirm")
MOST_RUNS = 64
"""Calls whose results may be outstanding; a client that never answers fills no memory."""


class Model(Protocol):
    """What a reply needs of the worker's call (`serve.worker.Call`)."""

    async def hear(self, samples: Samples) -> Any:
        """Take sound; a `Heard`."""

    async def reset(self, keep_ms: int = 0) -> None:
        """Fresh ears."""

    async def hearing(self) -> Hearing:
        """What was understood so far."""

    async def plan(self, hearing: Hearing) -> Any:
        """A `think.plan.Plan`."""

    async def complete(self, plan: Any, outcomes: Sequence[Outcome] = ()) -> Decision:
        """The dialogue moves on."""

    def speak(self, text: str, language: Language, style: Style | None = None) -> AsyncIterator[AudioChunk]:
        """The voice."""

    async def close(self) -> None:
        """Forget the call."""


class Tools(Protocol):
    """What runs our own functions (`serve.tools`)."""

    async def run(self, name: str, arguments: Mapping[str, SlotValue], call_id: str) -> Outcome:
        """One call, within its deadline; never raises."""

    def cancellable(self, name: str) -> bool:
        """Whether stopping the reply stops the tool."""


@dataclass
class Run:
    """The tools of one plan: run beside the sound, told once."""

    plan: Any
    outcomes: dict[str, asyncio.Future[Outcome]] = field(default_factory=dict)
    """By call_id, in the plan's order."""
    waits_for_client: bool = False
    told: bool = False

    def resolve(self, call_id: str, outcome: Outcome) -> None:
        """A call came to its end; the first word counts."""
        if not self.outcomes[call_id].done():
            self.outcomes[call_id].set_result(outcome)


class Reply:
    """A reply, from its first thought to its last sample."""

    def __init__(
        self, generation: int, tell: Callable[[events.Event], None], hearing: Awaitable[Hearing] | None
    ) -> None:
        self.generation, self._tell, self.hearing = generation, tell, hearing
        self.response: Response | None = None
        self.run: Run | None = None
        self.visible = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self.began = time.perf_counter()
        self.waiting: tuple[str, Language, Style] | None = None
        self._held: list[AudioChunk | str] = []
        self._ducked = self._made = False
        self.filler = asyncio.Event()

    def show(self, response: Response) -> None:
        """From now on it is seen: what was held leaves."""
        self.response = response
        response.generation = self.generation
        self.visible.set()
        self._flush()

    def duck(self, silent: bool) -> None:
        """Hold its sound back, or let it go on."""
        self._ducked = silent
        self._flush()

    def push(self, piece: AudioChunk | str) -> None:
        """A piece was made."""
        self._held.append(piece)
        self._flush()

    def made(self) -> None:
        """All of it was made: it is over when the last piece has left."""
        self._made = True
        self._flush()

    def _flush(self) -> None:
        response = self.response
        while response is not None and not response.over and not self._ducked and self._held:
            piece = self._held.pop(0)
            if "first" not in response.timings:
                response.timings["first"] = round(1000 * (time.perf_counter() - self.began), 1)
            if isinstance(piece, str):
                response.text(piece)
                continue
            words = tuple(events.TimedWord(text, end) for text, end in response.sound(piece))
            self._tell(events.ReplySound(self.generation, response.sent_ms, words))
            if response.cut:
                self._held.clear()
        if response is not None and not response.over and self._made and not self._held and not self._ducked:
            response.finish(
                "incomplete" if response.cut else "completed", "max_output_tokens" if response.cut else None
            )
            self._tell(events.ReplySound(self.generation, response.sent_ms))
            self._tell(events.ReplyEnded(self.generation))

    def fail(self, code: str, message: str) -> None:
        """It cannot go on."""
        if self.response is not None:
            self.response.finish("failed", error=(code, message))
        self._tell(events.ReplyFailed(self.generation))

    def stop(self) -> None:
        """Make no more of it."""
        self._held.clear()
        if self.task is not None:
            self.task.cancel()


class Maker:
    """Makes the replies of one call."""

    def __init__(
        self,
        model: Model,
        tools: Tools,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        tell: Callable[[events.Event], None],
        client_tools: Callable[[], set[str]],
        speed: Callable[[], float],
    ) -> None:
        self._model, self._tools, self._spawn, self._tell = model, tools, spawn, tell
        self._client_tools, self._speed = client_tools, speed
        self._runs: dict[str, Run] = {}
        """By call_id: what tools do or did whose result was not told yet."""
        self._running: dict[str, asyncio.Task[None]] = {}

    def start(self, reply: Reply) -> None:
        """Begin to make a reply."""
        reply.task = self._spawn(self._guarded(reply))

    async def _guarded(self, reply: Reply) -> None:
        try:
            await (self._tell_run(reply, reply.run) if reply.run else self._answer(reply))
            reply.made()
        except Exception as error:  # whatever breaks a reply, the call goes on
            log.warning("a reply failed", extra={"facts": {"error": type(error).__name__}})
            reply.fail("server_error", "the reply could not be made; the session goes on")

    async def _answer(self, reply: Reply) -> None:
        assert reply.hearing is not None
        hearing = await reply.hearing
        plan = await self._model.plan(hearing)
        thought = round(1000 * (time.perf_counter() - reply.began), 1)
        if not reply.visible.is_set():
            self._tell(events.Speculated(reply.generation, hearing.best.text))
        self._tell(events.ReplyStarted(reply.generation, plan.system in ASKS))
        if not plan.calls:
            self._spawn(self._accept(reply, plan, thought))
            await self._say(reply, plan.reply, plan.language, plan.style)
            await reply.visible.wait()
            return
        reply.waiting = (plan.waiting, plan.language, plan.style)
        await reply.visible.wait()
        self._note(reply, thought)
        run = self._begin(reply, plan)
        if not run.waits_for_client:
            await self._tell_run(reply, run)

    async def _accept(self, reply: Reply, plan: Any, thought: float) -> None:
        """The dialogue moves on when a reply without tools is seen, even where it is spoken over at once."""
        await reply.visible.wait()
        self._note(reply, thought)
        decision = await self._model.complete(plan, ())
        if reply.response is not None:
            reply.response.facts |= _facts(decision)

    def _note(self, reply: Reply, thought: float) -> None:
        if reply.response is not None:
            reply.response.timings["think"] = thought

    async def _tell_run(self, reply: Reply, run: Run) -> None:
        """Say what the tools came to; fillers are said while they run."""
        if run.told:
            return
        filling = asyncio.ensure_future(self._fill(reply))
        try:
            outcomes = [await asyncio.shield(future) for future in run.outcomes.values()]
        finally:
            filling.cancel()
        run.told = True
        for call_id in run.outcomes:
            self._runs.pop(call_id, None)
        decision = await self._model.complete(run.plan, outcomes)
        if reply.response is not None:
            reply.response.facts |= _facts(decision)
        await self._say(reply, decision.reply, decision.language, decision.style)

    async def _fill(self, reply: Reply) -> None:
        while True:
            await reply.filler.wait()
            reply.filler.clear()
            if reply.waiting and reply.waiting[0]:
                await self._say(reply, *reply.waiting)

    async def _say(self, reply: Reply, text: str, language: Language, style: Style) -> None:
        if not text:
            return
        if reply.response is not None and reply.response.asked.modality == "text":
            reply.push(text)
            return
        if reply.response is not None and (said := reply.response.said) and said[-1].isascii() and text[0].isascii():
            reply.push(AudioChunk(np.zeros(0, np.float32), words=(SpokenWord(" ", 0),)))
        style = replace(style, speed=style.speed * self._speed())
        async for chunk in self._model.speak(text, language, style):
            reply.push(chunk)

    # tools

    def _begin(self, reply: Reply, plan: Any) -> Run:
        """Start the plan's calls: ours as tasks, the client's as items of the response."""
        run = Run(plan)
        while len(self._runs) >= MOST_RUNS:
            self._runs.pop(next(iter(self._runs)))
        theirs = self._client_tools()
        response = reply.response
        assert response is not None
        loop = asyncio.get_running_loop()
        for call in plan.calls:
            if call.name in theirs:
                call_id = response.call(call.name, call.arguments)
                run.waits_for_client = True
            else:
                call_id = response.new_call_id()
            run.outcomes[call_id] = loop.create_future()
            self._runs[call_id] = run
            if call.name not in theirs:
                cancellable = self._tools.cancellable(call.name)
                self._tell(events.ToolStarted(reply.generation, call_id, cancellable))
                self._running[call_id] = self._spawn(self._call(run, call, call_id))
        return run

    async def _call(self, run: Run, call: ToolCall, call_id: str) -> None:
        outcome = Outcome("failed", {})
        try:
            outcome = await self._tools.run(call.name, call.arguments, call_id)
        except Exception as error:
            log.warning("a tool failed", extra={"facts": {"tool": call.name, "error": type(error).__name__}})
        finally:
            self._running.pop(call_id, None)
            run.resolve(call_id, outcome)
        self._tell(events.ToolEnded(call_id))

    def cancel_tool(self, call_id: str) -> None:
        """Stop a tool that said it may be stopped; its outcome is that it failed."""
        if task := self._running.get(call_id):
            task.cancel()
            self._tell(events.ToolEnded(call_id))

    def output(self, call_id: str, outcome: Outcome) -> None:
        """The client's result of a call of ours; that of an unknown call changes nothing."""
        if run := self._runs.get(call_id):
            run.resolve(call_id, outcome)

    def run_of(self, calls: Sequence[str]) -> Run | None:
        """The run to tell: of these calls, or the latest that waits for the client."""
        wanted = [self._runs[call] for call in calls if call in self._runs]
        waiting = [run for run in self._runs.values() if run.waits_for_client and not run.told]
        return next(iter(wanted or waiting[-1:]), None)


def _facts(decision: Decision) -> dict[str, Any]:
    """What of a decision is told in `response.done`."""
    return {
        "act": decision.act,
        "language": decision.language,
        "confidence": round(decision.confidence, 3),
        "state": {"intent": decision.state.intent, "slots": dict(decision.state.slots)},
        "tool_calls": [
            {"name": call.name, "arguments": dict(call.arguments), "result": dict(call.result or {})}
            for call in decision.tool_calls
        ],
    }
