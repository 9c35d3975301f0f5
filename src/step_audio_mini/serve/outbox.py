"""What waits to leave one socket: bounded, in order, and able to forget the rest of a reply that was stopped."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delta:
    """What of a response a frame carries."""

    response: str
    audio: int = 0
    """Bytes of sound."""
    text: int = 0
    """Characters of transcript or text."""


class SlowReaderError(Exception):
    """The client does not read what is sent to it."""


class Outbox:
    """Frames in the order in which they leave. `put` never waits: whoever does not read loses the connection."""

    def __init__(self, limit: int) -> None:
        """`limit`: bytes that may wait."""
        self._frames: deque[tuple[str, Delta | None]] = deque()
        self._limit, self._size = limit, 0
        self._filled, self._emptied = asyncio.Event(), asyncio.Event()
        self._emptied.set()
        self._overflowing = False

    def put(self, frame: str, delta: Delta | None = None) -> None:
        """Add a frame; SlowReaderError meets whoever takes the next one when too much waits."""
        if self._overflowing:
            return
        self._frames.append((frame, delta))
        self._size += len(frame)
        self._overflowing = self._size > self._limit
        self._emptied.clear()
        self._filled.set()

    async def take(self) -> str:
        """The next frame, when there is one."""
        while not self._frames:
            self._emptied.set()
            self._filled.clear()
            await self._filled.wait()
        if self._overflowing:
            raise SlowReaderError
        frame, _ = self._frames.popleft()
        self._size -= len(frame)
        return frame

    def drop(self, response: str) -> Delta:
        """Forget the deltas of a response that have not left yet; what they held."""
        gone = [delta for _, delta in self._frames if delta and delta.response == response]
        if gone:
            self._frames = deque(entry for entry in self._frames if not (entry[1] and entry[1].response == response))
            self._size = sum(len(frame) for frame, _ in self._frames)
        return Delta(response, sum(delta.audio for delta in gone), sum(delta.text for delta in gone))

    @property
    def overflowing(self) -> bool:
        """Whether more waits than may."""
        return self._overflowing

    async def empty(self) -> None:
        """Wait until everything was taken."""
        await self._emptied.wait()
