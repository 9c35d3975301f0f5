"""Tools of one session beside its sound: in parallel, each call once, each with exactly one outcome."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from step_audio_mini.think.tools import LONGEST_TEXT, MOST_KEYS, Outcome, Running, Toolbox
from step_audio_mini.types import SlotValue

MOST_PARALLEL = 8
"""Calls of a session that may run at a time; one more fails at once."""
MOST_REMEMBERED = 1000
"""Ended calls whose outcome is kept, so that none runs twice."""
LONGEST_OUTPUT = 65_536
"""Characters of a client's result that are read."""


@dataclass
class _Record:
    outcome: asyncio.Future[Outcome]
    running: Running | None = None
    deadline: asyncio.TimerHandle | None = field(default=None, repr=False)


class ToolRunner:
    """Runs a toolbox for a session, from its event loop. No function runs on the loop, not even an `async` one.

    A call that was begun goes on whatever becomes of who waits for it; only a cancellable one ends when its waiter is
    cancelled. Its outcome stays, and asking again by the same id gives the same one.
    """

    def __init__(self, toolbox: Toolbox) -> None:
        self._toolbox = toolbox
        self._calls: dict[str, _Record] = {}

    def cancellable(self, name: str) -> bool:
        """Whether a call may be ended half-way."""
        return self._toolbox.cancellable(name)

    async def run(self, name: str, arguments: Mapping[str, SlotValue], call_id: str) -> Outcome:
        """What a call came to, within its deadline. An id runs once, however often it is asked for."""
        record = self._calls.get(call_id) or self._begin(name, arguments, call_id)
        try:
            return await asyncio.shield(record.outcome)
        except asyncio.CancelledError:
            if self.cancellable(name):
                self._end(record, Outcome("cancelled", {}))
            raise

    def read(self, name: str, output: str) -> Outcome:
        """The outcome that a client's own function sent: a JSON object, or text that is the tool's one result.

        What is no text, number or boolean is left out, as it cannot be spoken; an `error` counts as failed.
        """
        if len(output) > LONGEST_OUTPUT or name not in self._toolbox:
            return Outcome("failed", {})
        try:
            content = json.loads(output) if output.strip() else {}
        except (ValueError, RecursionError):
            content = output[:LONGEST_TEXT]
        wanted = self._toolbox.returns(name)
        if not isinstance(content, dict):
            content = {next(iter(wanted), "text"): content} if len(wanted) <= 1 else {}
        if content.get("error"):
            return Outcome("failed", {})
        flat = {key: value for key, value in content.items() if isinstance(value, str | int | float | bool)}
        kept = [*wanted, *(key for key in flat if key not in wanted)]
        return self._toolbox.checked(name, {key: flat[key] for key in kept[:MOST_KEYS] if key in flat})

    def close(self) -> None:
        """The session is over: whatever still runs is given up, and told as cancelled to who waits."""
        for record in self._calls.values():
            self._end(record, Outcome("cancelled", {}))

    def _begin(self, name: str, arguments: Mapping[str, SlotValue], call_id: str) -> _Record:
        loop = asyncio.get_running_loop()
        ended = [known for known, record in self._calls.items() if record.outcome.done()]
        busy = len(self._calls) - len(ended) >= MOST_PARALLEL
        for known in ended[: max(0, len(self._calls) - MOST_REMEMBERED + 1)]:
            del self._calls[known]
        record = self._calls[call_id] = _Record(loop.create_future())
        if busy or name not in self._toolbox:
            self._end(record, Outcome("failed", {}))
            return record

        def done(outcome: Outcome) -> None:  # on the tool's thread
            with contextlib.suppress(RuntimeError):  # the loop ended before the tool
                loop.call_soon_threadsafe(self._end, record, outcome)

        seconds = self._toolbox.deadline_s(name)
        record.running = self._toolbox.start(name, arguments, done)
        record.deadline = loop.call_later(seconds, self._end, record, Outcome("timeout", {}))
        return record

    def _end(self, record: _Record, outcome: Outcome) -> None:
        """The first word counts; a function whose outcome nobody waits for any more is given up."""
        if record.outcome.done():
            return
        record.outcome.set_result(outcome)
        if record.deadline is not None:
            record.deadline.cancel()
        if record.running is not None and not record.running.ended:
            record.running.give_up()
