"""Whether one frame a server sent is an event that every stock client accepts: the strict half of the oracle.

The types are those of the `openai` package, taken strictly (no number becomes another, no float becomes a whole
millisecond). They leave much optional that clients take for granted, and they let any extra field pass; the rules below
close both doors. Extensions live in a field named `step_audio` of a known event and nowhere else.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, get_args

from openai.types.realtime import RealtimeServerEvent
from pydantic import BaseModel, TypeAdapter, ValidationError

Event = dict[str, Any]

LARGEST_FRAME = 8 << 20  # bytes; the Agents SDK opens its socket with this limit
OWN = "step_audio"
EXTRAS = {  # fields that servers of this protocol send though the package's types (made for requests) lack them
    "session": {"id", "object", "expires_at"},
}
OF_SOCKETS_ONLY = ("output_audio_buffer.", "input_audio_buffer.dtmf")  # WebRTC and SIP alone
CONTENT: dict[str, dict[str, str | None]] = {
    "assistant": {"output_text": "text", "output_audio": "transcript"},
    "user": {"input_text": "text", "input_audio": None, "input_image": None},
    "system": {"input_text": "text"},
}


class BrokenSchemaError(AssertionError):
    """A frame that is no event of the protocol; the text says where."""


@cache
def _kinds() -> dict[str, type[BaseModel]]:
    union = get_args(RealtimeServerEvent)[0]
    return {get_args(kind.model_fields["type"].annotation)[0]: kind for kind in get_args(union)}


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(_kinds()[kind])


def known_types() -> frozenset[str]:
    """Every type of server event the `openai` package knows."""
    return frozenset(_kinds())


def read(frame: str | bytes) -> Event:
    """The event in a frame; raises BrokenSchemaError with every fault found in it."""
    event = _decode(frame)
    kind = event.get("type")
    if not isinstance(kind, str) or kind not in _kinds():
        raise BrokenSchemaError(f"unknown event type {kind!r}")
    faults = list(_faults(event, kind, frame if isinstance(frame, str) else frame.decode()))
    if faults:
        raise BrokenSchemaError(f"{kind}: " + "; ".join(faults))
    return event


def _decode(frame: str | bytes) -> Event:
    if isinstance(frame, bytes):
        raise BrokenSchemaError("a binary frame: events are JSON text")
    if len(frame.encode()) > LARGEST_FRAME:
        raise BrokenSchemaError(f"a frame of {len(frame)} characters; the Agents SDK accepts {LARGEST_FRAME} bytes")
    try:
        event = json.loads(frame, object_pairs_hook=_once, parse_constant=_no_constant)
    except ValueError as error:
        raise BrokenSchemaError(f"not JSON: {error}") from None
    if not isinstance(event, dict):
        raise BrokenSchemaError("not an object")
    return event


def _once(pairs: list[tuple[str, Any]]) -> Event:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"a field twice among {names}")
    return dict(pairs)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _faults(event: Event, kind: str, frame: str) -> Iterator[str]:
    try:
        model = _adapter(kind).validate_json(frame, strict=True)
    except ValidationError as error:
        for fault in error.errors()[:4]:
            yield f"{'.'.join(str(place) for place in fault['loc'])}: {fault['msg']}"
        return
    yield from _strangers(model, "")
    if not _named(event.get("event_id")):
        yield "event_id is empty"
    if kind.startswith(OF_SOCKETS_ONLY):
        yield "belongs to WebRTC and SIP, not to a WebSocket"
    for places, rule in RULES:
        if kind in places or "*" in places:
            yield from rule(event)


def _strangers(value: Any, place: str) -> Iterator[str]:
    """Fields that the types do not know and that are not ours to add."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _strangers(each, f"{place}[{index}]")
    elif isinstance(value, BaseModel):
        allowed = {OWN} | EXTRAS.get(place, set())
        for name in value.model_extra or {}:
            if name not in allowed:
                yield f"{place or 'event'} has a field {name!r} that no type knows; extensions go into {OWN!r}"
        for name in type(value).model_fields:
            yield from _strangers(getattr(value, name), f"{place}.{name}".lstrip("."))


