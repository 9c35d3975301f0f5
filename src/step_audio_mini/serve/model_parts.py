"""What the worker needs of the rooms: ears that are stepped from outside, a mind that plans, a voice in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from step_audio_mini.rooms import EarStream, LanguageChoice, Mind, Packs
from step_audio_mini.types import AudioChunk, Decision, Hearing, Language, Samples, Style

__all__ = ["CallMind", "CallRooms", "CallVoice"]


class Ears(EarStream, Protocol):
    """`listen.stream.Stream`, or a fake of it."""

    @property
    def network(self) -> Any: ...
    @property
    def shares(self) -> bool: ...
    @property
    def ready(self) -> bool: ...
    @property
    def speech(self) -> float: ...
    @property
    def sureness(self) -> float: ...
    @property
    def end_probability(self) -> float: ...
    @property
    def silence(self) -> float: ...
    @property
    def spoken(self) -> bool: ...
    @property
    def seconds(self) -> float: ...
    def take(self, samples: Samples) -> None: ...
    def close(self) -> None: ...
    @property
    def said(self) -> Any: ...
    def hearing(self, speaker: bool) -> Hearing: ...
    def snapshot(self) -> Ears: ...
    def fresh(self) -> Ears: ...


class CallMind(Mind, Protocol):
    """`think.mind.Mind`, or a fake of it."""

    def plan(self, hearing: Hearing, dialogue: Any) -> Any:
        """What to do about a turn; changes nothing."""

    def prompt(self, dialogue: Any) -> tuple[str, Language]:
        """What to ask somebody who says nothing, and its language."""

    def run(self, plan: Any) -> Sequence[Any]:
        """What the tools of the plan came to."""

    def accept(self, plan: Any, dialogue: Any) -> None:
        """The turn counts, though its tools still run."""

    def complete(self, plan: Any, outcomes: Sequence[Any], dialogue: Any) -> Decision:
        """The reply; the dialogue moves on."""


class NamedVoice(Protocol):
    """`speak.voices.Voice`, or a fake of it."""

    @property
    def name(self) -> str:
        """What to ask for it by."""


class CallVoice(Protocol):
    """`speak.speaker.Speaker`, or a fake of it."""

    @property
    def voices(self) -> Sequence[NamedVoice]:
        """All there are, the usual ones first."""

    def stream(self, text: str, language: Language, style: Style, voice: str | None) -> Iterator[AudioChunk]:
        """Speak, piece by piece."""


class CallRooms(Protocol):
    """`rooms.TrainedRooms`, or fakes of them."""

    def ears(self, pack: Packs, language: LanguageChoice) -> Ears:
        """Ears for one turn."""

    def mind(self, pack: Packs) -> CallMind:
        """The mind with a pack."""

    def voice(self) -> CallVoice:
        """The mouth."""
