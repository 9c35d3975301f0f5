"""The strict oracle: everything that goes over one connection passes through it, and it tells every broken promise.

It is kinder to no client than the strictest of them: `schema` checks each event alone, the `order_*` files check the
stream (DESIGN's reference, the protocol's invariants 1 to 8, 10 and 11). Feed it both directions in the order of the
socket, client events before the server can have read them:

    oracle = Oracle()
    oracle.sent(frame)       # client -> server
    oracle.received(frame)   # server -> client
    oracle.finish()          # at the end; settled=False when the connection broke off
    oracle.check()           # AssertionError with everything that was wrong
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tests.conformance.facts import Event, Facts, client_event
from tests.conformance.order_answers import Answers
from tests.conformance.order_conversation import Conversation
from tests.conformance.order_input import Input
from tests.conformance.order_responses import Responses
from tests.conformance.schema import BrokenSchemaError, read


@dataclass(frozen=True)
class Violation:
    """One broken promise: at which server event of the connection (from 1), of which type, and what."""

    at: int
    kind: str
    why: str

    def __str__(self) -> str:
        return f"event {self.at} ({self.kind}): {self.why}"


class Oracle:
    """Judges one connection."""

    def __init__(self) -> None:
        self.facts = Facts()
        self.answers = Answers(self.facts)
        self.conversation = Conversation(self.facts)
        self.responses = Responses(self.facts)
        self.checkers = (self.answers, self.responses, Input(self.facts, self.conversation), self.conversation)
        self.events: list[Event] = []
        self.client_types: Counter[str] = Counter()
        self.server_types: Counter[str] = Counter()
        self.violations: list[Violation] = []
        self.frames = 0

    def sent(self, frame: str | bytes) -> None:
        """A frame from the client to the server."""
        event, named = client_event(frame)
        if event is None:
            self.client_types["(invalid)"] += 1
            self.answers.invalid(named)
            return
        self.client_types[event["type"]] += 1
        self.facts.client(event)
        for checker in self.checkers:
            self._note("client " + event["type"], checker.client(event))

    def received(self, frame: str | bytes) -> Event | None:
        """A frame from the server to the client; the event, or None when it is none."""
        self.frames += 1
        try:
            event = read(frame)
        except BrokenSchemaError as broken:
            self._note("schema", [str(broken)])
            return None
        self.server_types[event["type"]] += 1
        self.events.append(event)
        self.facts.server(event)
        for checker in self.checkers:
            self._note(event["type"], checker.server(event))
        return event

    def finish(self, *, settled: bool = True) -> None:
        """The end of the connection; `settled` when the server had time to answer and to close what it opened."""
        if settled:
            for checker in self.checkers:
                self._note("end", checker.finish())

    def check(self) -> None:
        """Raise with everything that was wrong."""
        if self.violations:
            listed = "\n".join(f"  {violation}" for violation in self.violations[:20])
            raise AssertionError(f"{len(self.violations)} broken promises:\n{listed}")

    def _note(self, kind: str, faults: Iterable[str]) -> None:
        self.violations += [Violation(self.frames, kind, fault) for fault in faults]