def _named(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _ids(event: Event) -> Iterator[str]:
    for name in ("item_id", "response_id", "call_id"):
        if name in event and not _named(event[name]):
            yield f"{name} is empty"
    for name, value in event.items():
        if name.endswith(("_ms", "_index")) and value is not None and value < 0:
            yield f"{name} is negative"


def _session(event: Event) -> Iterator[str]:
    session = event["session"]
    if not _named(session.get("id")):
        yield "session.id is missing"
    if session.get("object") not in ("realtime.session", "realtime.transcription_session"):
        yield f"session.object is {session.get('object')!r}"
    audio = session.get("audio") or {}
    for side in ("input", "output"):
        if side == "output" and session["type"] == "transcription":
            continue
        form = (audio.get(side) or {}).get("format") or {}
        if form.get("type") not in ("audio/pcm", "audio/pcmu", "audio/pcma"):
            yield f"session.audio.{side}.format.type is {form.get('type')!r}; clients read the effective format"
        elif form["type"] == "audio/pcm" and form.get("rate") != 24000:
            yield f"session.audio.{side}.format.rate is {form.get('rate')!r}, must be 24000"
    if "turn_detection" not in (audio.get("input") or {}):
        yield "session.audio.input.turn_detection is missing; clients act on the effective one"
    elif (turns := audio["input"]["turn_detection"]) is not None and turns.get("type") not in (
        "server_vad",
        "semantic_vad",
    ):
        yield f"turn_detection.type is {turns.get('type')!r}"
    if session["type"] == "realtime":
        if session.get("output_modalities") not in (["audio"], ["text"]):
            yield f"output_modalities is {session.get('output_modalities')!r}, must be one of audio and text"
        if not _named((audio.get("output") or {}).get("voice")):
            yield "session.audio.output.voice is missing"


def _item(event: Event) -> Iterator[str]:
    item = event["item"]
    yield from item_faults(item)
    if event["type"] != "conversation.item.retrieved":
        for part in item.get("content") or ():
            if part.get("audio") is not None:
                yield "content carries audio; only conversation.item.retrieved does"


def item_faults(item: Event) -> Iterator[str]:
    """What clients take for granted of an item: ids, a status of the three, content of its role."""
    if not _named(item.get("id")):
        yield "item.id is missing"
    if item.get("object") not in (None, "realtime.item"):
        yield f"item.object is {item.get('object')!r}"
    kind = item.get("type")
    if kind in ("message", "function_call") and item.get("status") not in ("completed", "incomplete", "in_progress"):
        yield f"item.status is {item.get('status')!r}"
    if kind == "function_call" and not (_named(item.get("call_id")) and _named(item.get("name"))):
        yield "function_call without call_id or name"
    if kind == "function_call_output" and not _named(item.get("call_id")):
        yield "function_call_output without call_id"
    if kind == "message":
        for part in item["content"]:
            yield from _content(part, item["role"])


def _content(part: Event, role: str) -> Iterator[str]:
    kind = part.get("type")
    if kind not in CONTENT[role]:
        yield f"content of {role} has type {kind!r}, must be one of {sorted(CONTENT[role])}"
        return
    field = CONTENT[role][kind]
    if field and not isinstance(part.get(field), str):
        yield f"content {kind} lacks {field}"


def _part(event: Event) -> Iterator[str]:
    part = event["part"]
    if part.get("type") not in ("audio", "text"):
        yield f"part.type is {part.get('type')!r}, must be audio or text"
    elif event["type"].endswith("done"):
        field = "transcript" if part["type"] == "audio" else "text"
        if not isinstance(part.get(field), str):
            yield f"part lacks {field}"
    if part.get("audio") is not None:
        yield "part carries audio"


def _sound(event: Event) -> Iterator[str]:
    try:
        sound = base64.b64decode(event["delta"], validate=True)
    except (binascii.Error, ValueError):
        yield "delta is not base64"
        return
    if not sound:
        yield "an empty audio delta"


def _response(event: Event) -> Iterator[str]:
    response = event["response"]
    if not _named(response.get("id")):
        yield "response.id is missing"
    if response.get("object") != "realtime.response":
        yield f"response.object is {response.get('object')!r}"
    if "conversation_id" not in response:
        yield "response.conversation_id is missing (an id, or null out of band)"
    if not isinstance(response.get("output"), list):
        yield "response.output is missing"
    if response.get("output_modalities") not in (["audio"], ["text"]):
        yield f"response.output_modalities is {response.get('output_modalities')!r}"
    if event["type"] == "response.created":
        if response.get("status") != "in_progress":
            yield f"response.status is {response.get('status')!r} when created"
        return
    yield from _ending(response)


def _ending(response: Event) -> Iterator[str]:
    status, details = response.get("status"), response.get("status_details") or {}
    if status not in ("completed", "cancelled", "failed", "incomplete"):
        yield f"response.status is {status!r} when done"
    if details and details.get("type") != status:
        yield f"status_details.type is {details.get('type')!r} of a response that is {status}"
    reasons = {
        "cancelled": ("turn_detected", "client_cancelled"),
        "incomplete": ("max_output_tokens", "content_filter"),
    }
    if status in reasons and details.get("reason") not in reasons[status]:
        yield f"a {status} response with reason {details.get('reason')!r}"
    if status == "failed" and not (details.get("error") or {}).get("type"):
        yield "a failed response without an error"
    for item in response.get("output") or ():
        yield from item_faults(item)
    yield from _usage(response.get("usage"))


def _usage(usage: Event | None) -> Iterator[str]:
    if usage is None:
        yield "a response that is done lacks usage"
        return
    names = ("input_tokens", "output_tokens", "total_tokens")
    if not all(isinstance(usage.get(name), int) for name in names):
        yield f"usage lacks one of {names}"
    elif usage["input_tokens"] + usage["output_tokens"] != usage["total_tokens"]:
        yield "usage does not sum"


def _error(event: Event) -> Iterator[str]:
    error = event["error"]
    if not _named(error["message"]):
        yield "error.message is empty"
    if error["type"] not in ("invalid_request_error", "server_error", "rate_limit_error", "authentication_error"):
        yield f"error.type is {error['type']!r}"
    if any(mark in error["message"] for mark in ("Traceback", 'File "', ".py")):
        yield "error.message shows the inside of the server"


def _limits(event: Event) -> Iterator[str]:
    for limit in event["rate_limits"]:
        missing = [name for name in ("name", "limit", "remaining", "reset_seconds") if limit.get(name) is None]
        if missing:
            yield f"a rate limit lacks {missing}"


RULES: tuple[tuple[frozenset[str], Callable[[Event], Iterator[str]]], ...] = (
    (frozenset({"*"}), _ids),
    (frozenset({"session.created", "session.updated"}), _session),
    (
        frozenset(
            {
                "conversation.item.added",
                "conversation.item.created",
                "conversation.item.done",
                "conversation.item.retrieved",
                "response.output_item.added",
                "response.output_item.done",
            }
        ),
        _item,
    ),
    (frozenset({"response.content_part.added", "response.content_part.done"}), _part),
    (frozenset({"response.output_audio.delta"}), _sound),
    (frozenset({"response.created", "response.done"}), _response),
    (frozenset({"error"}), _error),
    (frozenset({"rate_limits.updated"}), _limits),
)
