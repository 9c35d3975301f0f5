"""A response is announced, streamed and closed in order, on every path: invariants 1 to 4 and 10."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.conformance.facts import Event, Facts, decoded, written


@dataclass
class Part:
    """A content part as its deltas told it."""

    kind: str
    words: str = ""
    sound: int = 0
    ended: set[str] = field(
        default_factory=set
    )  # which of output_audio, output_audio_transcript, output_text, part are done


@dataclass
class Item:
    """An output item of a response."""

    name: str
    kind: str
    parts: list[Part] = field(default_factory=list)
    arguments: str = ""
    arguments_done: bool = False
    final: Event | None = None
    in_conversation: bool = False
    conversation_done: bool = False


@dataclass
class Response:
    """One response between its created and its done."""

    name: str
    out_of_band: bool
    items: list[Item] = field(default_factory=list)


Told = tuple[str, str | None, list[tuple[str, str]]]  # an item's id, status and words
STREAMS = {"output_audio": "audio", "output_audio_transcript": "audio", "output_text": "text"}


class Responses:
    """Follows every response of a connection."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.open: dict[str, Response] = {}
        self.closed: set[str] = set()
        self.added: dict[str, Event] = {}  # conversation items added before their output_item.added
        self.names: set[str] = set()
        self.calls: set[str] = set()

    def client(self, event: Event) -> Iterator[str]:
        return iter(())

    def server(self, event: Event) -> Iterator[str]:
        kind = event["type"]
        if kind == "response.created":
            yield from self._created(event["response"])
        elif kind == "response.done":
            yield from self._closed(event["response"])
        elif kind in ("conversation.item.added", "conversation.item.done"):
            yield from self._conversation(kind, event["item"])
        elif "response_id" in event:
            response = self.open.get(event["response_id"])
            if response is None:
                when = "after it was done" if event["response_id"] in self.closed else "which was never created"
                yield f"{kind} of response {event['response_id']}, {when}"
                return
            yield from self._inside(kind, event, response)

    def _created(self, response: Event) -> Iterator[str]:
        name = response["id"]
        out_of_band = response["conversation_id"] is None
        if name in self.open or name in self.closed:
            yield f"response {name} created a second time"
        active = [other.name for other in self.open.values() if not other.out_of_band]
        if active and not out_of_band:
            yield f"response {name} created while {active[0]} is active"
        if response["output"]:
            yield f"response {name} created with output"
        self.open[name] = Response(name, out_of_band)

    def _conversation(self, kind: str, item: Event) -> Iterator[str]:
        for each in [each for response in self.open.values() for each in response.items]:
            if each.name == item["id"]:
                if kind.endswith("added"):
                    each.in_conversation = True
                    return
                each.conversation_done = True
                yield from self._agree(each, item, kind)
                return
        if kind.endswith("added"):
            self.added[item["id"]] = item

    def _inside(self, kind: str, event: Event, response: Response) -> Iterator[str]:
        if kind == "response.output_item.added":
            yield from self._item(event, response)
            return
        index = event["output_index"]
        if index >= len(response.items):
            yield f"{kind} of output {index}, which was not added"
            return
        item = response.items[index]
        named = event["item"]["id"] if "item" in event else event["item_id"]
        if named != item.name:
            yield f"{kind} names item {named}, output {index} is {item.name}"
        if item.final is not None:
            yield f"{kind} of item {item.name} after its end"
        if kind == "response.output_item.done":
            yield from self._item_done(event["item"], item, response)
        elif kind.startswith("response.function_call_arguments."):
            yield from self._arguments(kind, event, item, response)
        else:
            yield from self._content(kind, event, item, response)

    def _item(self, event: Event, response: Response) -> Iterator[str]:
        item = event["item"]
        if event["output_index"] != len(response.items):
            yield f"output_index {event['output_index']} for output {len(response.items)}"
        if item["id"] in self.names:
            yield f"output item {item['id']} a second time"
        if item.get("status") != "in_progress" or item.get("content") or item.get("arguments"):
            yield f"output item {item['id']} added with content or not in progress"
        if item["type"] == "function_call":
            if item["call_id"] in self.calls:
                yield f"call_id {item['call_id']} a second time"
            self.calls.add(item["call_id"])
        self.names.add(item["id"])
        (self.facts.out_of_band if response.out_of_band else self.facts.in_response).add(item["id"])
        early = self.added.pop(item["id"], None) is not None
        if early and response.out_of_band:
            yield f"item {item['id']} of an out-of-band response added to the conversation"
        response.items.append(Item(item["id"], item["type"], in_conversation=early))

    def _content(self, kind: str, event: Event, item: Item, response: Response) -> Iterator[str]:
        index = event["content_index"]
        if item.kind != "message":
            yield f"{kind} of a {item.kind}"
        if kind == "response.content_part.added":
            if index != len(item.parts):
                yield f"content_index {index} for part {len(item.parts)} of {item.name}"
            item.parts.append(Part(event["part"]["type"]))
            return
        if index >= len(item.parts):
            yield f"{kind} of part {index} of {item.name}, which was not added"
            return
        part = item.parts[index]
        if not item.in_conversation and not response.out_of_band:
            yield f"{kind} before conversation.item.added({item.name})"
        if "part" in part.ended:
            yield f"{kind} of {item.name} after content_part.done"
        if kind == "response.content_part.done":
            yield from self._part_done(event["part"], part, item)
            return
        stream, _, what = kind.removeprefix("response.").rpartition(".")
        if STREAMS.get(stream) != part.kind:
            yield f"{kind} of a part of type {part.kind}"
        if stream in part.ended:
            yield f"{kind} of {item.name} after {stream}.done"
        yield from (self._delta if what == "delta" else self._stream_done)(stream, event, part, item)

    def _delta(self, stream: str, event: Event, part: Part, item: Item) -> Iterator[str]:
        said = self.facts.item(item.name)
        if stream == "output_audio":
            sound = decoded(event["delta"]) or b""
            if self.facts.output_format == "audio/pcm" and len(sound) % 2:
                yield f"an audio delta of {len(sound)} bytes cuts a sample of {item.name} in two"
            part.sound += len(sound)
            said.sound += len(sound)
        else:
            part.words += event["delta"]
            said.transcript += event["delta"] if stream == "output_audio_transcript" else ""
            said.text += event["delta"] if stream == "output_text" else ""

    def _stream_done(self, stream: str, event: Event, part: Part, item: Item) -> Iterator[str]:
        part.ended.add(stream)
        field = {"output_audio_transcript": "transcript", "output_text": "text"}.get(stream)
        if field and event[field] != part.words:
            yield f"{stream}.done tells {event[field]!r}, its deltas {part.words!r}"

    def _part_done(self, told: Event, part: Part, item: Item) -> Iterator[str]:
        missing = {stream for stream, kind in STREAMS.items() if kind == part.kind} - part.ended
        if missing:
            yield f"content_part.done of {item.name} before {sorted(missing)} done"
        if told["type"] != part.kind:
            yield f"content_part.done of {item.name} is {told['type']}, was added as {part.kind}"
        words = told["transcript" if part.kind == "audio" else "text"] if told["type"] == part.kind else part.words
        if words != part.words:
            yield f"content_part.done tells {words!r}, its deltas {part.words!r}"
        part.ended.add("part")

    def _arguments(self, kind: str, event: Event, item: Item, response: Response) -> Iterator[str]:
        if item.kind != "function_call":
            yield f"{kind} of a {item.kind}"
        if not (item.in_conversation or response.out_of_band):
            yield f"{kind} before conversation.item.added({item.name})"
        if item.arguments_done:
            yield f"{kind} of {item.name} after its arguments were done"
        if kind.endswith("delta"):
            item.arguments += event["delta"]
            return
        item.arguments_done = True
        if item.arguments and item.arguments != event["arguments"]:
            yield f"arguments {event['arguments']!r} of {item.name} are not its deltas {item.arguments!r}"
        item.arguments = event["arguments"]

    def _item_done(self, told: Event, item: Item, response: Response) -> Iterator[str]:
        for index, part in enumerate(item.parts):
            if "part" not in part.ended:
                yield f"output_item.done of {item.name} before part {index} is done"
        if not item.in_conversation and not response.out_of_band:
            yield f"output_item.done of {item.name} before conversation.item.added"
        if told.get("status") not in ("completed", "incomplete"):
            yield f"output_item.done of {item.name} with status {told.get('status')}"
        if item.kind == "function_call" and told.get("status") == "completed":
            yield from self._called(told, item)
        item.final = told
        yield from self._agree(item, told, "response.output_item.done")

    def _called(self, told: Event, item: Item) -> Iterator[str]:
        if not item.arguments_done:
            yield f"output_item.done of {item.name} before function_call_arguments.done"
        try:
            if not isinstance(json.loads(told["arguments"]), dict):
                yield f"arguments of {item.name} are no object"
        except ValueError:
            yield f"arguments of {item.name} are no JSON"

    def _agree(self, item: Item, told: Event, kind: str) -> Iterator[str]:
        """What an event says at the end is what the deltas said."""
        kinds = {"audio": "output_audio", "text": "output_text"}
        streamed = [(kinds[part.kind], part.words) for part in item.parts]
        if item.kind == "function_call":
            streamed = [("function_call", item.arguments)]
        if written(told) != streamed:
            yield f"{kind} of {item.name} tells {written(told)}, its deltas {streamed}"

    def _closed(self, told: Event) -> Iterator[str]:
        response = self.open.pop(told["id"], None)
        if response is None:
            yield f"response.done of {told['id']}, which is not open"
            return
        self.closed.add(response.name)
        if (told["conversation_id"] is None) != response.out_of_band:
            yield f"response {response.name} changed its conversation"
        for item in response.items:
            if item.final is None:
                yield f"response.done before output_item.done of {item.name}"
            if not item.conversation_done and not response.out_of_band:
                yield f"response.done before conversation.item.done of {item.name}"
        yield from self._same_output(told, response)

    def _same_output(self, told: Event, response: Response) -> Iterator[str]:
        outputs: list[Told] = [(each["id"], each.get("status"), written(each)) for each in told["output"]]
        finals = [item.final for item in response.items if item.final is not None]
        items: list[Told] = [(each["id"], each.get("status"), written(each)) for each in finals]
        if len(outputs) != len(items) or not all(self._same(*pair) for pair in zip(outputs, items, strict=True)):
            yield f"response.done of {response.name} tells {outputs}, its items were {items}"
        if told["status"] == "completed" and any(status != "completed" for _, status, _ in items):
            yield f"response {response.name} is completed, an item of it is not"

    def _same(self, told: Told, was: Told) -> bool:
        """Equal, or of an item that was cut meanwhile, what was heard of it."""
        cut = self.facts.item(was[0]).cut_ms is not None
        heard = cut and all(
            new[0] == old[0] and old[1].startswith(new[1]) for new, old in zip(told[2], was[2], strict=True)
        )
        return told == was or (told[:2] == was[:2] and heard)

    def finish(self) -> Iterator[str]:
        for name in self.open:
            yield f"response {name} was created and never done"
