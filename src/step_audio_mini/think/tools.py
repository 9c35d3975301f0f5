"""Runs tools with a deadline and checks what comes back: a tool may fail, hang or lie without harm to the dialogue."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import math
import threading
import unicodedata
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from step_audio_mini.think.functions import FunctionTool
from step_audio_mini.think.pack import Pack, Tool
from step_audio_mini.types import SlotValue

ToolFunction = Callable[[Mapping[str, SlotValue]], Mapping[str, Any]]
"""Takes the call's arguments, returns a flat result; the key `outcome` chooses the reply (`done` without it)."""

MOST_KEYS, LONGEST_TEXT = 20, 300
MOST_HANGING = 4
"""Calls of one tool that may hang at a time; further calls fail at once, so hanging tools cannot fill the memory."""


@dataclass(frozen=True)
class Outcome:
    """What a call came to: `done`, an outcome the tool named, or `failed`, `timeout`, `unconnected`, `cancelled`."""

    name: str
    result: dict[str, SlotValue]


class Toolbox:
    """Functions by tool name, for a pack. What they return is checked; may be used from any thread."""

    def __init__(self, pack: Pack, functions: Mapping[str, ToolFunction]) -> None:
        self._tools, self._functions = pack.tools, dict(functions)
        self._hanging: dict[str, int] = {}
        self._lock = threading.Lock()

    def __contains__(self, name: str) -> bool:
        """Whether the pack has a tool of this name."""
        return name in self._tools

    def deadline_s(self, name: str) -> float:
        """How long a tool may take."""
        return self._tools[name].deadline_s

    def cancellable(self, name: str) -> bool:
        """Whether a call may be ended half-way."""
        function = self._functions.get(name)
        return isinstance(function, FunctionTool) and function.cancellable

    def returns(self, name: str) -> Mapping[str, str]:
        """What a tool must return, by key: text, number or boolean."""
        return self._tools[name].returns

    def checked(self, name: str, result: object) -> Outcome:
        """A bounded, typed copy of what a tool returned; anything unexpected counts as failed."""
        return _checked(self._tools[name], result)

    def call(self, name: str, arguments: Mapping[str, SlotValue]) -> Outcome:
        """Run a tool; returns within its deadline whatever it does."""
        ended, box = threading.Event(), list[Outcome]()

        def done(outcome: Outcome) -> None:
            box.append(outcome)
            ended.set()

        running = self.start(name, arguments, done)
        if ended.wait(self.deadline_s(name)):
            return box[0]
        running.give_up()
        return Outcome("timeout", {})

    def start(self, name: str, arguments: Mapping[str, SlotValue], done: Callable[[Outcome], None]) -> Running:
        """Run a tool in a thread of its own, which calls `done` once when it ends; who waits minds the deadline."""
        running = Running(self, name)
        function = self._functions.get(name)
        if function is None:
            done(Outcome("unconnected", {}))
        elif self._hanging.get(name, 0) >= MOST_HANGING:
            done(Outcome("timeout", {}))
        else:
            # a thread that never ends is left behind, a daemon: Python cannot stop it, and the dialogue must go on
            work = (running, function, dict(arguments), done)
            threading.Thread(target=self._run, args=work, daemon=True).start()
            return running
        running.ended = True
        return running

    def _run(
        self,
        running: Running,
        function: ToolFunction,
        arguments: dict[str, SlotValue],
        done: Callable[[Outcome], None],
    ) -> None:
        try:
            result: object = function(arguments)
            if inspect.isawaitable(result):
                result = asyncio.run(running.wait_for(result))
            outcome = self.checked(running.name, result)
        except asyncio.CancelledError:
            outcome = Outcome("cancelled", {})
        except BaseException:  # a tool may raise anything, SystemExit too; the person hears an apology
            outcome = Outcome("failed", {})
        self.count(running, ended=True)
        done(outcome)

    def count(self, running: Running, *, ended: bool) -> None:
        """Keep the number of calls that go on after their deadline."""
        with self._lock:
            hung, running.overdue = running.overdue, not (running.ended or ended)
            running.ended = running.ended or ended
            self._hanging[running.name] = self._hanging.get(running.name, 0) + running.overdue - hung


class Running:
    """A call at work."""

    def __init__(self, toolbox: Toolbox, name: str) -> None:
        self.name = name
        self.ended = self.overdue = False
        self._toolbox, self._cancelled = toolbox, False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None

    async def wait_for(self, result: Awaitable[Any]) -> Any:
        """What an `async` function returns, in the loop of its own thread: one that blocks blocks nobody else."""
        self._task, self._loop = asyncio.current_task(), asyncio.get_running_loop()
        if self._cancelled:
            raise asyncio.CancelledError
        return await result

    def give_up(self) -> None:
        """Nobody waits any more: a tool that may be cancelled is told, any other goes on to its end."""
        self._toolbox.count(self, ended=False)
        if self._toolbox.cancellable(self.name):
            self._cancelled = True
            if self._loop is not None and self._task is not None:
                with contextlib.suppress(RuntimeError):  # it ended meanwhile
                    self._loop.call_soon_threadsafe(self._task.cancel)


def _checked(tool: Tool, result: object) -> Outcome:
    """A bounded, typed copy of a result; anything else counts as failed."""
    if not isinstance(result, Mapping) or len(result) > MOST_KEYS:
        return Outcome("failed", {})
    clean: dict[str, SlotValue] = {}
    for key, value in result.items():
        if not isinstance(key, str) or not isinstance(value, str | int | float | bool):
            return Outcome("failed", {})
        if isinstance(value, float) and not math.isfinite(value):
            return Outcome("failed", {})
        clean[key[:64]] = _plain_text(value) if isinstance(value, str) else value
    name = str(clean.pop("outcome", "done"))
    kinds: dict[str, tuple[type, ...]] = {"text": (str,), "number": (int, float), "boolean": (bool,)}
    if name in ("done", "true", "false"):
        for key, kind in tool.returns.items():
            value = clean.get(key)
            if not isinstance(value, kinds[kind]) or (kind == "number" and isinstance(value, bool)):
                return Outcome("failed", {})
    return Outcome(name, clean)


def _plain_text(text: str) -> str:
    """Text without control characters and markup brackets, bounded: it will be spoken, not obeyed."""
    kept = (c if unicodedata.category(c)[0] != "C" else " " for c in text[:LONGEST_TEXT])
    return " ".join("".join(kept).split()).replace("[", "(").replace("]", ")")
