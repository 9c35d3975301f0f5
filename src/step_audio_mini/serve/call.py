"""One socket, one call: a group of tasks that live and end together, and what each event of the client does."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatchmethod
from typing import Any, Protocol

from openai.types import realtime as rt

from step_audio_mini.converse import events
from step_audio_mini.converse.frames import Framer
from step_audio_mini.serve.codec import Decoder, sound_of
from step_audio_mini.serve.conversation import Conversation
from step_audio_mini.serve.inbox import SoundIn
from step_audio_mini.serve.items import Items
from step_audio_mini.serve.limits import Limits
from step_audio_mini.serve.outbox import Outbox, SlowReaderError
from step_audio_mini.serve.protocol import ProtocolError, Wire, parse
from step_audio_mini.serve.replies import Maker, Model, Tools
from step_audio_mini.serve.requests import Requests
from step_audio_mini.serve.settings import Session
from step_audio_mini.serve.turns import Stage, Turns
from step_audio_mini.types import Samples

log = logging.getLogger(__name__)
DRAINING, OVERLOADED, FAILED = 1012, 1013, 1011


class Socket(Protocol):
    """What a call needs of its connection."""

    async def receive(self) -> str | bytes | None:
        """The next frame; None when the client has gone."""

    async def send(self, frame: str) -> None:
        """Send a frame; waits while the client does not read."""


@dataclass(frozen=True)
class Closed:
    """How a call ended: the close code and its reason."""

    code: int = 1000
    reason: str = ""


class _EndError(Exception):
    """Ends the call's tasks."""

    def __init__(self, closed: Closed) -> None:
        super().__init__(closed.reason)
        self.closed = closed


