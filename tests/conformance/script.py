"""A conversation written down: every event a server may send, in an order that keeps every promise; tests break it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from itertools import count
from typing import Any

from tests.conformance.oracle import Oracle

Event = dict[str, Any]
Line = tuple[str, Event]  # ("client" | "server", event)

SESSION: Event = {
    "type": "realtime",
    "object": "realtime.session",
    "id": "sess_1",
    "model": "step-audio-2-mini",
    "output_modalities": ["audio"],
    "instructions": "",
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "noise_reduction": None,
            "transcription": {"model": "step-audio-2-mini"},
            "turn_detection": {
                "type": "semantic_vad",
                "eagerness": "auto",
                "create_response": True,
                "interrupt_response": True,
            },
        },
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "ash", "speed": 1.0},
    },
    "tools": [],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "truncation": "auto",
}
USAGE: Event = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}


def pcm(ms: int) -> str:
    """Base64 of so many ms of 24 kHz silence."""
    return base64.b64encode(bytes(48 * ms)).decode()


def user(name: str, status: str = "completed") -> Event:
    """A spoken turn of the person."""
    content = [{"type": "input_audio", "transcript": None}]
    return {
        "id": name,
        "object": "realtime.item",
        "type": "message",
        "role": "user",
        "status": status,
        "content": content,
    }


def assistant(name: str, status: str, text: str | None = None, kind: str = "output_audio") -> Event:
    """An answer, empty while it begins."""
    field = "transcript" if kind == "output_audio" else "text"
    content = [] if text is None else [{"type": kind, field: text}]
    return {
        "id": name,
        "object": "realtime.item",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": content,
    }


def call(name: str, status: str, arguments: str) -> Event:
    """A function call."""
    return {
        "id": name,
        "object": "realtime.item",
        "type": "function_call",
        "status": status,
        "call_id": f"call_of_{name}",
        "name": "get_weather",
        "arguments": arguments,
    }


def response(name: str, status: str, output: list[Event] | None = None, **more: Any) -> Event:
    """The object of response.created and response.done."""
    told: Event = {
        "id": name,
        "object": "realtime.response",
        "status": status,
        "conversation_id": "conv_1",
        "output": output or [],
        "output_modalities": ["audio"],
        "metadata": None,
    }
    if status != "in_progress":
        told |= {"usage": USAGE, "status_details": {"type": status}}
    return told | more


def turn(item: str, previous: str | None, start: int, end: int, text: str) -> Iterator[Line]:
    """A turn found by voice activity, with its transcript."""
    yield "server", {"type": "input_audio_buffer.speech_started", "item_id": item, "audio_start_ms": start}
    yield "server", {"type": "input_audio_buffer.speech_stopped", "item_id": item, "audio_end_ms": end}
    yield "server", {"type": "input_audio_buffer.committed", "item_id": item, "previous_item_id": previous}
    yield "server", {"type": "conversation.item.added", "item": user(item), "previous_item_id": previous}
    yield "server", {"type": "conversation.item.done", "item": user(item), "previous_item_id": previous}
    about = {"item_id": item, "content_index": 0}
    kind = "conversation.item.input_audio_transcription"
    yield "server", {"type": f"{kind}.delta", **about, "delta": text}
    usage = {"type": "duration", "seconds": (end - start) / 1000}
    yield "server", {"type": f"{kind}.completed", **about, "transcript": text, "usage": usage}


def calling(name: str, item: str, previous: str, arguments: str) -> Iterator[Line]:
    """A response that calls a function."""
    place = {"response_id": name, "output_index": 0}
    yield "server", {"type": "response.created", "response": response(name, "in_progress")}
    begun = call(item, "in_progress", "")
    yield "server", {"type": "response.output_item.added", **place, "item": begun}
    yield "server", {"type": "conversation.item.added", "item": begun, "previous_item_id": previous}
    about = place | {"item_id": item, "call_id": f"call_of_{item}"}
    yield "server", {"type": "response.function_call_arguments.delta", **about, "delta": arguments}
    done = {"type": "response.function_call_arguments.done", **about, "name": "get_weather", "arguments": arguments}
    yield "server", done
    final = call(item, "completed", arguments)
    yield "server", {"type": "response.output_item.done", **place, "item": final}
    yield "server", {"type": "conversation.item.done", "item": final, "previous_item_id": previous}
    yield "server", {"type": "response.done", "response": response(name, "completed", [final])}


def speaking(name: str, item: str, previous: str | None, words: list[str], **ending: Any) -> Iterator[Line]:
    """A spoken response, 100 ms of sound a word; `ending` goes into response.done, `created` into response.created."""
    created = ending.pop("created", {})
    status = ending.pop("status", "completed")
    place = {"response_id": name, "output_index": 0}
    part = place | {"item_id": item, "content_index": 0}
    oob = created.get("conversation_id", "conv_1") is None
    yield "server", {"type": "response.created", "response": response(name, "in_progress", **created)}
    begun = assistant(item, "in_progress")
    yield "server", {"type": "response.output_item.added", **place, "item": begun}
    if not oob:
        yield "server", {"type": "conversation.item.added", "item": begun, "previous_item_id": previous}
    yield "server", {"type": "response.content_part.added", **part, "part": {"type": "audio", "transcript": ""}}
    for word in words:
        yield "server", {"type": "response.output_audio_transcript.delta", **part, "delta": word}
        yield "server", {"type": "response.output_audio.delta", **part, "delta": pcm(100)}
    text = "".join(words)
    final = assistant(item, "completed" if status == "completed" else "incomplete", text)
    yield "server", {"type": "response.output_audio.done", **part}
    yield "server", {"type": "response.output_audio_transcript.done", **part, "transcript": text}
    yield "server", {"type": "response.content_part.done", **part, "part": {"type": "audio", "transcript": text}}
    yield "server", {"type": "response.output_item.done", **place, "item": final}
    if not oob:
        yield "server", {"type": "conversation.item.done", "item": final, "previous_item_id": previous}
    yield "server", {"type": "response.done", "response": response(name, status, [final], **created, **ending)}


def conversation() -> list[Line]:
    """Weather by a function, an answer that is broken off, truncation, a response out of band, an error."""
    lines: list[Line] = [("server", {"type": "session.created", "session": SESSION})]
    lines.append(
        (
            "server",
            {"type": "conversation.created", "conversation": {"id": "conv_1", "object": "realtime.conversation"}},
        )
    )
    lines.append(("client", {"type": "session.update", "session": {"type": "realtime"}}))
    lines.append(("server", {"type": "session.updated", "session": SESSION}))
    lines.append(("client", {"type": "input_audio_buffer.append", "audio": pcm(3000)}))
    lines += turn("item_1", None, 200, 2500, "what is the weather in Paris")
    lines += calling("resp_1", "item_2", "item_1", '{"city": "Paris"}')
    output = {"id": "item_3", "type": "function_call_output", "call_id": "call_of_item_2", "output": "12 degrees"}
    lines.append(("client", {"type": "conversation.item.create", "item": output, "event_id": "c_1"}))
    told = output | {"object": "realtime.item", "status": "completed"}
    for kind in ("added", "done"):
        lines.append(("server", {"type": f"conversation.item.{kind}", "item": told, "previous_item_id": "item_2"}))
    metadata = {"client_event_id": "c_2"}
    lines.append(("client", {"type": "response.create", "event_id": "c_2", "response": {"metadata": metadata}}))
    cancelled = {"status": "cancelled", "status_details": {"type": "cancelled", "reason": "turn_detected"}}
    words = ["It ", "is ", "twelve ", "degrees."]
    spoken = list(speaking("resp_2", "item_4", "item_3", words, created={"metadata": metadata}, **cancelled))
    limits = [{"name": "tokens", "limit": 1000, "remaining": 900, "reset_seconds": 1.0}]
    spoken.insert(1, ("server", {"type": "rate_limits.updated", "rate_limits": limits}))
    lines += spoken
    lines.append(("client", {"type": "input_audio_buffer.append", "audio": pcm(2000)}))
    lines += turn("item_5", "item_4", 3100, 4500, "thank you")
    cut = {"item_id": "item_4", "content_index": 0, "audio_end_ms": 200}
    lines.append(("client", {"type": "conversation.item.truncate", **cut}))
    lines.append(("server", {"type": "conversation.item.truncated", **cut}))
    lines.append(("client", {"type": "conversation.item.retrieve", "item_id": "item_4"}))
    heard = assistant("item_4", "incomplete", "It is ")
    heard["content"][0]["audio"] = pcm(200)
    lines.append(("server", {"type": "conversation.item.retrieved", "item": heard}))
    lines.append(("client", {"type": "response.cancel", "event_id": "c_3"}))
    error = {
        "type": "invalid_request_error",
        "code": "response_cancel_not_active",
        "message": "nothing runs",
        "event_id": "c_3",
    }
    lines.append(("server", {"type": "error", "error": error}))
    lines.append(("client", {"type": "response.create", "response": {"conversation": "none"}}))
    lines += speaking("resp_3", "item_6", None, ["aside"], created={"conversation_id": None})
    lines.append(("client", {"type": "conversation.item.delete", "item_id": "item_1"}))
    lines.append(("server", {"type": "conversation.item.deleted", "item_id": "item_1"}))
    lines += speaking("resp_4", "item_7", "item_5", ["You ", "are ", "welcome."])
    return lines


def judge(lines: list[Line], *, settled: bool = True) -> Oracle:
    """The oracle's opinion of a stream; server events without an event_id get one."""
    oracle, numbers = Oracle(), count()
    for side, event in lines:
        if side == "client":
            oracle.sent(json.dumps(event))
        else:
            oracle.received(json.dumps({"event_id": f"event_{next(numbers)}"} | event))
    oracle.finish(settled=settled)
    return oracle
