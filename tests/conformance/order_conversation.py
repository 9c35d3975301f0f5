"""The conversation is one list and tells the truth: invariants 5 and 11, and what a retrieved item must hold."""

from __future__ import annotations

from collections.abc import Iterator

from tests.conformance.facts import BYTES_A_MS, Event, Facts, decoded, written

ANONYMOUS = ""  # key of an item that its client gave no id
ROUNDING_MS = 1.0  # lengths are told in whole milliseconds


class Conversation:
    """Follows the list of items by what the server says of it."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.order: list[str] = []
        self.ever: set[str] = set()
        self.theirs: set[str] = set()  # ids that the client chose; it may use one again after a deletion
        self.undone: dict[str, Event] = {}  # items added and not done yet
        self.items: dict[str, Event] = {}
        self.committed: list[tuple[str, str | None]] = []
        self.asked: list[tuple[str, str | None, object]] = []  # (id or call id, place, event_id) that the client gave
        self.wanted_cuts: list[tuple[str, int]] = []
        self.spans: dict[str, tuple[int, int]] = {}  # heard item -> (audio_start_ms, audio_end_ms)

    def client(self, event: Event) -> Iterator[str]:
        if event["type"] == "conversation.item.truncate":
            self.wanted_cuts.append((event["item_id"], event["audio_end_ms"]))
        if event["type"] != "conversation.item.create":
            return iter(())
        item = event["item"]
        if item.get("id"):
            self.theirs.add(item["id"])
        key = str(item.get("id") or item.get("call_id") or ANONYMOUS)
        self.asked.append((key, event.get("previous_item_id"), event.get("event_id")))
        return iter(())

    def server(self, event: Event) -> Iterator[str]:
        handler = {
            "input_audio_buffer.committed": self._committed,
            "conversation.item.added": self._added,
            "conversation.item.done": self._done,
            "conversation.item.deleted": self._deleted,
            "conversation.item.truncated": self._truncated,
            "conversation.item.retrieved": self._retrieved,
            "response.created": self._responding,
            "error": self._refused,
        }.get(event["type"])
        if handler:
            yield from handler(event)

    def _tail(self) -> str | None:
        return self.order[-1] if self.order else None

    def _committed(self, event: Event) -> Iterator[str]:
        item, previous = event["item_id"], event.get("previous_item_id")
        if previous != self._tail():
            yield f"committed {item} after {previous}, but the last item is {self._tail()}"
        if item in self.ever or item in [waiting for waiting, _ in self.committed]:
            yield f"{item} committed a second time"
        self.committed.append((item, previous))

    def _added(self, event: Event) -> Iterator[str]:
        item, previous = event["item"], event.get("previous_item_id")
        name = item["id"]
        if name in self.order or (name in self.ever and name not in self.theirs):
            yield f"item {name} added a second time"
        if name in self.facts.out_of_band:
            yield f"item {name} of an out-of-band response added to the conversation"
        wanted = self._place(item)
        anchor = self._tail() if wanted is None else None if wanted == "root" else wanted
        if previous != anchor:
            yield f"item {name} added after {previous}, must come after {anchor}"
        if previous is not None and previous not in self.order:
            yield f"item {name} added after {previous}, which is not in the conversation"
        yield from self._heard_first(item, previous)
        self.ever.add(name)
        self.order.insert(self.order.index(previous) + 1 if previous in self.order else 0, name)
        self.undone[name] = item
        self.items[name] = item

    def _place(self, item: Event) -> str | None:
        """Where the client wanted an item that it made; None for the end, and for what the server made."""
        keys = [item["id"], item.get("call_id") if item["type"] == "function_call_output" else None]
        if item["type"] == "message" and item["id"] not in [name for name, _ in self.committed]:
            keys += [ANONYMOUS] if item.get("status") != "in_progress" else []
        for asked in self.asked:
            if asked[0] in keys:
                self.asked.remove(asked)
                return asked[1]
        return None

    def _refused(self, event: Event) -> Iterator[str]:
        named = event["error"].get("event_id")
        self.asked = [asked for asked in self.asked if named is None or asked[2] != named]
        return iter(())

    def _heard_first(self, item: Event, previous: str | None) -> Iterator[str]:
        waiting = [name for name, _ in self.committed]
        spoken = any(part.get("type") == "input_audio" for part in item.get("content") or ())
        if item["id"] in waiting:
            self.committed = [(name, place) for name, place in self.committed if name != item["id"]]
            if item.get("role") != "user" or not spoken:
                yield f"committed item {item['id']} is no user message with input_audio"

    def _done(self, event: Event) -> Iterator[str]:
        item = event["item"]
        added = self.undone.pop(item["id"], None)
        if added is None:
            yield f"item {item['id']} done without being added, or twice"
            return
        if item.get("status") == "in_progress":
            yield f"item {item['id']} done and in progress"
        if item["id"] not in self.facts.in_response and written(added) != written(item):
            yield f"item {item['id']} changed between added and done"
        self.items[item["id"]] = item

    def _deleted(self, event: Event) -> Iterator[str]:
        if event["item_id"] not in self.order:
            yield f"deleted {event['item_id']}, which is not in the conversation"
            return
        self.order.remove(event["item_id"])

    def _responding(self, event: Event) -> Iterator[str]:
        if event["response"]["conversation_id"] is None:
            return
        open_items = [name for name in self.undone if name not in self.facts.in_response]
        if late := [name for name, _ in self.committed] + open_items:
            yield f"response.created before {late} came into the conversation"

    def _truncated(self, event: Event) -> Iterator[str]:
        name, end = event["item_id"], event["audio_end_ms"]
        if name not in self.order:
            yield f"truncated {name}, which is not in the conversation"
            return
        if self.items[name].get("role") != "assistant":
            yield f"truncated {name}, which is not the assistant's"
        if end > self.facts.sound_ms(name) + ROUNDING_MS:
            yield f"truncated {name} at {end} ms, but only {self.facts.sound_ms(name):.0f} ms were sent"
        said = self.facts.item(name)
        wanted = [cut for cut in self.wanted_cuts if cut[0] == name and 0 <= cut[1] - end <= ROUNDING_MS]
        asked = bool(wanted)
        if wanted:
            self.wanted_cuts.remove(wanted[0])
        estimate = asked and not said.cut_by_client  # the client knows better what was played than the server guessed
        said.cut_ms = end if said.cut_ms is None or estimate else min(said.cut_ms, end)
        said.cut_by_client = said.cut_by_client or asked

    def _retrieved(self, event: Event) -> Iterator[str]:
        item = event["item"]
        if item["id"] not in self.order:
            yield f"retrieved {item['id']}, which is not in the conversation"
            return
        for part in item.get("content") or ():
            if part["type"] == "output_audio" and item["id"] in self.facts.said:
                yield from self._told(item["id"], part, item.get("status") == "incomplete")
            if part["type"] == "input_audio" and item["id"] in self.spans and part.get("audio") is not None:
                start, end = self.spans[item["id"]]
                length = len(decoded(part["audio"]) or b"") / BYTES_A_MS[self.facts.input_format]
                if abs(length - (end - start)) > ROUNDING_MS:
                    yield f"{item['id']} holds {length:.0f} ms of sound, its span is {end - start} ms"

    def _told(self, name: str, part: Event, incomplete: bool) -> Iterator[str]:
        """Sound and words as far as they were heard; a server may cut what was broken off by its own estimate."""
        said = self.facts.item(name)
        whole = self.facts.sound_ms(name)
        text = part["transcript"]
        kept = None
        if part.get("audio") is not None:
            kept = len(decoded(part["audio"]) or b"") / BYTES_A_MS[self.facts.output_format]
        length = whole if said.cut_ms is None else min(float(said.cut_ms), whole)
        if incomplete and said.cut_ms is None:
            length = min(kept, whole) if kept is not None else length
        if not said.transcript.startswith(text):
            yield f"{name} tells {text!r}, which was never said"
        if length >= whole and text != said.transcript and not (incomplete and kept is None):
            yield f"{name} tells {text!r} though all of {said.transcript!r} was heard"
        if length == 0 < whole and text:
            yield f"{name} tells {text!r} though nothing of it was heard"
        if length < whole / 2 and len(text) == len(said.transcript) > 0:
            yield f"{name} cut at {length:.0f} of {whole:.0f} ms still tells all its text"
        if kept is not None and abs(kept - length) > (ROUNDING_MS if said.cut_ms is not None else 0.0):
            yield f"{name} holds {kept:.1f} ms of sound, {length:.1f} ms were heard"

    def heard(self, item: str, start: int, end: int) -> None:
        """The span of a turn that voice activity found."""
        self.spans[item] = (start, end)

    def finish(self) -> Iterator[str]:
        for name in self.undone:
            yield f"item {name} was added and never done"
        for name, _ in self.committed:
            yield f"item {name} was committed and never added"
