"""What a client does with the items of the conversation: create, delete, retrieve, truncate."""

from __future__ import annotations

from typing import Any

from openai.types import realtime as rt

from step_audio_mini.converse import events
from step_audio_mini.serve.codec import sound_of
from step_audio_mini.serve.conversation import Conversation, Entry
from step_audio_mini.serve.protocol import LONGEST_ID, ProtocolError
from step_audio_mini.serve.stage import Stage
from step_audio_mini.serve.turns import Turns

LONGEST_TEXT = 100_000
"""Characters of text in one item."""
MOST_RECORDINGS = 8
"""Items with sound that may wait to be heard."""
_ITEMS = (
    rt.RealtimeConversationItemUserMessage,
    rt.RealtimeConversationItemSystemMessage,
    rt.RealtimeConversationItemAssistantMessage,
    rt.RealtimeConversationItemFunctionCall,
    rt.RealtimeConversationItemFunctionCallOutput,
)
_PARTS = {"user": ("input_text", "input_audio"), "system": ("input_text",), "assistant": ("output_text",)}


class Items:
    """The client's item events, each answered by its own server event or a ProtocolError."""

    def __init__(self, stage: Stage, turns: Turns) -> None:
        self._stage, self._turns = stage, turns

    @property
    def _conversation(self) -> Conversation:
        return self._stage.conversation

    def create(self, event: rt.ConversationItemCreateEvent) -> None:
        """Add an item; the result of a function call goes to where it is waited for."""
        wire, item = self._stage.wire, event.item
        self._conversation.check(item.id, event.previous_item_id)
        entry = self.entry(item)
        previous = self._conversation.add(entry, event.previous_item_id)
        wire.send(rt.ConversationItemAdded, item=entry.item, previous_item_id=previous)
        wire.send(rt.ConversationItemDone, item=entry.item, previous_item_id=previous)
        if isinstance(item, rt.RealtimeConversationItemFunctionCallOutput):
            self._turns.maker.output(item.call_id, item.output)
        if entry.audio:
            self._turns.hearing_of(entry)
        self._stage.trim()

    def entry(self, item: Any) -> Entry:
        """An item of a client's as an entry, checked and completed."""
        if not isinstance(item, _ITEMS):
            raise ProtocolError(f"items of type {item.type} are not supported", "invalid_value", param="item.type")
        if item.id is not None and not 0 < len(item.id) <= LONGEST_ID:
            raise ProtocolError(f"an id has 1 to {LONGEST_ID} characters", "invalid_value", param="item.id")
        filled: dict[str, Any] = {"object": "realtime.item", "status": "completed"}
        filled["id"] = item.id or self._stage.wire.ids.new("item")
        audio = b""
        if item.type == "message":
            _check_content(item)
            audio = b"".join(self._sound(part) for part in item.content)
            if audio and self._stage.recordings >= MOST_RECORDINGS:
                raise ProtocolError(
                    f"{MOST_RECORDINGS} recordings wait to be heard; send more when they were", "rate_limit_exceeded"
                )
            if audio:
                filled["content"] = [_silent(part) for part in item.content]
        return Entry(item.model_copy(update=filled), audio, self._stage.session.input_format)

    def _sound(self, part: Any) -> bytes:
        sound = part.audio if part.type == "input_audio" else None
        return sound_of(sound, self._stage.session.input_format.width) if sound else b""

    def referenced(self, item_id: str) -> dict[str, Any]:
        """An item that a response is to be made for, in words."""
        entry = self._conversation.get(item_id)
        if entry is None:
            raise ProtocolError(f"there is no item {item_id!r}", "item_reference_invalid_id", param="response.input")
        told: dict[str, Any] = entry.item.model_dump(mode="json", exclude_unset=True)
        if isinstance(entry.item, rt.RealtimeConversationItemUserMessage):
            told["content"] = [{"type": "input_text", "text": entry.text()}]
        return told

    def delete(self, event: rt.ConversationItemDeleteEvent) -> None:
        """Take an item out of the conversation."""
        if self._conversation.remove(event.item_id) is None:
            raise ProtocolError(f"there is no item {event.item_id!r}", "item_delete_invalid_item_id", param="item_id")
        self._stage.wire.send(rt.ConversationItemDeletedEvent, item_id=event.item_id)

    def retrieve(self, event: rt.ConversationItemRetrieveEvent) -> None:
        """Show an item with its sound."""
        entry = self._conversation.get(event.item_id)
        if entry is None:
            raise ProtocolError(f"there is no item {event.item_id!r}", "item_retrieve_invalid_item_id", param="item_id")
        self._stage.wire.send(rt.realtime_server_event.ConversationItemRetrieved, item=entry.full())

    def truncate(self, event: rt.ConversationItemTruncateEvent) -> None:
        """Leave of a spoken answer what the client played."""
        entry = self._conversation.get(event.item_id)
        if entry is None:
            raise ProtocolError(f"there is no item {event.item_id!r}", "item_truncate_invalid_item_id", param="item_id")
        if entry.generation is None:
            raise ProtocolError(
                "Only model output audio messages can be truncated", "unsupported_content_type", param="item_id"
            )
        if event.content_index != 0:
            raise ProtocolError(
                "the item has one content part, 0", "item_truncate_invalid_content_index", param="content_index"
            )
        request = self._turns.request(event.event_id)
        self._turns.tell(events.Truncate(entry.generation, event.audio_end_ms, request))


def _check_content(item: Any) -> None:
    for place, part in enumerate(item.content):
        if part.type not in _PARTS[item.role]:
            kinds = " or ".join(_PARTS[item.role])
            raise ProtocolError(
                f"content of a {item.role} message is {kinds}", "invalid_value", param=f"item.content.{place}.type"
            )
        if len(part.text or "") > LONGEST_TEXT:
            raise ProtocolError(
                f"a text has at most {LONGEST_TEXT} characters", "invalid_value", param=f"item.content.{place}.text"
            )


def _silent(part: Any) -> Any:
    """A content part without its sound, as events show it."""
    return part.model_copy(update={"audio": None}) if part.type == "input_audio" else part
