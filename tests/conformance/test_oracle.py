"""The oracle accepts a stream that keeps every promise and rejects each way of breaking one."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.oracle import Oracle
from tests.conformance.schema import BrokenSchemaError, known_types, read
from tests.conformance.script import SESSION, Line, conversation, judge, pcm, speaking, turn

pytestmark = pytest.mark.unit

LINES = conversation()
SERVER = [index for index, (side, _) in enumerate(LINES) if side == "server"]
OPTIONAL = {  # a server may leave these out
    "conversation.created",
    "rate_limits.updated",
    "conversation.item.input_audio_transcription.delta",
    "response.function_call_arguments.delta",
    "response.output_audio.delta",  # less sound is seen only in an item that is retrieved whole
}
REPEATABLE = {"rate_limits.updated", "response.output_audio.delta", "conversation.item.truncated"}


def at(kind: str, number: int = 0) -> int:
    """Where the n-th event of a type stands in the stream."""
    return [index for index, (_, event) in enumerate(LINES) if event["type"] == kind][number]


def with_event(index: int, change: Callable[[dict[str, Any]], object]) -> list[Line]:
    lines = copy.deepcopy(LINES)
    change(lines[index][1])
    return lines


def reasons(lines: list[Line], *, settled: bool = True) -> str:
    return "\n".join(str(violation) for violation in judge(lines, settled=settled).violations)


def test_a_stream_that_keeps_every_promise_passes() -> None:
    oracle = judge(LINES)
    oracle.check()
    assert oracle.server_types.total() == len(SERVER)
    assert "conversation.item.truncated" in oracle.server_types


@pytest.mark.parametrize("index", SERVER)
def test_an_event_left_out_is_missed(index: int) -> None:
    kind = LINES[index][1]["type"]
    assert bool(reasons(LINES[:index] + LINES[index + 1 :])) != (kind in OPTIONAL), kind


@pytest.mark.parametrize("index", SERVER)
def test_an_event_sent_twice_is_noticed(index: int) -> None:
    kind = LINES[index][1]["type"]
    doubled = [*LINES[: index + 1], copy.deepcopy(LINES[index]), *LINES[index + 1 :]]
    assert bool(reasons(doubled)) != (kind in REPEATABLE), kind


@pytest.mark.parametrize("index", [i for i in SERVER if i + 1 in SERVER])
def test_neighbours_in_the_wrong_order_are_noticed(index: int) -> None:
    first, second = LINES[index][1]["type"], LINES[index + 1][1]["type"]
    swapped = [*LINES[:index], LINES[index + 1], LINES[index], *LINES[index + 2 :]]
    free = (
        {first, second} & {"rate_limits.updated"}
        or {first, second} == {"response.output_audio.delta", "response.output_audio_transcript.delta"}
        or {first, second} == {"response.output_audio.done", "response.output_audio_transcript.done"}
        or {first, second} == {"response.output_item.added", "conversation.item.added"}
        or {first, second} == {"response.output_item.done", "conversation.item.done"}
        or first == "conversation.item.deleted"  # has nothing to do with what follows
        or "transcription.completed" in first  # told whenever it is ready
        or (first, second) == ("conversation.item.added", "response.content_part.added")
        or "transcription.delta" in second  # ... after the commit
    )
    assert bool(reasons(swapped)) != bool(free), (first, second)


def drop(field: str) -> Callable[[dict[str, Any]], object]:
    return lambda event: event.pop(field)


def put(**values: Any) -> Callable[[dict[str, Any]], object]:
    return lambda event: event.update(values)


def become(**values: Any) -> Callable[[dict[str, Any]], object]:
    def change(event: dict[str, Any]) -> None:
        event.clear()
        event.update(values)

    return change


def inside(*path: str | int, value: Any) -> Callable[[dict[str, Any]], object]:
    def change(event: dict[str, Any]) -> None:
        place: Any = event
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


MUTATIONS: dict[str, tuple[int, Callable[[dict[str, Any]], object], str]] = {
    # schema (§2.2)
    "old name of a delta": (at("response.output_audio.delta"), put(type="response.audio.delta"), "unknown event type"),
    "own type": (at("rate_limits.updated"), put(type="step_audio.timings"), "unknown event type"),
    "float ms": (at("input_audio_buffer.speech_started"), put(audio_start_ms=200.0), "audio_start_ms"),
    "number as text": (at("input_audio_buffer.speech_stopped"), put(audio_end_ms="2500"), "audio_end_ms"),
    "negative ms": (at("input_audio_buffer.speech_started"), put(audio_start_ms=-20), "negative"),
    "no usage": (at("conversation.item.input_audio_transcription.completed"), drop("usage"), "usage"),
    "arguments without name": (at("response.function_call_arguments.done"), drop("name"), "name"),
    "rate 16000": (at("session.created"), inside("session", "audio", "input", "format", "rate", value=16000), "format"),
    "no rate": (
        at("session.updated"),
        inside("session", "audio", "output", "format", value={"type": "audio/pcm"}),
        "rate",
    ),
    "own turn detection": (
        at("session.updated"),
        inside("session", "audio", "input", "turn_detection", "type", value="step_vad"),
        "turn_detection",
    ),
    "session without type": (at("session.created"), lambda event: event["session"].pop("type"), "session"),
    "session without id": (at("session.created"), lambda event: event["session"].pop("id"), "session.id"),
    "both modalities": (
        at("session.created"),
        inside("session", "output_modalities", value=["text", "audio"]),
        "output_modalities",
    ),
    "part type of an item": (at("response.content_part.added"), inside("part", "type", value="output_audio"), "part"),
    "no part type": (at("response.content_part.added"), lambda event: event["part"].pop("type"), "part.type"),
    "item content of a part": (
        at("response.output_item.done", 1),
        inside("item", "content", 0, "type", value="audio"),
        "content",
    ),
    "no transcript in content": (
        at("response.output_item.done", 1),
        lambda event: event["item"]["content"][0].pop("transcript"),
        "lacks transcript",
    ),
    "status of a response in an item": (
        at("response.output_item.done", 1),
        inside("item", "status", value="cancelled"),
        "status",
    ),
    "own reason": (
        at("response.done", 1),
        inside("response", "status_details", "reason", value="barge_in"),
        "status_details",
    ),
    "own field": (at("response.done"), put(timings={"listen": 3}), "extensions go into"),
    "own field inside": (at("response.done"), inside("response", "timings", value=1), "extensions go into"),
    "null id": (at("response.output_item.done"), inside("item", "call_id", value=None), "call_id"),
    "no metadata of usage": (at("response.done"), inside("response", "usage", "total_tokens", value=1), "sum"),
    "audio in an item": (at("conversation.item.done"), inside("item", "content", 0, "audio", value=pcm(1)), "audio"),
    "not base64": (at("response.output_audio.delta"), put(delta="%%%"), "base64"),
    "silence of no length": (at("response.output_audio.delta"), put(delta=""), "empty"),
    "half a sample": (
        at("response.output_audio.delta"),
        put(delta=base64.b64encode(bytes(4801)).decode()),
        "cuts a sample",
    ),
    "inside of the server": (at("error"), inside("error", "message", value="Traceback (most recent call"), "inside"),
    "own error type": (at("error"), inside("error", "type", value="oops"), "error.type"),
    "WebRTC alone": (
        at("rate_limits.updated"),
        become(type="output_audio_buffer.started", response_id="resp_2"),
        "WebRTC",
    ),
    # §4.1 to 3
    "delta of a strange item": (at("response.output_audio.delta"), put(item_id="item_9"), "names item"),
    "delta of a strange output": (at("response.output_audio.delta"), put(output_index=1), "not added"),
    "delta of a strange part": (at("response.output_audio.delta"), put(content_index=1), "not added"),
    "delta of a strange response": (at("response.output_audio.delta"), put(response_id="resp_9"), "never created"),
    "transcript not its deltas": (at("response.output_audio_transcript.done"), put(transcript="It is"), "its deltas"),
    "item not its deltas": (
        at("response.output_item.done", 1),
        inside("item", "content", 0, "transcript", value="else"),
        "its deltas",
    ),
    "output not its items": (at("response.done", 1), inside("response", "output", value=[]), "its items"),
    "arguments not their deltas": (at("response.function_call_arguments.done"), put(arguments="{}"), "deltas"),
    "broken arguments": (
        at("response.output_item.done"),
        inside("item", "arguments", value="{"),
        "no JSON",
    ),
    "an answer that began full": (
        at("response.output_item.added", 1),
        inside("item", "status", value="completed"),
        "in progress",
    ),
    "a part that changed": (
        at("response.content_part.done"),
        put(part={"type": "text", "text": "It is twelve degrees."}),
        "was added as",
    ),
    # §4.4 to 6
    "metadata of nobody": (at("response.created", 1), inside("response", "metadata", value={"a": "b"}), "metadata"),
    "metadata forgotten": (at("response.created", 1), inside("response", "metadata", value=None), "never answered"),
    "wrong predecessor": (at("conversation.item.added", 1), put(previous_item_id="item_9"), "must come after"),
    "no predecessor": (at("conversation.item.added", 2), put(previous_item_id=None), "must come after"),
    "commit after another": (at("input_audio_buffer.committed", 1), put(previous_item_id="item_1"), "last item"),
    "a client's id changed": (
        at("conversation.item.added", 2),
        inside("item", "id", value="item_99"),
        "never answered",
    ),
    "error for nobody": (at("error"), inside("error", "event_id", value="c_99"), "never sent"),
    "deleted another": (at("conversation.item.deleted"), put(item_id="item_5"), "never answered"),
    # §4.7, 8
    "turn before the clock": (at("input_audio_buffer.speech_stopped", 1), put(audio_end_ms=9000), "were appended"),
    "start after the sound": (at("input_audio_buffer.speech_started", 1), put(audio_start_ms=9000), "were appended"),
    "turns overlap": (at("input_audio_buffer.speech_started", 1), put(audio_start_ms=2400), "before the end"),
    "turn ends before it starts": (at("input_audio_buffer.speech_stopped"), put(audio_end_ms=100), "a turn from"),
    "a turn that comes to nothing": (
        at("input_audio_buffer.speech_stopped"),
        put(step_audio={"dropped": True}),
        "without speech_stopped",
    ),
    "another item stops": (at("input_audio_buffer.speech_stopped"), put(item_id="item_8"), "is talking"),
    "another item is committed": (at("input_audio_buffer.committed"), put(item_id="item_8"), "was the turn"),
    "transcript of nobody": (
        at("conversation.item.input_audio_transcription.completed"),
        put(item_id="item_8"),
        "not committed",
    ),
    "transcription not its deltas": (
        at("conversation.item.input_audio_transcription.completed"),
        put(transcript="what"),
        "its deltas",
    ),
    # §4.11
    "cut beyond the end": (at("conversation.item.truncated"), put(audio_end_ms=401), "never answered"),
    "cut of the person": (at("conversation.item.truncated"), put(item_id="item_5"), "not the assistant's"),
    "unheard words": (
        at("conversation.item.retrieved"),
        inside("item", "content", 0, "transcript", value="It is twelve degrees. And"),
        "never said",
    ),
    "sound beyond the cut": (
        at("conversation.item.retrieved"),
        inside("item", "content", 0, "audio", value=pcm(400)),
        "were heard",
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_broken_promise_is_named(name: str) -> None:
    index, change, reason = MUTATIONS[name]
    assert reason in reasons(with_event(index, change))


def test_two_responses_at_once() -> None:
    second = list(speaking("resp_9", "item_9", "item_7", ["x"]))
    assert "is active" in reasons(LINES[:-1] + second[:1])


def test_sound_after_the_end_of_a_response() -> None:
    late = copy.deepcopy(LINES[at("response.output_audio.delta")])
    assert "after it was done" in reasons([*LINES, late])


def test_a_cut_at_nothing_keeps_no_words_and_a_cut_at_the_end_keeps_all() -> None:
    cut, told = at("conversation.item.truncated"), at("conversation.item.retrieved")
    for ms, text, fine in (
        (0, "", True),
        (0, "It ", False),
        (400, "It is twelve degrees.", True),
        (400, "It is ", False),
    ):
        lines = copy.deepcopy(LINES)
        lines[cut - 1][1]["audio_end_ms"] = lines[cut][1]["audio_end_ms"] = ms
        lines[told][1]["item"]["content"][0] |= {"transcript": text, "audio": pcm(ms)}
        assert (not reasons(lines)) == fine, (ms, text)


def test_the_sound_of_a_turn_is_its_span() -> None:
    asked = ("client", {"type": "conversation.item.retrieve", "item_id": "item_5"})
    for ms, fine in ((1400, True), (1300, False)):
        item = copy.deepcopy(LINES[at("conversation.item.added", 4)][1]["item"])
        item["content"][0]["audio"] = pcm(ms)
        told = ("server", {"type": "conversation.item.retrieved", "item": item})
        assert (not reasons([*LINES, asked, told])) == fine


def test_what_the_client_did_wrong_is_answered_by_one_error() -> None:
    broken = ("client", {"type": "input_audio_buffer.commit_now", "event_id": "c_9"})
    error = {"type": "invalid_request_error", "code": "unknown_or_invalid_event", "message": "no", "event_id": "c_9"}
    answer: Line = ("server", {"type": "error", "error": error})
    assert "never answered" in reasons([*LINES, broken])
    assert not reasons([*LINES, broken, answer])
    assert "a second error" in reasons([*LINES, broken, answer, copy.deepcopy(answer)])


def test_an_id_is_used_once() -> None:
    oracle = Oracle()
    for kind in ("session.created", "session.updated"):
        oracle.received(json.dumps({"type": kind, "event_id": "event_1", "session": SESSION}))
    assert any("a second time" in violation.why for violation in oracle.violations)


def test_a_turn_is_committed_before_it_is_answered() -> None:
    lines = LINES[:5]
    heard = list(turn("item_1", None, 200, 2500, "hello"))
    answer = list(speaking("resp_1", "item_2", "item_1", ["x"]))
    assert not reasons([*lines, *heard, *answer])
    assert "came into the conversation" in reasons([*lines, *heard[:4], answer[0], heard[4], *answer[1:]])


def test_an_insertion_goes_where_the_client_wants_it() -> None:
    item = {"id": "item_50", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
    told = item | {"status": "completed", "object": "realtime.item"}
    for wanted, previous, fine in (("root", None, True), ("root", "item_7", False), ("item_3", "item_3", True)):
        create = {"type": "conversation.item.create", "item": item, "previous_item_id": wanted}
        lines: list[Line] = [*LINES, ("client", create)]
        for kind in ("added", "done"):
            lines.append(("server", {"type": f"conversation.item.{kind}", "item": told, "previous_item_id": previous}))
        assert (not reasons(lines)) == fine, (wanted, previous)


@pytest.mark.parametrize(
    "frame",
    [b"{}", "", "[]", "{", '{"type": "error", "type": "error"}', '{"type": 3}', '{"event_id": NaN, "type": "error"}'],
)
def test_a_frame_that_is_no_event(frame: str | bytes) -> None:
    with pytest.raises(BrokenSchemaError):
        read(frame)


def test_a_frame_too_large_for_the_agents_sdk() -> None:
    event = LINES[at("response.output_audio.delta")][1] | {"event_id": "e", "delta": "AAAA" * (2 << 20)}
    with pytest.raises(BrokenSchemaError, match="8388608"):
        read(json.dumps(event))


def test_every_type_of_the_script_is_known() -> None:
    assert {event["type"] for side, event in LINES if side == "server"} <= known_types()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SERVER), st.data())
def test_a_required_field_left_out_is_missed(index: int, data: st.DataObject) -> None:
    event = LINES[index][1]
    optional = {"previous_item_id"} | ({"delta", "content_index"} if "transcription" in event["type"] else set())
    fields = sorted(set(event) - optional)
    field = data.draw(st.sampled_from(fields))
    assert reasons(with_event(index, drop(field)))
