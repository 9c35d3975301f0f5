"""Sends sound little faster than it is played, to a client that can hold still: what was sent cannot be held back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from step_audio_mini.types import SAMPLE_RATE, AudioChunk, SpokenWord

LEAD_S = 1.0
"""Sound that such a client has in advance; more than a network hiccups, less than a person waits."""
PIECE = SAMPLE_RATE // 5
"""Samples of a paced piece, 200 ms."""


class Pace:
    """The client's loudspeaker, as far as sending goes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: float | None = None
        self._held_at: float | None = None

    def wait_s(self, sent_ms: int) -> float:
        """Seconds until the next piece may leave, with so much sent."""
        now = self._clock()
        if self._began is None:
            self._began = now
        return max(0.0, self._began + sent_ms / 1000 - LEAD_S - now)

    def hold(self, silent: bool) -> None:
        """The client holds still, or goes on."""
        now = self._clock()
        if silent:
            self._held_at = now if self._held_at is None else self._held_at
        elif self._held_at is not None:
            if self._began is not None:
                self._began += now - self._held_at
            self._held_at = None


def cut(chunk: AudioChunk) -> Iterator[AudioChunk]:
    """The chunk in pieces, each with the words that end in it."""
    words = list(chunk.words)
    for start in range(0, max(len(chunk.samples), 1), PIECE):
        end, last = start + PIECE, start + PIECE >= len(chunk.samples)
        here = [word for word in words if last or word.end <= end]
        words = words[len(here) :]
        told = tuple(SpokenWord(word.text, max(0, word.end - start)) for word in here)
        yield AudioChunk(chunk.samples[start:end], words=told)
