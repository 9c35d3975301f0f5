"""How often each decision was taken: what a server counts and an evaluation prints."""

from __future__ import annotations

from dataclasses import dataclass, field

from step_audio_mini.converse.speculation import Counts


@dataclass(slots=True)
class Decisions:
    """Counts since the call began."""

    turns: int = 0
    """Committed, by the engine or the client."""
    wordless: int = 0
    """Begun, but without a word that was surely said: no item, no reply."""
    ducks: int = 0
    """Of these: stops, backchannels, noises, and doubts given up."""
    stops: int = 0
    backchannels: int = 0
    noises: int = 0
    fillers: int = 0
    timeouts: int = 0
    speculation: Counts = field(default_factory=Counts)
