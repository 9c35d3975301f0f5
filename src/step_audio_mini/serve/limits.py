"""How much one client may take of the server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What a session and a key may use."""

    session_seconds: float = 3600.0
    """Longest call; the protocol's own limit."""
    unread_bytes: int = 8 * 2**20
    """Frames that wait for a client that does not read; a minute of speech is about 4 MiB."""
