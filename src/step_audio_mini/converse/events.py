"""All that can happen to a call, as the engine is told of it.

Sound is cut into pieces of `frames.FRAME_MS` before the ears, whatever pieces the client sent, and each gives one
`Heard`: that is why decisions do not depend on the client's cut. All times of sound are whole milliseconds on the
input-sample clock: samples appended since the call began, divided by their rate; it never goes back, neither at a new
turn nor when the buffer is cleared.

`generation` names a reply; the engine gives the numbers out (`Speculate`, `Respond`). Events of a reply that was
stopped or discarded may arrive late: they are dropped. No order of events is an error.
`request` is the client's event id, echoed by the action `Refused`.
"""

from __future__ import annotations

from dataclasses import dataclass

from step_audio_mini.converse.settings import Settings


@dataclass(frozen=True, slots=True)
class Heard:
    """The ears have taken another piece of sound."""

    audio_ms: int
    """Where the piece ends, on the input-sample clock of the call."""
    speech: float
    """Probability that the person is speaking at its end."""
    end: float
    """Probability that the person has finished what he said; 0 before any speech."""
    silence_ms: int
    """Since the last unit of speech that the ears know of."""
    text: str
    """What is understood of the present turn so far; empty again after the ears were reset."""
    loud: float | None = None
    """Probability that the piece itself is louder than the room (`loudness.Loudness`); None: not measured.

    Known at once, where the ears answer a chunk of theirs later: it makes the assistant fall silent in time.
    """
    confidence: float | None = None
    """How surely `text` was said, 0...1: the mean posterior of its units. None: not measured, and it is believed."""


@dataclass(frozen=True, slots=True)
class SpeechCommittedByClient:
    """`input_audio_buffer.commit`: the sound so far is a turn. It never makes a reply by itself."""

    request: str | None = None


@dataclass(frozen=True, slots=True)
class BufferCleared:
    """`input_audio_buffer.clear`: the sound so far is no turn."""

    request: str | None = None


@dataclass(frozen=True, slots=True)
class CreateResponse:
    """`response.create` into the conversation. Responses out of band are none of the engine's business."""

    request: str | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """`response.cancel`; of the reply that runs, or of one by its generation."""

    request: str | None = None
    generation: int | None = None


@dataclass(frozen=True, slots=True)
class Truncate:
    """`conversation.item.truncate`: the client played this much of a reply, by its own clock."""

    generation: int
    audio_end_ms: int
    request: str | None = None


@dataclass(frozen=True, slots=True)
class SettingsChanged:
    """`session.update`, merged; in force at once."""

    settings: Settings


@dataclass(frozen=True, slots=True)
class Speculated:
    """What a speculative reply answers: the transcript that its snapshot of the ears gave. May be left out."""

    generation: int
    text: str


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """The mind has decided what to say."""

    generation: int
    expects_answer: bool = False
    """It asks something: a short "yes" or "mhm" is then an answer, not a backchannel."""


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word of a reply as written, with the spaces and signs around it, and when its sound ends."""

    text: str
    end_ms: int
    """From the start of the reply's sound."""


@dataclass(frozen=True, slots=True)
class ReplySound:
    """Sound of a reply was sent to the client."""

    generation: int
    ms: int
    """All of this reply's sound sent so far, not only the last piece."""
    words: tuple[TimedWord, ...] = ()
    """Words not told before. Telling them ahead of their sound is fine; the text of all is the reply's text."""


@dataclass(frozen=True, slots=True)
class ReplyEnded:
    """The visible reply is complete and all of its sound sent; the client may still be playing it."""

    generation: int


@dataclass(frozen=True, slots=True)
class ReplyFailed:
    """The reply cannot go on: an error of ours. The call does."""

    generation: int


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """A tool of ours runs on behalf of a reply. Functions that the client runs are not told: it asks for the reply."""

    generation: int
    call_id: str
    cancellable: bool = False
    """Declared so by its author: stopping the reply then cancels it. All others run to their end."""


@dataclass(frozen=True, slots=True)
class ToolEnded:
    """A tool gave its result, or failed, or ran out of time: there is something to say."""

    call_id: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; wanted at `Engine.next_deadline_ms`."""


Event = (
    Heard
    | SpeechCommittedByClient
    | BufferCleared
    | CreateResponse
    | Cancel
    | Truncate
    | SettingsChanged
    | Speculated
    | ReplyStarted
    | ReplySound
    | ReplyEnded
    | ReplyFailed
    | ToolStarted
    | ToolEnded
    | Tick
)
