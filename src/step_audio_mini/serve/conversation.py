"""The conversation as the protocol sees it: items in a chain, each with the sound it holds and what of it was heard."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from openai.types.realtime import (
    RealtimeConversationItemAssistantMessage,
    RealtimeConversationItemUserMessage,
)

from step_audio_mini.serve.codec import PCM, Format, text_of
from step_audio_mini.serve.protocol import ProtocolError
from step_audio_mini.types import Hearing

ROOT = "root"
MOST_ITEMS = 1000
"""Items that a conversation keeps; the oldest go first."""
MOST_TEXT = 4 * 2**20
"""Characters kept in all items together; the oldest items go first."""
MOST_AUDIO = 8 * 2**20
"""Bytes of sound kept in all items together, to be retrieved, some three minutes; the oldest goes first, its text
stays."""


@dataclass
class Entry:
    """An item and what belongs to it but is not sent with it."""

    item: Any
    """One of the item types of `openai.types.realtime`."""
    audio: bytes = b""
    wire: Format = PCM
    hearing: asyncio.Future[Hearing] | None = None
    """Of a user message: what was understood."""
    continues: Entry | None = None
    """Of a user message: the one that it goes on with; they are answered as one."""
    answered: bool = False
    """Of a user message: whether a response answered it."""
    generation: int | None = None
    """Of an assistant message: the reply whose sound it holds."""
    whole: bytes = b""
    """Its sound before it was cut: the client's word may give back what our estimate took."""
    kept: tuple[int, str] | None = None
    """Of an assistant message that was cut: milliseconds of its sound, and their words."""

    @property
    def id(self) -> str:
        """The item's id."""
        return str(self.item.id)

    @property
    def letters(self) -> int:
        """About how many characters it holds besides its sound."""
        parts = [
            part.text or getattr(part, "transcript", None) or "" for part in getattr(self.item, "content", None) or ()
        ]
        more = [getattr(self.item, name, None) or "" for name in ("arguments", "output")]
        return sum(map(len, [*parts, *more]))

    def plain(self) -> Any:
        """The item as conversation events show it: without sound."""
        return self.item

    def full(self) -> Any:
        """The item with its sound, as base64."""
        if not self.audio:
            return self.item
        content = [part.model_copy(update={"audio": text_of(self.audio)}) for part in self.item.content[:1]]
        return self.item.model_copy(update={"content": [*content, *self.item.content[1:]]})

    def cut_now(self) -> None:
        """Leave of the message what was heard; what runs still is cut when it ends."""
        if self.kept is None or self.item.status == "in_progress":
            return
        milliseconds, text = self.kept
        self.whole = self.whole or self.audio
        self.audio = self.whole[: self.wire.size(milliseconds) // self.wire.width * self.wire.width]
        content = [part.model_copy(update={"transcript": text}) for part in self.item.content[:1]]
        self.item = self.item.model_copy(update={"content": content})

    def text(self) -> str:
        """What the item says in words; only what was heard of an answer that was interrupted."""
        content = getattr(self.item, "content", None) or []
        return " ".join(part.transcript or part.text or "" if _spoken(part) else part.text or "" for part in content)


def _spoken(part: Any) -> bool:
    return part.type in ("input_audio", "output_audio")


class Conversation:
    """Items in order. `previous` in what it returns is the id before an item at that moment, None for the first."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}  # in the order of the conversation

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries.values()))

    def __reversed__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries.values())[::-1])

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, item_id: str) -> Entry | None:
        """The entry of an item, if it is there."""
        return self._entries.get(item_id)

    @property
    def tail(self) -> str | None:
        """Id of the last item."""
        return next(reversed(self._entries), None)

    def check(self, item_id: str | None, after: str | None) -> None:
        """ProtocolError where an item of this id cannot be added there."""
        if item_id is not None and item_id in self._entries:
            raise ProtocolError(
                f"an item {item_id!r} is there already; choose another id",
                "item_create_duplicate_item_id",
                param="item.id",
            )
        if after not in (None, ROOT) and after not in self._entries:
            raise ProtocolError(
                f"there is no item {after!r} to add after",
                "item_create_invalid_previous_item_id",
                param="previous_item_id",
            )

    def add(self, entry: Entry, after: str | None = None) -> str | None:
        """Add an item at the end, at the front (`root`) or after another; the id before it."""
        self.check(entry.id, after)
        if after is None or after == self.tail:
            previous = self.tail
            self._entries[entry.id] = entry
            return previous
        items = list(self._entries.values())
        place = 0 if after == ROOT else 1 + next(i for i, other in enumerate(items) if other.id == after)
        items.insert(place, entry)
        self._entries = {other.id: other for other in items}
        return items[place - 1].id if place else None

    def before(self, item_id: str) -> str | None:
        """The id before an item; None for the first, and for one that is gone."""
        previous = None
        for other in self._entries:
            if other == item_id:
                return previous
            previous = other
        return None

    def remove(self, item_id: str) -> Entry | None:
        """Take an item out; None where it is not there."""
        return self._entries.pop(item_id, None)

    def overflow(self) -> list[str]:
        """Ids of the oldest items that are too many; forgets old sound on the way."""
        held = sum(len(entry.whole or entry.audio) for entry in self._entries.values())
        for entry in self._entries.values():
            if held <= MOST_AUDIO:
                break
            held -= len(entry.whole or entry.audio)
            entry.audio = entry.whole = b""
        items = list(self._entries.values())
        many, letters = max(0, len(items) - MOST_ITEMS), sum(entry.letters for entry in items)
        while letters > MOST_TEXT and many < len(items) - 1:
            letters -= items[many].letters
            many += 1
        return [entry.id for entry in items[:many]]

    @property
    def waits(self) -> bool:
        """Whether a user message was not answered yet."""
        return any(isinstance(e.item, RealtimeConversationItemUserMessage) and not e.answered for e in self)

    def unanswered(self) -> Entry | None:
        """The last user message that no response answered yet; those before it are repaired by it."""
        users = [entry for entry in self if isinstance(entry.item, RealtimeConversationItemUserMessage)]
        waiting = [entry for entry in users if not entry.answered]
        for entry in waiting:
            entry.answered = True
        return waiting[-1] if waiting else None

    def said(self) -> list[tuple[Literal["user", "assistant"], str]]:
        """Who said what, oldest first; of answers what was heard."""
        kinds = (RealtimeConversationItemUserMessage, RealtimeConversationItemAssistantMessage)
        messages = [(entry.item.role, entry.text()) for entry in self if isinstance(entry.item, kinds)]
        return [(role, text) for role, text in messages if text]