class Call:
    """A session over a socket. `run` returns when it is over, and leaves nothing behind."""

    def __init__(self, socket: Socket, session: Callable[[str], Session], model: Model, tools: Tools, limits: Limits):
        self._socket, self._model, self._tools, self._limits = socket, model, tools, limits
        self.outbox = Outbox(limits.unread_bytes)
        self.wire = Wire(self.outbox.put)
        self.session = session(self.wire.ids.new("sess"))
        self._conversation, self._conversation_id = Conversation(), self.wire.ids.new("conv")
        self._group: asyncio.TaskGroup | None = None
        self._began = time.monotonic()
        self._hear_as(self.session)
        self.closing = asyncio.Event()
        self.turns_heard = 0

    def now_ms(self) -> int:
        """The call's clock."""
        return int((time.monotonic() - self._began) * 1000)

    async def run(self) -> Closed:
        """Hold the call until one side ends it."""
        closed = Closed()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._make()
                self.wire.send(rt.SessionCreatedEvent, session=self.session.shown())
                conversation = {"id": self._conversation_id, "object": "realtime.conversation"}
                self.wire.send(rt.ConversationCreatedEvent, conversation=conversation)
                for task in (self._send(), self._tick(), self._expire(), self._listen()):
                    group.create_task(task)
        except* _EndError as ended:
            closed = next(_leaves(ended)).closed
        finally:
            await self._model.close()
        return closed

    def _make(self) -> None:
        assert self._group is not None
        group = self._group
        self._requests = Requests(self.wire, self.outbox, self._conversation, self.session, self._conversation_id)
        stage = Stage(
            wire=self.wire, session=self.session, conversation=self._conversation, model=self._model,
            sound=self._sound, spawn=group.create_task, respond=self._requests.respond,
        )  # fmt: skip

        def maker(tell: Callable[[events.Event], None]) -> Maker:
            return Maker(
                self._model, self._tools, group.create_task, tell, self._requests.client_tools, self._requests.speed
            )

        self._turns = Turns(stage, maker, self.now_ms)
        self._items = Items(stage, self._turns)

    # its tasks

    async def _send(self) -> None:
        try:
            while True:
                await self._socket.send(await self.outbox.take())
        except SlowReaderError:
            raise _EndError(Closed(OVERLOADED, "the client does not read what is sent")) from None
        except ConnectionError:
            raise _EndError(Closed(1006, "the client has gone")) from None

    async def _tick(self) -> None:
        """Give the engine its deadlines."""
        while True:
            deadline = self._turns.engine.next_deadline_ms
            self._turns.stirred.clear()
            try:
                wait = None if deadline is None else max(0.0, (deadline - self.now_ms()) / 1000)
                async with asyncio.timeout(wait):
                    await self._turns.stirred.wait()
            except TimeoutError:
                self._turns.tell(events.Tick())

    async def _expire(self) -> None:
        """End the call when the server drains, or its time is over."""
        try:
            async with asyncio.timeout(self._limits.session_seconds):
                await self.closing.wait()
        except TimeoutError:
            self.wire.refuse(
                ProtocolError("the session has reached its longest duration", "session_expired", kind="session_error")
            )
            raise await self._farewell(Closed(1001, "the session has reached its longest duration")) from None
        raise await self._farewell(Closed(DRAINING, "the server is going away; connect again"))

    async def _farewell(self, closed: Closed) -> _EndError:
        """Let what was sent before leave; nobody waits long for it."""
        try:
            async with asyncio.timeout(1.0):
                await self.outbox.empty()
        except TimeoutError:
            pass
        return _EndError(closed)

    async def _listen(self) -> None:
        while (frame := await self._socket.receive()) is not None:
            event_id = None
            try:
                event: Any = parse(frame)
                event_id = event.event_id
                await self._on(event)
            except ProtocolError as error:
                error.event_id = error.event_id or event_id
                self.wire.refuse(error)
        raise _EndError(Closed(1000, "the client has gone"))

    # what the client asks for

    @singledispatchmethod
    async def _on(self, event: Any) -> None:
        raise ProtocolError(f"{event.type} has no meaning over a WebSocket", "unknown_or_invalid_event", param="type")

    @_on.register
    async def _(self, event: rt.SessionUpdateEvent) -> None:
        self.session.update(event.session, voice_is_fixed=self._requests.spoken)
        self._hear_as(self.session)
        self._turns.tell(events.SettingsChanged(self.session.turns))
        self.wire.send(rt.SessionUpdatedEvent, session=self.session.shown())

    @_on.register
    async def _(self, event: rt.InputAudioBufferAppendEvent) -> None:
        data = sound_of(event.audio, self.session.input_format.width)
        self._sound.add(data)
        samples = self._decoder.push(data)
        if self.session.turns.turns is None:  # nothing hangs on single frames: the ears take all at once
            await self._hear(samples)
            return
        for frame in self._framer.push(samples):
            await self._hear(frame)

    async def _hear(self, samples: Samples) -> None:
        if not len(samples):
            return
        heard = await self._model.hear(samples)
        self._turns.tell(events.Heard(int(heard.audio_ms), heard.speech, heard.end, int(heard.silence_ms), heard.text))

    @_on.register
    async def _(self, event: rt.InputAudioBufferCommitEvent) -> None:
        self._turns.tell(events.SpeechCommittedByClient(self._turns.request(event.event_id)))

    @_on.register
    async def _(self, event: rt.InputAudioBufferClearEvent) -> None:
        self._framer.clear()
        self._turns.tell(events.BufferCleared())
        self.wire.send(rt.InputAudioBufferClearedEvent)

    @_on.register
    async def _(self, event: rt.ConversationItemCreateEvent) -> None:
        self._items.create(event)

    @_on.register
    async def _(self, event: rt.ConversationItemDeleteEvent) -> None:
        self._items.delete(event)

    @_on.register
    async def _(self, event: rt.ConversationItemRetrieveEvent) -> None:
        self._items.retrieve(event)

    @_on.register
    async def _(self, event: rt.ConversationItemTruncateEvent) -> None:
        self._items.truncate(event)

    @_on.register
    async def _(self, event: rt.ResponseCreateEvent) -> None:
        if self.session.transcribes_only:
            raise ProtocolError("a transcription session gives no responses", "invalid_session_type", param="type")
        self._requests.create(event, self._turns)

    @_on.register
    async def _(self, event: rt.ResponseCancelEvent) -> None:
        self._requests.cancel(event, self._turns)

    def _hear_as(self, session: Session) -> None:
        """Take sound in the session's format from here on."""
        wire = session.input_format
        if getattr(self, "_wire_format", None) != wire:
            self._wire_format, self._decoder, self._framer = wire, Decoder(wire), Framer()
            self._sound = SoundIn(wire)


def _leaves(group: BaseExceptionGroup[_EndError]) -> Any:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
