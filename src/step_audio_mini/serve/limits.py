"""How much one client may take of the server, and who is let in."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What the server, a key and a session may use."""

    sessions: int = 500
    """Calls at a time."""
    sessions_a_key: int = 500
    """Calls of one key at a time."""
    responses_a_minute: int = 120
    """Of one key; told in `rate_limits.updated`."""
    session_seconds: float = 3600.0
    """Longest call; the protocol's own limit."""
    unread_bytes: int = 8 * 2**20
    """Frames that wait for a client that does not read; a minute of speech is about 4 MiB."""
    unheard_bytes: int = 8 * 2**20
    """Frames that wait for the ears, two minutes of sound; then no more is read until they are heard."""
    lag_ms: float = 300.0
    """With the models later than this, nobody else is let in."""
    drain_seconds: float = 30.0
    """How long a call may go on when the server stops."""


class RefusedError(Exception):
    """Nobody is let in now, or not this key: an HTTP status and why."""

    def __init__(self, status: int, why: str, retry_after: int | None = None) -> None:
        super().__init__(why)
        self.status, self.retry_after = status, retry_after


class Quota:
    """Responses of one key within the last minute."""

    WINDOW = 60.0

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit, self._clock = limit, clock
        self._times: deque[float] = deque()

    def take(self) -> bool:
        """Count a response, if there is room for one."""
        if not self.remaining:
            return False
        self._times.append(self._clock())
        return True

    @property
    def remaining(self) -> int:
        """Responses that are left."""
        now = self._clock()
        while self._times and now - self._times[0] >= self.WINDOW:
            self._times.popleft()
        return self.limit - len(self._times)

    @property
    def reset_seconds(self) -> float:
        """Until the oldest is forgotten; 0 where there is none."""
        return max(0.0, self.WINDOW - (self._clock() - self._times[0])) if self.remaining < self.limit else 0.0


class Admission:
    """Counts calls, and says whether one more is let in."""

    def __init__(self, limits: Limits, lag_ms: Callable[[], float], alive: Callable[[], bool]) -> None:
        self._limits, self._lag_ms, self._alive = limits, lag_ms, alive
        self._by_key: dict[str, int] = {}
        self._quotas: dict[str, Quota] = {}
        self.draining = False

    @property
    def sessions(self) -> int:
        """Calls that run."""
        return sum(self._by_key.values())

    def check(self) -> None:
        """RefusedError where nobody is let in: what readiness tells."""
        if self.draining:
            raise RefusedError(503, "the server is going away; connect again", 1)
        if not self._alive():
            raise RefusedError(503, "the models do not run", 30)
        if self.sessions >= self._limits.sessions:
            raise RefusedError(503, "the server is full; try again later", 5)
        if self._lag_ms() > self._limits.lag_ms:
            raise RefusedError(503, "the server is busy; try again later", 5)

    def check_key(self, key: str, most: int | None = None) -> None:
        """RefusedError where a key, that may have so many calls (None: as many as any), has them."""
        most = self._limits.sessions_a_key if most is None else most
        if self._by_key.get(key, 0) >= most:
            raise RefusedError(429, f"this key has {most} calls already", 5)

    def enter(self, key: str, most: int | None = None) -> None:
        """A call of a key begins."""
        self.check()
        self.check_key(key, most)
        self._by_key[key] = self._by_key.get(key, 0) + 1

    def leave(self, key: str) -> None:
        """A call of a key is over."""
        self._by_key[key] -= 1
        if not self._by_key[key]:
            del self._by_key[key]

    def quota(self, key: str, most: int | None = None) -> Quota:
        """The responses of a key, that may have so many a minute; None: as many as any."""
        most = self._limits.responses_a_minute if most is None else most
        return self._quotas.setdefault(key, Quota(most))
