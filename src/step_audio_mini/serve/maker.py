"""How a reply is made: understand, run tools, speak.

A reply is one task. Tools are tasks of their own: they outlive the reply that was spoken over, and what they came to is
told later. Nothing of a speculative reply changes the world: tools, and the dialogue, wait until it is seen.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from step_audio_mini.converse import events
from step_audio_mini.serve.reply import Reply, Run, Tell
from step_audio_mini.serve.responses import Response
from step_audio_mini.serve.stage import Stage
from step_audio_mini.think.tools import Outcome
from step_audio_mini.types import AudioChunk, Hearing, Language, SpokenWord, Style, ToolCall

log = logging.getLogger("step_audio_mini.serve")
ASKS = ("ask", "confirm")
CLIENT_SECONDS = 30.0
"""After which a client that asks for a response hears that its own function took too long; a result may still come."""
MOST_CALLS = 64
"""Calls whose results may be outstanding; a client that never answers fills no memory."""


class Chat(Protocol):
    """Who answers open questions (`serve.handover.HandOver`)."""

    def wants(self, plan: Any, hearing: Hearing) -> bool:
        """Whether a turn is one."""

    def clauses(self, question: str, history: Sequence[Any], language: Language) -> AsyncIterator[str]:
        """The answer, clause by clause."""

    async def close(self) -> None:
        """Close its connections."""


class Maker:
    """Makes the replies of one call."""

    def __init__(self, stage: Stage, tell: Tell, client_tools: Callable[[], set[str]], chat: Chat | None) -> None:
        self._stage, self._tell, self._client_tools, self._chat = stage, tell, client_tools, chat
        self._runs: dict[str, Run] = {}
        """By call_id: what tools do or did whose result may still have to be told."""
        self._running: dict[str, asyncio.Task[None]] = {}

    def start(self, reply: Reply) -> None:
        """Begin to make a reply."""
        reply.task = self._stage.spawn(self._guarded(reply))

    async def _guarded(self, reply: Reply) -> None:
        try:
            for run in reply.runs:
                await self._tell_run(reply, run)
            if reply.hearing is not None:
                await self._answer(reply)
        except Exception as error:  # whatever breaks a reply, the call goes on
            log.warning("a reply failed", extra={"facts": {"error": type(error).__name__}}, exc_info=error)
            reply.fail("server_error", "the reply could not be made; the session goes on")
        else:
            reply.made()

    async def _answer(self, reply: Reply) -> None:
        assert reply.hearing is not None
        hearing = await reply.hearing
        reply.stamp("heard")
        if reply.prompts and not hearing.best.words:
            text, language = self._stage.model.prompt()
            self._tell(events.ReplyStarted(reply.generation, expects_answer=True))
            await self._say(reply, text, language, Style())
            return
        plan = await self._stage.model.plan(hearing)
        reply.stamp("planned")
        reply.facts |= _facts(plan, ())
        if not reply.visible.is_set():
            self._tell(events.Speculated(reply.generation, hearing.best.text))
        self._tell(events.ReplyStarted(reply.generation, plan.system in ASKS))
        if self._chat is not None and self._chat.wants(plan, hearing):
            await self._ask_chat(reply, plan, hearing)
        elif plan.calls:
            await reply.visible.wait()
            run = self._begin(reply, plan)
            if not run.waits_for_client:
                await self._tell_run(reply, run)
        else:
            self._stage.spawn(self._move_on(reply, plan))
            await self._say(reply, plan.reply, plan.language, plan.style)
            await reply.visible.wait()

    async def _move_on(self, reply: Reply, plan: Any) -> None:
        """The dialogue moves on when a reply without tools is seen, even where it is spoken over at once."""
        if reply.task is not None and not reply.visible.is_set():
            seen = asyncio.ensure_future(reply.visible.wait())
            try:
                await asyncio.wait([seen, reply.task], return_when=asyncio.FIRST_COMPLETED)
            finally:  # a call that ends meanwhile leaves no task behind
                seen.cancel()
            if not reply.visible.is_set():
                return
        reply.counts = True
        try:
            await self._stage.model.complete(plan, ())
        except Exception as error:
            log.warning("a turn was not noted", extra={"facts": {"error": type(error).__name__}})

    async def _ask_chat(self, reply: Reply, plan: Any, hearing: Hearing) -> None:
        """An open question goes to the chat endpoint, once it is sure that it was asked."""
        assert self._chat is not None
        await reply.visible.wait()
        reply.counts = True
        await self._stage.model.accept(replace(plan, reply=""))
        answer: Any = self._chat.clauses(hearing.best.text, self._stage.conversation.said()[:-1], plan.language)
        said: list[str] = []
        async with aclosing(answer):  # one that was spoken over is not read any further
            async for clause in answer:
                said.append(clause)
                await self._say(reply, clause, plan.language, Style())
        await self._stage.model.complete(replace(plan, reply=" ".join(said)), ())

    async def _tell_run(self, reply: Reply, run: Run) -> None:
        """Say what the tools came to, again where it was not heard; fillers are said while they run."""
        opened = await self._fill(reply, run)
        reply.stamp("acted")
        if run.decision is None:
            outcomes = [future.result() for future in run.outcomes.values()]
            run.decision = await self._stage.model.complete(run.plan, outcomes)
        decision = run.decision
        reply.facts |= _facts(decision, decision.tool_calls)
        told = decision.reply
        rest = told[len(opened) :].lstrip() if opened and told.startswith(opened) else told
        await self._say(reply, rest, decision.language, decision.style)

    async def _fill(self, reply: Reply, run: Run) -> str:
        """Wait for the tools; where that takes long begin to tell, or say that it takes a moment. What was begun."""
        opened, plan = "", run.plan
        while not run.ready:
            wanted = asyncio.ensure_future(reply.filler.wait())
            open_calls: list[asyncio.Future[Any]] = [future for future in run.outcomes.values() if not future.done()]
            try:
                await asyncio.wait([*open_calls, wanted], return_when=asyncio.FIRST_COMPLETED)
            finally:
                wanted.cancel()
            if reply.filler.is_set() and not run.ready and not opened:
                opened = plan.opening
                await self._say(reply, opened or plan.waiting, plan.language, plan.style)
            reply.filler.clear()
        return opened

    async def _say(self, reply: Reply, text: str, language: Language, style: Style) -> None:
        if not text:
            return
        gap = " " if (said := reply.said) and said[-1].isascii() and text[0].isascii() else ""
        session, asked = self._stage.session, reply.response.asked if reply.response else None
        modality = asked.modality if asked else session.get("output_modalities")[0]
        if modality == "text":
            reply.push(gap + text)
            return
        if gap:
            reply.push(AudioChunk(np.zeros(0, np.float32), words=(SpokenWord(gap, 0),)))
        style = replace(style, speed=style.speed * float(session.output.get("speed") or 1.0))
        voice = asked.voice if asked else session.output["voice"]
        async for chunk in self._stage.model.speak(text, language, style, voice):
            reply.push(chunk)

    # out of band

    async def apart(self, response: Response, hearing: Hearing, tools: set[str]) -> None:
        """Answer beside the conversation: nothing is remembered, and no tool of ours runs."""
        plan = await self._stage.model.plan(hearing)
        for call in plan.calls:
            if call.name in tools:
                response.call(call.name, call.arguments)
        text = plan.reply  # none while calls wait: half a reply is no reply
        if text and response.asked.modality == "text":
            response.text(text)
        elif text:
            async for chunk in self._stage.model.speak(text, plan.language, plan.style, response.asked.voice):
                response.sound(chunk)

    # tools

    def _begin(self, reply: Reply, plan: Any) -> Run:
        """Start the plan's calls: ours as tasks, the client's as items of the response."""
        run, theirs, response = Run(plan), self._client_tools(), reply.response
        assert response is not None
        reply.acted = True
        while len(self._runs) >= MOST_CALLS:
            told = [call_id for call_id, run in self._runs.items() if run.decision is not None]
            self._runs.pop(next(iter([*told, *self._runs])))
        for call in plan.calls:
            if call.name in theirs:
                call_id = response.call(call.name, call.arguments)
                run.waits_for_client = True
            else:
                call_id = response.new_call_id()
            run.outcomes[call_id] = asyncio.get_running_loop().create_future()
            run.names[call_id] = call.name
            self._runs[call_id] = run
            if call.name not in theirs:
                self._tell(events.ToolStarted(reply.generation, call_id, self._stage.tools.cancellable(call.name)))
                self._running[call_id] = self._stage.spawn(self._call(run, call, call_id))
        reply.counts = True
        # not awaited: the response ends with its calls, for a client may ask for the next one as soon as it has them
        self._stage.ask(self._stage.model.accept(plan))
        return run

    async def _call(self, run: Run, call: ToolCall, call_id: str) -> None:
        outcome = Outcome("cancelled", {})
        try:
            outcome = await self._stage.tools.run(call.name, call.arguments, call_id)
        except Exception as error:
            outcome = Outcome("failed", {})
            log.warning("a tool failed", extra={"facts": {"tool": call.name, "error": type(error).__name__}})
        finally:
            self._running.pop(call_id, None)
            run.resolve(call_id, outcome)
            self._stage.metrics.tools.labels(outcome.name if outcome.name in _OUTCOMES else "other").inc()
        self._tell(events.ToolEnded(call_id))

    def cancel_tool(self, call_id: str) -> None:
        """Stop a tool that said it may be stopped."""
        if task := self._running.get(call_id):
            task.cancel()
            self._tell(events.ToolEnded(call_id))

    def output(self, call_id: str, output: str) -> None:
        """The client's result of a call of ours; that of an unknown call changes nothing."""
        if run := self._runs.get(call_id):
            run.resolve(call_id, self._stage.tools.read(run.names[call_id], output))

    def runs_of(self, calls: Sequence[str], asked_since: bool) -> list[Run]:
        """The runs to tell: of these calls, or the latest that waits for the client.

        Where something was `asked_since`, that is answered unless the client's results are there.
        """
        if wanted := [self._runs[call] for call in calls if call in self._runs]:
            return list(dict.fromkeys(wanted))
        waiting = [run for run in self._runs.values() if run.waits_for_client and run.decision is None][-1:]
        if asked_since:
            return [run for run in waiting if run.ready]
        for run in waiting:
            if time.monotonic() - run.began > CLIENT_SECONDS:
                for call_id in run.outcomes:
                    run.resolve(call_id, Outcome("timeout", {}))
        return waiting


_OUTCOMES = ("done", "failed", "timeout", "unconnected", "cancelled")


def _facts(decided: Any, calls: Sequence[ToolCall]) -> dict[str, Any]:
    """What of a plan or a decision is told in `response.done`."""
    return {
        "act": decided.act,
        "language": decided.language,
        "confidence": round(decided.confidence, 3),
        "state": {"intent": decided.state.intent, "slots": dict(decided.state.slots)},
        "tool_calls": [
            {"name": call.name, "arguments": dict(call.arguments), "result": dict(call.result or {})} for call in calls
        ],
    }
