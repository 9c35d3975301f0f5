"""Runs tools with a deadline and checks what comes back: a tool may fail, hang or lie without harm to the dialogue."""

from __future__ import annotations

import math
import threading
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from step_audio_mini.think.pack import Pack, Tool
from step_audio_mini.types import SlotValue

ToolFunction = Callable[[Mapping[str, SlotValue]], Mapping[str, Any]]
"""Takes the call's arguments, returns a flat result; the key `outcome` chooses the reply (`done` without it)."""

MOST_KEYS, LONGEST_TEXT = 20, 300
MOST_HANGING = 4
"""Calls of one tool that may hang at a time; further calls fail at once, so hanging tools cannot fill the memory."""


@dataclass(frozen=True)
class Outcome:
    """What a call came to. `name` is `done`, an outcome the tool named, or `failed`, `timeout`, `unconnected`."""

    name: str
    result: dict[str, SlotValue]


class Toolbox:
    """Functions by tool name, called one at a time for a pack."""

    def __init__(self, pack: Pack, functions: Mapping[str, ToolFunction]) -> None:
        self._tools, self._functions = pack.tools, dict(functions)
        self._hanging: dict[str, int] = {}
        self._lock = threading.Lock()

    def call(self, name: str, arguments: Mapping[str, SlotValue]) -> Outcome:
        """Run a tool; returns within its deadline whatever it does."""
        tool, function = self._tools[name], self._functions.get(name)
        if function is None:
            return Outcome("unconnected", {})
        with self._lock:
            if self._hanging.get(name, 0) >= MOST_HANGING:
                return Outcome("timeout", {})
            self._hanging[name] = self._hanging.get(name, 0) + 1
        box: list[Any] = []
        # a thread that never ends is left behind, a daemon: Python cannot stop it, and the dialogue must go on
        worker = threading.Thread(target=self._run, args=(name, function, dict(arguments), box), daemon=True)
        worker.start()
        worker.join(tool.deadline_s)
        if worker.is_alive():
            return Outcome("timeout", {})
        return _checked(tool, box[0]) if box else Outcome("failed", {})

    def _run(self, name: str, function: ToolFunction, arguments: dict[str, SlotValue], box: list[Any]) -> None:
        try:
            box.append(function(arguments))
        except Exception:  # a tool may raise anything; the person hears an apology
            box.clear()
        finally:
            with self._lock:
                self._hanging[name] -= 1


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
