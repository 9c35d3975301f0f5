"""The OpenAI Realtime protocol on the wire: client events in, checked; server events out, of the `openai` types.

Nothing here knows a call. A frame becomes one of the package's client events or a `ProtocolError` that says which
field is wrong; a server event is built by its own class, so that nothing leaves that those types would refuse.
"""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, NoReturn, get_args

from openai.types.realtime import RealtimeClientEvent, RealtimeError, RealtimeErrorEvent
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from step_audio_mini.serve.outbox import Delta

_CLIENT: TypeAdapter[Any] = TypeAdapter(Annotated[RealtimeClientEvent, Field(discriminator="type")])
LONGEST_ID = 512
"""Characters of an id that a client chooses."""


class ProtocolError(Exception):
    """What a client did wrong, as its `error` event tells it; the session goes on."""

    def __init__(
        self,
        message: str,
        code: str,
        *,
        param: str | None = None,
        event_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.param, self.event_id = code, param, event_id


def parse(frame: str | bytes, referenced: Callable[[str], dict[str, Any]]) -> BaseModel:
    """The client event in a frame; ProtocolError for anything else, with the event's own id where it has one.

    `referenced` gives the item of an `item_reference`, which the types of events do not know.
    """
    if isinstance(frame, bytes):
        raise ProtocolError("events are JSON in text frames; this frame is binary", "unknown_or_invalid_event")
    try:
        content = _DECODER.decode(frame)
        if "\\u" in frame:
            json.dumps(content, ensure_ascii=False).encode()  # half a surrogate pair could not be sent back
    except (ValueError, RecursionError):
        raise ProtocolError(
            "the frame is not JSON; send one event object a frame", "unknown_or_invalid_event"
        ) from None
    if not isinstance(content, dict):
        raise ProtocolError("an event is a JSON object", "unknown_or_invalid_event")
    event_id = content.get("event_id")
    event_id = event_id if isinstance(event_id, str) and len(event_id) <= LONGEST_ID else None
    try:
        _resolve(content, referenced)
        event: BaseModel = _CLIENT.validate_python(content, strict=True)
    except ValidationError as error:
        raise _explained(error, content, event_id) from None
    except ProtocolError as error:
        error.event_id = event_id
        raise
    return event


def _resolve(content: dict[str, Any], referenced: Callable[[str], dict[str, Any]]) -> None:
    """Put the items that a `response.create` refers to in place of their references."""
    response = content.get("response")
    items = response.get("input") if isinstance(response, dict) and content.get("type") == "response.create" else None
    if not isinstance(items, list):
        return
    for place, item in enumerate(items):
        if isinstance(item, dict) and item.get("type") == "item_reference":
            items[place] = referenced(str(item.get("id")))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _explained(error: ValidationError, content: Mapping[str, Any], event_id: str | None) -> ProtocolError:
    """The most telling of the validator's complaints: the one that got farthest into the event."""
    name = content.get("type")
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    if problems[0]["type"] in ("union_tag_invalid", "union_tag_not_found"):
        shown = name if isinstance(name, str) and len(name) < 100 else None
        what = "an event needs a type" if name is None else f"no client event has the type {shown!r}"
        return ProtocolError(what, "unknown_or_invalid_event", param="type", event_id=event_id)
    worst = max(problems, key=lambda p: len(p["loc"]))
    # the first step is the event's type, and steps through a union name its classes
    steps = [str(step) for step in worst["loc"][1:] if isinstance(step, int) or str(step).islower()]
    param = ".".join(steps) or None
    if worst["type"] == "missing":
        text, code = f"{name} lacks {param}", "missing_required_parameter"
    else:
        text, code = f"{name}: {param or 'the event'}: {worst['msg'].lower()}", "invalid_value"
    return ProtocolError(text, code, param=param, event_id=event_id)


class Ids:
    """Ids of one session: unique, and telling what they name."""

    def __init__(self) -> None:
        self._session = secrets.token_hex(8)
        self._numbers = itertools.count(1)

    def new(self, kind: str) -> str:
        """An id such as `item_3f2a...07`."""
        return f"{kind}_{self._session}{next(self._numbers):04x}"


class Wire:
    """Server events of one session on their way out."""

    def __init__(self, put: Callable[[str, Delta | None], None]) -> None:
        """`put` takes a frame, and what of a response it carries."""
        self.ids, self._put = Ids(), put

    def send(self, kind: type[BaseModel], carries: Delta | None = None, /, **fields: Any) -> None:
        """Send an event of a class of `openai.types.realtime`; null is sent where a field is given as None."""
        event = kind(type=_type_of(kind), event_id=self.ids.new("event"), **fields)
        self._put(event.model_dump_json(exclude_unset=True), carries)

    def refuse(self, error: ProtocolError) -> None:
        """Answer a client's mistake."""
        told = RealtimeError(
            type="invalid_request_error",
            code=error.code,
            message=str(error),
            param=error.param,
            event_id=error.event_id,
        )
        self.send(RealtimeErrorEvent, error=told)


@cache
def _type_of(kind: type[BaseModel]) -> str:
    return str(get_args(kind.model_fields["type"].annotation)[0])
