"""All that the engine may order. Whoever drives it carries the actions out in the order given, before the next event.

A reply is visible to the client from `Respond` or `Release` on, and over with exactly one of `StopReply` (an action),
`ReplyEnded` or `ReplyFailed` (events). There is never more than one visible reply that is not over. After `Discard` or
`StopReply` no sound of that generation may leave, whatever is still being made.

Idle prompts are `TimeoutTriggered`, `CommitTurn`, `Respond(reason="idle")`; there is no action of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

StopReason = Literal["turn_detected", "client_cancelled", "failed"]
RespondReason = Literal["turn", "client", "tool", "idle"]
DropReason = Literal["noise", "backchannel", "silence", "cleared"]
RefusalCode = Literal[
    "conversation_already_has_active_response",
    "response_cancel_not_active",
    "input_audio_buffer_commit_empty",
    "item_truncate_invalid_item_id",
    "item_truncate_invalid_audio_end_ms",
]


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Somebody speaks, and means it: speech over the assistant is told only once it is more than a backchannel."""

    audio_start_ms: int
    """Onset less prefix padding, but not before the end of the turn before."""


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The turn is over; comes once after each `SpeechStarted`."""

    audio_end_ms: int
    dropped: bool = False
    """Nothing was said after all: no item comes of it."""


@dataclass(frozen=True, slots=True)
class CommitTurn:
    """The sound of this span is a turn of the user. The ears begin afresh after it, keeping none of it."""

    start_ms: int
    end_ms: int
    continues: bool = False
    """The turn before was taken for finished too early, and its reply was not heard: the two belong together."""


@dataclass(frozen=True, slots=True)
class DropSound:
    """The sound up to here is no turn. The ears begin afresh, fed with the last `keep_ms` of it."""

    end_ms: int
    keep_ms: int
    reason: DropReason


@dataclass(frozen=True, slots=True)
class Speculate:
    """Make a reply to what was understood so far, from a snapshot of the ears, and hold it.

    Nothing of it is visible, the dialogue does not move on, no tool runs that changes anything.
    """

    generation: int
    continues: bool = False
    """As `CommitTurn.continues` will be."""


@dataclass(frozen=True, slots=True)
class Release:
    """The held reply is the answer to the turn just committed: let it out."""

    generation: int


@dataclass(frozen=True, slots=True)
class Discard:
    """Forget a held reply; nobody ever sees it."""

    generation: int


@dataclass(frozen=True, slots=True)
class Respond:
    """Begin a reply, visible at once."""

    generation: int
    reason: RespondReason
    request: str | None = None
    """The client's event id where it asked for it."""
    calls: tuple[str, ...] = ()
    """With reason "tool": the calls whose results came after their own reply was stopped, and are to be told now."""


@dataclass(frozen=True, slots=True)
class Duck:
    """Send no sound of this reply for now; keep what is made.

    Silence costs a short gap where it was but noise; sound that is only quieter would lose words to it.
    """

    generation: int


@dataclass(frozen=True, slots=True)
class ResumeReply:
    """Send on after a `Duck`, with the first sample not sent."""

    generation: int
    at_ms: int
    """How much of it was sent, so far as was told."""


@dataclass(frozen=True, slots=True)
class StopReply:
    """End the reply now, and cut its text to what was heard. Tools go on unless `CancelTool` says otherwise."""

    generation: int
    heard_ms: int
    """By the estimate of playback."""
    heard: str
    """The text whose sound had ended by then: what stays in the conversation."""
    reason: StopReason


@dataclass(frozen=True, slots=True)
class TruncateReply:
    """Cut a reply in the conversation to what was played.

    On the client's word (then `client`), or by our estimate where somebody spoke over the end of a reply already sent.
    """

    generation: int
    audio_end_ms: int
    heard: str
    client: bool


@dataclass(frozen=True, slots=True)
class Filler:
    """Say that it takes a moment, within this reply: its tool runs and nothing was said yet."""

    generation: int


@dataclass(frozen=True, slots=True)
class CancelTool:
    """The reply of a cancellable tool was stopped. Its `ToolEnded` is awaited all the same."""

    call_id: str


@dataclass(frozen=True, slots=True)
class TimeoutTriggered:
    """Nobody spoke for the idle timeout; the empty span follows as a turn."""

    audio_start_ms: int
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class Refused:
    """What the client asked for cannot be done; nothing changed."""

    code: RefusalCode
    request: str | None = None


Action = (
    SpeechStarted
    | SpeechStopped
    | CommitTurn
    | DropSound
    | Speculate
    | Release
    | Discard
    | Respond
    | Duck
    | ResumeReply
    | StopReply
    | TruncateReply
    | Filler
    | CancelTool
    | TimeoutTriggered
    | Refused
)
