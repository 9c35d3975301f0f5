"""A client's events on their way in, in order; but what does not hang on sound need not wait until sound was heard."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

SOUND = "input_audio_buffer.append"
AHEAD = frozenset(
    {"response.cancel", "conversation.item.truncate", "conversation.item.retrieve", "conversation.item.delete"}
)
"""Events that go before sound that was not heard yet: they speak of what the client already knows."""


class Intake:
    """A queue between who reads the socket and who does what is asked; bounded: who sends more has to wait."""

    def __init__(self, limit: int) -> None:
        """`limit`: bytes of frames that may wait, less the last of them."""
        self._limit, self._size = limit, 0
        self._waiting: deque[tuple[Any, int]] = deque()
        self.orders = 0
        """Events that wait and are no sound."""
        self._filled, self._room = asyncio.Event(), asyncio.Event()

    async def put(self, event: Any, size: int) -> None:
        """Add an event, or a frame with one; waits while too much waits."""
        self._waiting.append((event, size))
        self._size += size
        self.orders += not _is_sound(event)
        self._filled.set()
        while self._size > self._limit:
            self._room.clear()
            await self._room.wait()

    async def take(self) -> Any:
        """The next one, when there is one."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        event, size = self._waiting.popleft()
        self._size -= size
        self.orders -= not _is_sound(event)
        self._room.set()
        return event


def _is_sound(event: Any) -> bool:
    return getattr(event, "type", None) == SOUND
