"""What the parts of one call share: the wire, session, conversation and model, and the tasks that they start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from openai.types.realtime import ConversationItemDeletedEvent

from step_audio_mini.rooms import LanguageChoice
from step_audio_mini.serve.codec import Decoder, Format, seconds_of
from step_audio_mini.serve.conversation import Conversation
from step_audio_mini.serve.inbox import SoundIn
from step_audio_mini.serve.limits import Quota
from step_audio_mini.serve.metrics import Metrics
from step_audio_mini.serve.outbox import Outbox
from step_audio_mini.serve.protocol import Wire
from step_audio_mini.serve.responses import Response
from step_audio_mini.serve.settings import Session
from step_audio_mini.think.tools import Outcome
from step_audio_mini.types import AudioChunk, Decision, Hearing, Language, Samples, SlotValue, Style

T = TypeVar("T")


class Model(Protocol):
    """What a call needs of the worker's call (`serve.worker.Call`)."""

    async def hear(self, samples: Samples) -> Any:
        """Take sound; a `Heard`."""

    async def reset(self, keep_ms: int = 0) -> None:
        """Fresh ears."""

    async def hearing(self) -> Hearing:
        """What was understood so far."""

    async def plan(self, hearing: Hearing) -> Any:
        """A `think.plan.Plan`."""

    async def accept(self, plan: Any) -> None:
        """The turn counts, though its tools still run."""

    async def take_back(self) -> None:
        """The last turn was but the beginning of one."""

    async def complete(self, plan: Any, outcomes: Sequence[Outcome] = ()) -> Decision:
        """The dialogue moves on."""

    def prompt(self) -> tuple[str, Language]:
        """What to ask somebody who says nothing, and its language."""

    def cut_short(self, heard: str) -> None:
        """The latest reply was stopped when only these words of it had been heard."""

    async def listen_to(self, language: LanguageChoice) -> None:
        """The ears keep to a language from the next turn on."""

    def speak(
        self, text: str, language: Language, style: Style | None = None, voice: str | None = None
    ) -> AsyncIterator[AudioChunk]:
        """Sound of a text, by a voice where that can speak its language."""

    async def close(self) -> None:
        """Forget the call."""


class Tools(Protocol):
    """What runs our own functions (`serve.tools.ToolRunner`)."""

    async def run(self, name: str, arguments: Mapping[str, SlotValue], call_id: str) -> Outcome:
        """One call, within its deadline."""

    def cancellable(self, name: str) -> bool:
        """Whether stopping the reply stops the tool."""

    def read(self, name: str, output: str) -> Outcome:
        """What a client's own function came to."""

    def close(self) -> None:
        """Give up what still runs."""


@dataclass
class Stage:
    """One call's things."""

    wire: Wire
    outbox: Outbox
    session: Session
    conversation: Conversation
    model: Model
    tools: Tools
    sound: SoundIn
    metrics: Metrics
    quota: Quota
    spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    open: Callable[[], Awaitable[Model]]
    """Another model state with the same packs, to hear a recording apart from the call."""
    respond: Callable[[str | None], Response] = field(init=False)
    """Begin the response that a client's request, by its name, or a turn asked for."""
    responses: dict[int, Response] = field(default_factory=dict)
    """By generation, the latest ones."""
    end_of_turn_ms: int = 0
    """Silence before the latest turn was taken for over."""
    recordings: int = 0
    """That wait to be heard apart."""
    _unasked: int = 0
    _apart: asyncio.Lock = field(default_factory=asyncio.Lock)

    def ask(self, answer: Coroutine[Any, Any, T]) -> asyncio.Future[T]:
        """What the model will answer. It is asked now, in order; a failure is met by whoever awaits the answer."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be waiting
        self._unasked += 1
        # a call that ends before the question was begun leaves nothing open
        self.spawn(self._settle(answer, future)).add_done_callback(lambda _: answer.close())
        return future

    async def _settle(self, answer: Coroutine[Any, Any, T], future: asyncio.Future[T]) -> None:
        self._unasked -= 1
        try:
            result = await answer
        except Exception as error:
            if not future.done():
                future.set_exception(error)
        else:
            if not future.done():
                future.set_result(result)

    async def all_asked(self) -> None:
        """Wait until the model has all the questions: what is asked now comes after them."""
        while self._unasked:
            await asyncio.sleep(0)

    def trim(self) -> None:
        """Keep the conversation within its bounds; what goes is told."""
        for old in self.conversation.overflow():
            self.conversation.remove(old)
            self.wire.send(ConversationItemDeletedEvent, item_id=old)

    def hear_apart(self, audio: bytes, wire: Format) -> asyncio.Future[Hearing]:
        """What is said in a recording, heard by ears of its own, one recording after the other."""
        self.recordings += 1
        return self.ask(self._hear_apart(audio, wire))

    async def _hear_apart(self, audio: bytes, wire: Format) -> Hearing:
        try:
            async with self._apart:
                model = await self.open()
                try:
                    decoder = Decoder(wire)
                    for piece in seconds_of(audio, wire):
                        await model.hear(decoder.push(piece))
                    await model.hear(decoder.finish())
                    return await model.hearing()
                finally:
                    await model.close()
        finally:
            self.recordings -= 1
