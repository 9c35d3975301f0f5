"""Turns of the person on the clock of the input samples: invariants 7 and 8, and the order of transcripts."""

from __future__ import annotations

from collections.abc import Iterator

from tests.conformance.facts import Event, Facts
from tests.conformance.order_conversation import Conversation

ENDS = {  # client events that end a turn from outside, and what says that they did
    "input_audio_buffer.commit": "input_audio_buffer.committed",
    "input_audio_buffer.clear": "input_audio_buffer.cleared",
    "session.update": "session.updated",
}


class Input:
    """Follows speech_started, speech_stopped, committed and the transcription of each turn."""

    def __init__(self, facts: Facts, conversation: Conversation) -> None:
        self.facts = facts
        self.conversation = conversation
        self.talking: str | None = None
        self.perhaps: str | None = None  # a turn that other settings may have ended, or not
        self.stopped: str | None = None  # a turn that ended and is not committed yet
        self.asked: list[tuple[str, object]] = []  # (what will say it, event_id): the client is ending the turn itself
        self.start_ms = 0
        self.end_ms = 0
        self.taken_ms = 0  # sound before this was committed or cleared
        self.committed: set[str] = set()
        self.deltas: dict[str, str] = {}
        self.told: set[str] = set()

    def client(self, event: Event) -> Iterator[str]:
        audio = (event.get("session") or {}).get("audio") or {}
        if event["type"] in ENDS and (
            event["type"] != "session.update" or "turn_detection" in (audio.get("input") or {})
        ):
            self.asked.append((ENDS[event["type"]], event.get("event_id")))
        return iter(())

    @property
    def interfered(self) -> bool:
        """Whether the client is about to end the turn itself: then a turn need not end by the rules."""
        return bool(self.asked)

    def _answer(self, event: Event) -> None:
        """Take what the client asked from the list once it is done or refused."""
        named = (event.get("error") or {}).get("event_id")
        for asked in self.asked:
            if asked[0] == event["type"] or (event["type"] == "error" and named and asked[1] == named):
                self.asked.remove(asked)
                return

    def server(self, event: Event) -> Iterator[str]:
        kind = event["type"]
        by_itself = kind == "input_audio_buffer.committed" and event["item_id"] == self.stopped
        if kind == "input_audio_buffer.speech_started":
            yield from self._started(event)
        elif kind == "input_audio_buffer.speech_stopped":
            yield from self._stopped(event)
        elif kind == "input_audio_buffer.timeout_triggered":
            yield from self._span(event["audio_start_ms"], event["audio_end_ms"])
            self.stopped = event["item_id"]
        elif kind == "input_audio_buffer.committed":
            yield from self._committed(event["item_id"])
        elif kind == "input_audio_buffer.cleared" or (kind == "session.updated" and self.interfered):
            self.perhaps = (self.talking or self.perhaps) if kind == "session.updated" else None
            self.talking = self.stopped = None
            if kind.endswith("cleared"):
                self.taken_ms = self.end_ms
        elif kind.startswith("conversation.item.input_audio_transcription."):
            yield from self._transcript(event, kind.rsplit(".", 1)[1])
        if not by_itself:  # a turn that ended by itself is not the answer to a commit that crossed it
            self._answer(event)

    def _started(self, event: Event) -> Iterator[str]:
        start = event["audio_start_ms"]
        if self.talking and not self.interfered:
            yield f"speech_started({event['item_id']}) while {self.talking} is talking"
        if self.stopped and not self.interfered:
            yield f"speech_started({event['item_id']}) before {self.stopped} is committed"
        if event["item_id"] in self.committed:
            yield f"speech_started for {event['item_id']}, which is committed"
        if start < self.taken_ms:
            yield f"speech_started at {start} ms, before the end of the last turn at {self.taken_ms} ms"
        if start > self.facts.appended_ms:
            yield f"speech_started at {start} ms, but only {self.facts.appended_ms:.1f} ms were appended"
        self.talking, self.stopped, self.start_ms = event["item_id"], None, start

    def _stopped(self, event: Event) -> Iterator[str]:
        if event["item_id"] not in (self.talking, self.perhaps):
            yield f"speech_stopped({event['item_id']}) while {self.talking} is talking"
        yield from self._span(self.start_ms, event["audio_end_ms"])
        self.conversation.heard(event["item_id"], self.start_ms, event["audio_end_ms"])
        dropped = (event.get("step_audio") or {}).get("dropped", False)
        self.talking, self.stopped = None, None if dropped else event["item_id"]

    def _span(self, start: int, end: int) -> Iterator[str]:
        if end < start:
            yield f"a turn from {start} to {end} ms"
        if end < self.end_ms:
            yield f"a turn ends at {end} ms, the one before at {self.end_ms} ms"
        if end > self.facts.appended_ms:
            yield f"a turn ends at {end} ms, but only {self.facts.appended_ms:.1f} ms were appended"
        self.end_ms = max(self.end_ms, end)

    def _committed(self, item: str) -> Iterator[str]:
        if self.stopped is not None and item != self.stopped:
            yield f"committed {item}, but {self.stopped} was the turn"
        if self.stopped is None and not self.interfered:
            yield f"committed {item} without speech_stopped"
        if self.talking == item:  # the client ended the turn
            self.talking = None
        if self.stopped is None:  # by the client, who may have appended more since
            self.conversation.spans.pop(item, None)
        self.taken_ms = self.end_ms
        self.stopped = None
        self.committed.add(item)

    def _transcript(self, event: Event, part: str) -> Iterator[str]:
        item = event["item_id"]
        if item not in self.committed:
            yield f"transcription.{part} of {item}, which is not committed"
        if item in self.told:
            yield f"transcription.{part} of {item} after its end"
        if part == "delta":
            self.deltas[item] = self.deltas.get(item, "") + (event.get("delta") or "")
        elif part in ("completed", "failed"):
            self.told.add(item)
            if part == "completed" and item in self.deltas and self.deltas[item] != event["transcript"]:
                yield f"transcript {event['transcript']!r} of {item} is not its deltas {self.deltas[item]!r}"

    def finish(self) -> Iterator[str]:
        if self.stopped is not None and not self.interfered:
            yield f"the turn {self.stopped} stopped and was never committed"
        for item in set(self.deltas) - self.told:
            yield f"the transcription of {item} began and never ended"
