"""What the checkers of one connection know together: formats, the input clock, what was said in each item."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

Event = dict[str, Any]

BYTES_A_MS = {"audio/pcm": 48.0, "audio/pcmu": 8.0, "audio/pcma": 8.0}
REQUIRED = {  # client events and the fields without which they are invalid
    "session.update": ("session",),
    "input_audio_buffer.append": ("audio",),
    "input_audio_buffer.commit": (),
    "input_audio_buffer.clear": (),
    "output_audio_buffer.clear": (),
    "conversation.item.create": ("item",),
    "conversation.item.delete": ("item_id",),
    "conversation.item.retrieve": ("item_id",),
    "conversation.item.truncate": ("item_id", "content_index", "audio_end_ms"),
    "response.create": (),
    "response.cancel": (),
}


class Checker(Protocol):
    """One family of rules; every method yields what is wrong, as text."""

    def client(self, event: Event) -> Iterator[str]:
        """A valid event the client sent, before the server can have read it."""
        ...

    def server(self, event: Event) -> Iterator[str]:
        """An event the server sent, in the order of the socket."""
        ...

    def finish(self) -> Iterator[str]:
        """What is missing at the end of a connection that had time to settle."""
        ...


@dataclass
class Said:
    """An assistant item as the deltas told it."""

    transcript: str = ""
    text: str = ""
    sound: int = 0  # bytes in the output format
    cut_ms: int | None = None  # where it was cut
    cut_by_client: bool = False  # by its word, which counts more than the server's estimate


@dataclass
class Facts:
    """Shared by the checkers of one connection; `Oracle` keeps it up to date."""

    input_format: str = "audio/pcm"
    output_format: str = "audio/pcm"
    appended_ms: float = 0.0
    said: dict[str, Said] = field(default_factory=dict)
    out_of_band: set[str] = field(default_factory=set)  # item ids that belong to no conversation
    in_response: set[str] = field(default_factory=set)  # item ids that a response made

    def item(self, item_id: str) -> Said:
        """What was said in an item so far."""
        return self.said.setdefault(item_id, Said())

    def sound_ms(self, item_id: str) -> float:
        """Length of the sound sent for an item."""
        return self.item(item_id).sound / BYTES_A_MS[self.output_format]

    def client(self, event: Event) -> None:
        """Follow the format and the input clock as the client sees them."""
        if event["type"] == "session.update":
            audio = (event.get("session") or {}).get("audio") or {}
            kind = ((audio.get("input") or {}).get("format") or {}).get("type")
            self.input_format = kind if kind in BYTES_A_MS else self.input_format
        if event["type"] == "input_audio_buffer.append":
            self.appended_ms += len(decoded(event["audio"]) or b"") / BYTES_A_MS[self.input_format]

    def server(self, event: Event) -> None:
        """Follow the formats as the server reports them."""
        if event["type"] in ("session.created", "session.updated"):
            audio = event["session"].get("audio") or {}
            self.input_format = audio["input"]["format"]["type"]
            self.output_format = ((audio.get("output") or {}).get("format") or {}).get("type", self.output_format)


def decoded(text: object) -> bytes | None:
    """Bytes of base64; None for what is none."""
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except (binascii.Error, ValueError):
        return None


def client_event(frame: str | bytes) -> tuple[Event | None, str | None]:
    """(the event or None when the server must refuse it, its event_id where it has one that can be echoed)."""
    try:
        event = json.loads(frame)
    except (ValueError, RecursionError):
        return None, None
    if not isinstance(event, dict):
        return None, None
    named = event.get("event_id")
    named = named if isinstance(named, str) else None
    kind = event.get("type")
    known = isinstance(kind, str) and kind in REQUIRED and all(event.get(name) is not None for name in REQUIRED[kind])
    if known and kind == "input_audio_buffer.append" and decoded(event["audio"]) is None:
        known = False
    return (event if known else None), named


def written(item: Event) -> list[tuple[str, str]]:
    """(kind of content, its words) of each part of an item; what two tellings of an item must agree in."""
    if item["type"] != "message":
        return [(item["type"], str(item.get("arguments", item.get("output", ""))))]
    return [(part["type"], part.get("transcript") or part.get("text") or "") for part in item["content"]]
