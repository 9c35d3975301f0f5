"""The model thread: runs what calls ask for, the most urgent first, and steps of the ears of many calls as one.

A task is a generator: it yields a stream of the ears when it needs the next chunk of it, and returns its result. Tasks
of one lane run one after the other in the order they were asked; lanes know nothing of each other. Among the heads of
all lanes the earliest deadline goes first (Liu & Layland, 1973), which no task can escape by asking much: more work
means later deadlines.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

WINDOW = 0.010
"""Seconds a step of the ears waits for those of other calls."""
TOGETHER = 16
"""Most streams in a run: their states are copied into one, a megabyte each."""
AHEAD = 0.1
"""Seconds by which a step may be due later than the one it runs with."""
RECENT = 5.0
"""Seconds over which the load is measured."""
PATIENCE = 0.12
"""Seconds before it is due in which any step could begin: more than any is given to end."""


class Steps(Protocol):
    """The ears of a call, as far as the thread needs to know them."""

    @property
    def network(self) -> Any:
        """What steps them; those of one network may go together."""

    @property
    def shares(self) -> bool:
        """Whether waiting for others pays: whether the network's runs are shared."""


Task = Generator[Steps, None, Any]


class CallClosedError(Exception):
    """The call, or the worker, was closed while something was asked of it."""


@dataclass(eq=False)
class Lane:
    """Tasks of one owner, in order."""

    waiting: deque[_Entry] = field(default_factory=deque)
    closed: bool = False

    @property
    def idle(self) -> bool:
        """Whether nothing of it waits or runs: what it guards may be used from the event loop until the next task."""
        return not self.waiting


@dataclass(eq=False)
class _Entry:
    """One task on its way."""

    lane: Lane
    task: Task
    future: asyncio.Future[Any]
    deadline: float
    pace: float
    """Seconds of sound a step brings: the next one is due as much later. 0 where somebody waits for the result."""
    kept: bool
    """To be run even where nobody waits for the result any more."""
    arrived: float
    stream: Steps | None = None
    """The ears that wait for a step; None while the task itself is to be run."""


