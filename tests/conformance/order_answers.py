"""Every client event gets its one answer, every event its own id: invariants 1, 6 and the start of a session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.conformance.facts import Event, Facts

ANSWERS: dict[str, tuple[str, ...]] = {
    "session.update": ("session.updated",),
    "input_audio_buffer.commit": ("input_audio_buffer.committed",),
    "input_audio_buffer.clear": ("input_audio_buffer.cleared",),
    "conversation.item.create": ("conversation.item.added",),
    "conversation.item.delete": ("conversation.item.deleted",),
    "conversation.item.retrieve": ("conversation.item.retrieved",),
    "conversation.item.truncate": ("conversation.item.truncated",),
    "response.create": ("response.created",),
    "response.cancel": ("response.done",),
}
FREE = {"output_audio_buffer.clear", "input_audio_buffer.append"}  # answered by nothing or by an error
ONLY_AS_ANSWER = {
    "session.updated",
    "input_audio_buffer.cleared",
    "conversation.item.deleted",
    "conversation.item.retrieved",
}


@dataclass
class Asked:
    """A client event that waits for its answer."""

    kind: str  # of the client event; "invalid" for one the server must refuse
    event: Event
    event_id: str | None
    running: frozenset[str] = frozenset()  # responses the client saw running when it asked
    again: bool = False  # a cut of what the client cut before


class Answers:
    """Pairs what the client asked with what the server answered."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.seen: set[str] = set()
        self.sent_ids: set[str] = set()
        self.refused: set[str] = set()
        self.waiting: list[Asked] = []
        self.loose_errors = 0
        self.opened = 0
        self.running: set[str] = set()
        self.cut: set[str] = set()  # items the client truncated
        self.metadata: list[Event] = []

    def client(self, event: Event) -> Iterator[str]:
        named = event.get("event_id")
        if isinstance(named, str):
            self.sent_ids.add(named)
        if event["type"] not in FREE:
            named = named if isinstance(named, str) else None
            again = event["type"] == "conversation.item.truncate" and event["item_id"] in self.cut
            self.waiting.append(Asked(event["type"], event, named, frozenset(self.running), again))
            if event["type"] == "conversation.item.truncate":
                self.cut.add(event["item_id"])
        if event["type"] == "response.create" and (event.get("response") or {}).get("metadata"):
            self.metadata.append(event["response"]["metadata"])
        return iter(())

    def invalid(self, event_id: str | None) -> None:
        """The client sent what the server must refuse."""
        if event_id:
            self.sent_ids.add(event_id)
        self.waiting.append(Asked("invalid", {}, event_id))

    def server(self, event: Event) -> Iterator[str]:
        kind = event["type"]
        if event["event_id"] in self.seen:
            yield f"event_id {event['event_id']} a second time"
        self.seen.add(event["event_id"])
        yield from self._start(kind)
        if kind == "error":
            yield from self._error(event["error"])
            return
        if kind == "response.created" and (told := event["response"].get("metadata")):
            if told in self.metadata:
                self.metadata.remove(told)
            else:
                yield f"metadata {told} that no client gave"
        self._follow(event)
        if not self._answered(event) and kind in ONLY_AS_ANSWER:
            yield f"{kind} that nobody asked for"

    def _follow(self, event: Event) -> None:
        if event["type"] == "response.created":
            self.running.add(event["response"]["id"])
        elif event["type"] == "response.done":
            self.running.discard(event["response"]["id"])

    def _start(self, kind: str) -> Iterator[str]:
        self.opened += 1
        if (kind == "session.created") != (self.opened == 1):
            yield f"{kind} as event {self.opened}: session.created is the first event, once"
        if kind == "conversation.created" and self.opened != 2:
            yield "conversation.created comes right after session.created, once"

    def _error(self, error: Event) -> Iterator[str]:
        named = error.get("event_id")
        if named is None:
            self.loose_errors += 1
            anonymous = [asked for asked in self.waiting if asked.event_id is None and asked.kind == "invalid"]
            if anonymous:
                self.waiting.remove(anonymous[0])
                self.loose_errors -= 1
            return
        if named not in self.sent_ids:
            yield f"an error for event_id {named}, which the client never sent"
        if named in self.refused:
            yield f"a second error for event_id {named}"
        self.refused.add(named)
        for asked in [asked for asked in self.waiting if asked.event_id == named]:
            self.waiting.remove(asked)
            if asked.kind == "response.create" and (told := (asked.event.get("response") or {}).get("metadata")):
                self.metadata.remove(told)

    def _answered(self, event: Event) -> bool:
        for asked in self.waiting:
            if event["type"] in ANSWERS.get(asked.kind, ()) and FITS.get(asked.kind, _any)(asked, event):
                self.waiting.remove(asked)
                return True
        return False

    def finish(self) -> Iterator[str]:
        for asked in self.waiting[self.loose_errors :]:
            yield f"{asked.kind} {asked.event_id or ''} was never answered".replace("  ", " ")


def _any(asked: Asked, answer: Event) -> bool:
    return True


def _created(asked: Asked, answer: Event) -> bool:
    wanted = asked.event["item"].get("id")
    if wanted:
        return bool(answer["item"].get("id") == wanted)
    call = asked.event["item"].get("call_id")
    return bool(answer["item"]["type"] == asked.event["item"].get("type") and answer["item"].get("call_id") == call)


def _same_item(asked: Asked, answer: Event) -> bool:
    return bool(asked.event["item_id"] == (answer["item"]["id"] if "item" in answer else answer["item_id"]))


def _truncated(asked: Asked, answer: Event) -> bool:
    if any(asked.event[name] != answer[name] for name in ("item_id", "content_index")):
        return False
    # a client may round a part of a millisecond up, the server tells the whole ones; a second cut gives nothing back
    return bool(answer["audio_end_ms"] <= asked.event["audio_end_ms"] <= answer["audio_end_ms"] + 1 or asked.again)


def _responded(asked: Asked, answer: Event) -> bool:
    wanted = (asked.event.get("response") or {}).get("metadata") or None
    return wanted == (answer["response"].get("metadata") or None)


def _cancelled(asked: Asked, answer: Event) -> bool:
    """A cancellation ends a response, unless the response it meant had ended by itself already."""
    return answer["response"]["status"] == "cancelled" or answer["response"]["id"] in asked.running


FITS: dict[str, Callable[[Asked, Event], bool]] = {
    "conversation.item.create": _created,
    "conversation.item.delete": _same_item,
    "conversation.item.retrieve": _same_item,
    "conversation.item.truncate": _truncated,
    "response.create": _responded,
    "response.cancel": _cancelled,
}