class ModelThread:
    """One thread. `submit` and `drop` are called from the event loop that made it, results come back to it."""

    def __init__(self, advance: Callable[[list[Any]], None], window: float = WINDOW) -> None:
        """`advance` brings one chunk of each stream, all of one network, through it."""
        self._advance, self._window = advance, window
        self._loop = asyncio.get_running_loop()
        self._changed = threading.Condition()
        self._heads: set[_Entry] = set()
        self._stopping = False
        self._lags: deque[tuple[float, float]] = deque()
        self._worked: deque[tuple[float, float]] = deque()
        self.missed = 0
        self._thread = threading.Thread(target=self._run, name="models", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._thread.is_alive() and not self._stopping

    @property
    def queued(self) -> int:
        """Tasks that wait."""
        with self._changed:
            return sum(len(entry.lane.waiting) for entry in self._heads)

    @property
    def lag_p95(self) -> float:
        """Seconds after which 95 % of the latest steps had begun, from when they could have; 0 where there were none.

        A step that is due later, because its call sent ahead of time, is not late when it waits.
        """
        since = time.monotonic() - RECENT
        lags = sorted(lag for ended, lag in self._lags.copy() if ended > since)
        return lags[int(0.95 * (len(lags) - 1))] if lags else 0.0

    @property
    def busy(self) -> float:
        """Part of the last seconds in which it worked."""
        since = time.monotonic() - RECENT
        return min(1.0, sum(work for ended, work in self._worked.copy() if ended > since) / RECENT)

    def submit(
        self, lane: Lane, task: Task, deadline: float, pace: float = 0.0, kept: bool = False
    ) -> asyncio.Future[Any]:
        """Queue a task, due at a time of `time.monotonic`; its result, or what it raised.

        `pace` and `kept` are described at `_Entry`.
        """
        future = self._loop.create_future()
        with self._changed:
            if lane.closed or self._stopping:
                future.set_exception(CallClosedError("this call is closed"))
                return future
            lane.waiting.append(_Entry(lane, task, future, deadline, pace, kept, time.monotonic()))
            if len(lane.waiting) == 1:
                self._heads.add(lane.waiting[0])
                self._changed.notify()
        return future

    def drop(self, lanes: Iterable[Lane]) -> None:
        """Forget lanes and what waits in them; a task that runs is forgotten when it comes to its next step."""
        with self._changed:
            for lane in lanes:
                lane.closed = True
                for entry in lane.waiting:
                    self._heads.discard(entry)
                    if not entry.future.done():
                        entry.future.set_exception(CallClosedError("this call is closed"))
                        entry.future.exception()  # nobody need be waiting
                lane.waiting.clear()

    async def stop(self) -> None:
        """End the thread after the step it is at."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        try:
            while (chosen := self._next()) is not None:
                began, waited = time.monotonic(), [(entry.arrived, entry.deadline) for entry in chosen]
                if chosen[0].future.cancelled() and not chosen[0].kept:
                    self._finish(chosen[0], None, None)
                elif chosen[0].stream is None:
                    self._resume(chosen[0])
                else:
                    self._step(chosen)
                self._note(began, time.monotonic(), waited)
        finally:  # also where it dies: nobody may wait for ever
            with self._changed:
                self._stopping = True
                left = [entry for head in self._heads for entry in head.lane.waiting]
            for entry in left:
                self._settle(entry, None, CallClosedError("the models have stopped"))

    def _note(self, began: float, ended: float, waited: Sequence[tuple[float, float]]) -> None:
        """Keep the figures of a step, for entries that came and were due at these times."""
        self._lags.extend((ended, max(0.0, began - max(came, due - PATIENCE))) for came, due in waited)
        self._worked.append((ended, ended - began))
        self.missed += sum(ended > due for _, due in waited)
        for kept in (self._lags, self._worked):
            while kept[0][0] < ended - RECENT:
                kept.popleft()

    def _next(self) -> list[_Entry] | None:
        """The most urgent entry, with the steps of others that may go with it; None at the end."""
        with self._changed:
            while not self._stopping:
                now = time.monotonic()
                begin = {entry: entry.arrived + self._wait(entry) for entry in self._heads}
                able = [entry for entry, time_ in begin.items() if time_ <= now]
                if not able:
                    self._changed.wait(min(begin.values(), default=now + 60.0) - now)
                    continue
                first = min(able, key=lambda entry: (entry.deadline, entry.arrived))
                if first.stream is None:
                    return [first]
                near = (e for e in self._heads if e.stream is not None and e.deadline <= first.deadline + AHEAD)
                same = [e for e in near if e.stream and e.stream.network is first.stream.network]
                return sorted(same, key=lambda entry: (entry is not first, entry.deadline))[:TOGETHER]
        return None

    def _wait(self, entry: _Entry) -> float:
        return self._window if entry.stream is not None and entry.pace and entry.stream.shares else 0.0

    def _step(self, entries: list[_Entry]) -> None:
        try:
            self._advance([entry.stream for entry in entries])
        except Exception as error:
            for entry in entries:
                self._finish(entry, None, error)
            return
        for entry in entries:
            entry.deadline += entry.pace
            self._resume(entry)

    def _resume(self, entry: _Entry) -> None:
        """Run a task to its next step or to its end."""
        try:
            entry.stream = next(entry.task)
            entry.arrived = time.monotonic()
        except StopIteration as end:
            self._finish(entry, end.value, None)
        except Exception as error:
            self._finish(entry, None, error)

    def _finish(self, entry: _Entry, result: Any, error: Exception | None) -> None:
        with self._changed:
            self._heads.discard(entry)
            waiting = entry.lane.waiting
            if waiting and waiting[0] is entry:
                waiting.popleft()
                if waiting:
                    waiting[0].arrived = time.monotonic()
                    self._heads.add(waiting[0])
        self._settle(entry, result, error)

    def _settle(self, entry: _Entry, result: Any, error: Exception | None) -> None:
        def settle() -> None:
            if not entry.future.done():
                entry.future.set_result(result) if error is None else entry.future.set_exception(error)

        try:
            self._loop.call_soon_threadsafe(settle)
        except RuntimeError:  # the loop has ended, and with it whoever waited
            self._stopping = True
