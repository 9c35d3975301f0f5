"""One socket, one call: a group of tasks that live and end together, and what each event of the client does."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import singledispatchmethod
from typing import Any, Protocol, cast

from openai.types import realtime as rt

from step_audio_mini.converse import events
from step_audio_mini.converse.frames import Framer
from step_audio_mini.converse.loudness import Loudness
from step_audio_mini.rooms import LanguageChoice
from step_audio_mini.serve.codec import Decoder, seconds_of, sound_of
from step_audio_mini.serve.conversation import Conversation
from step_audio_mini.serve.inbox import SoundIn
from step_audio_mini.serve.intake import AHEAD, Intake
from step_audio_mini.serve.items import Items
from step_audio_mini.serve.limits import Limits, Quota
from step_audio_mini.serve.maker import Chat
from step_audio_mini.serve.metrics import Metrics
from step_audio_mini.serve.outbox import Outbox, SlowReaderError
from step_audio_mini.serve.protocol import ProtocolError, Wire, parse
from step_audio_mini.serve.requests import Requests
from step_audio_mini.serve.settings import Session
from step_audio_mini.serve.stage import Model, Stage, Tools
from step_audio_mini.serve.turns import Turns
from step_audio_mini.types import Samples

log = logging.getLogger("step_audio_mini.serve")
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


@dataclass(frozen=True)
class House:
    """What a call is given by its server."""

    open: Callable[[str], Awaitable[Model]]
    """A model state that hears a language: auto, zh or en."""
    tools: Callable[[Model], Tools]
    limits: Limits
    metrics: Metrics
    quota: Quota
    chat: Chat | None = None


class Call:
    """A session over a socket. `run` returns when it is over, and leaves nothing behind."""

    def __init__(self, socket: Socket, session: Callable[[str], Session], house: House) -> None:
        self._socket, self._house = socket, house
        self.outbox = Outbox(house.limits.unread_bytes)
        self._intake = Intake(house.limits.unheard_bytes)
        self._wire = Wire(self.outbox.put)
        self._session = session(self._wire.ids.new("sess"))
        self._began = time.monotonic()
        self._heard_ms = 0
        self._language: LanguageChoice = "auto"
        self._loudness = Loudness()
        self.closing = asyncio.Event()
        """Set when the server is about to stop."""

    def now_ms(self) -> int:
        """The call's clock."""
        return int((time.monotonic() - self._began) * 1000)

    async def run(self) -> Closed:
        """Hold the call until one side ends it."""
        closed = Closed()
        self._language = _language(self._session)
        model = await self._house.open(self._language)
        try:
            async with asyncio.TaskGroup() as group:
                self._make(group, model)
                self._wire.send(rt.SessionCreatedEvent, session=self._session.shown())
                conversation = {"id": self._conversation_id, "object": "realtime.conversation"}
                self._wire.send(rt.ConversationCreatedEvent, conversation=conversation)
                for task in (self._send(), self._tick(), self._expire(), self._listen(), self._work()):
                    group.create_task(task)
        except* _EndError as ended:
            closed = next(_leaves(ended)).closed
        except* Exception as broke:  # the models died, or our fault: this call ends, others go on
            log.error("a call broke", exc_info=next(_leaves(broke)))
            closed = Closed(FAILED, "the call broke; connect again")
        finally:
            self._stage.tools.close()
            await self._stage.model.close()
            self._count()
        return closed

    def _make(self, group: asyncio.TaskGroup, model: Model) -> None:
        house, wire = self._house, self._wire
        self._conversation_id = wire.ids.new("conv")
        self._stage = stage = Stage(
            wire=wire, outbox=self.outbox, session=self._session, conversation=Conversation(), model=model,
            tools=house.tools(model), sound=SoundIn(self._session.input_format), metrics=house.metrics,
            quota=house.quota, spawn=group.create_task, open=lambda: house.open(self._language),
        )  # fmt: skip
        self._hear_as()
        self._requests = Requests(stage, self._conversation_id)
        stage.respond = self._requests.respond
        self._turns = Turns(stage, self.now_ms, self._requests.client_tools, house.chat)
        self._items = Items(stage, self._turns)

    def _count(self) -> None:
        decisions = self._turns.engine.decisions
        for name in ("turns", "stops", "ducks", "backchannels", "noises", "wordless", "fillers", "timeouts"):
            self._house.metrics.decisions.labels(name).inc(getattr(decisions, name))
        for name in ("proposed", "accepted", "discarded"):
            self._house.metrics.decisions.labels(f"speculations_{name}").inc(getattr(decisions.speculation, name))

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
            async with asyncio.timeout(self._house.limits.session_seconds):
                await self.closing.wait()
        except TimeoutError:
            error = ProtocolError("the session has reached its longest duration", "session_expired")
            self._refuse(error)
            raise await self._farewell(Closed(1001, str(error))) from None
        latest = time.monotonic() + self._house.limits.drain_seconds
        while self._turns.busy and time.monotonic() < latest:
            await asyncio.sleep(0.05)
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
        """Read what the client sends, also while the ears are behind: it may be to say stop."""
        while (frame := await self._socket.receive()) is not None:
            event: Any = frame
            if not self._intake.orders:  # else it is read when they are done: it may refer to what they make
                try:
                    event = parse(frame, self._items.referenced)
                except ProtocolError as error:
                    event = error
            if not self._intake.orders and getattr(event, "type", None) in AHEAD:
                await self._take(event)
            else:
                await self._intake.put(event, len(frame))
        raise _EndError(Closed(1000, "the client has gone"))

    async def _work(self) -> None:
        """Do what the client asks for, in order."""
        while True:
            await self._take(await self._intake.take())

    async def _take(self, event: Any) -> None:
        try:
            if isinstance(event, ProtocolError):
                raise event
            if isinstance(event, str | bytes):
                event = parse(event, self._items.referenced)
            self._house.metrics.client_event(event.type)
            await self._on(event)
        except ProtocolError as error:
            error.event_id = error.event_id or getattr(event, "event_id", None)
            self._refuse(error)

    def _refuse(self, error: ProtocolError) -> None:
        self._wire.refuse(error)

    # what the client asks for

    @singledispatchmethod
    async def _on(self, event: Any) -> None:
        raise ProtocolError(f"{event.type} has no meaning over a WebSocket", "unknown_or_invalid_event", param="type")

    @_on.register
    async def _(self, event: rt.SessionUpdateEvent) -> None:
        self._session.update(event.session, voice_is_fixed=self._requests.spoken)
        self._hear_as()
        await self._hear_language()
        self._turns.tell(events.SettingsChanged(self._session.turns))
        self._wire.send(rt.SessionUpdatedEvent, session=self._session.shown())

    async def _hear_language(self) -> None:
        """Other ears for another language, from the next turn on; what was said so far stays."""
        language = _language(self._session)
        if language == self._language:
            return
        self._language = language
        listening = self._stage.ask(self._stage.model.listen_to(language))
        if not self._heard_ms:  # later nothing waits for the ears to be loaded: a call may be under way
            await listening

    @_on.register
    async def _(self, event: rt.InputAudioBufferAppendEvent) -> None:
        began, waited = time.perf_counter(), 0.0
        data = sound_of(event.audio, self._session.input_format.width)
        self._stage.sound.add(data)
        by_client = self._session.turns.turns is None
        for piece in seconds_of(data, self._session.input_format):
            samples = self._decoder.push(piece)
            # with turns by the client nothing hangs on single frames: the ears take all at once
            for frame in [self._framer.rest(), samples] if by_client else self._framer.push(samples):
                if len(frame):
                    waited += await self._hear(frame, None if by_client else self._loudness.hear(frame))
        self._house.metrics.frame.observe(time.perf_counter() - began - waited)

    async def _hear(self, samples: Samples, loud: float | None) -> float:
        """Let the ears hear; the seconds that were waited for them."""
        asked = time.perf_counter()
        await self._stage.all_asked()
        heard = await self._stage.model.hear(samples)
        waited = time.perf_counter() - asked
        self._heard_ms = int(heard.audio_ms)
        self._turns.tell(
            events.Heard(
                self._heard_ms, heard.speech, heard.end, int(heard.silence_ms), heard.text, loud, heard.confidence
            )
        )
        return waited

    @_on.register
    async def _(self, event: rt.InputAudioBufferCommitEvent) -> None:
        if self._session.turns.turns is None:  # all that was appended is the turn
            for rest in (self._framer.rest(), self._decoder.finish()):
                if len(rest):
                    await self._hear(rest, None)
        self._turns.tell(events.SpeechCommittedByClient(self._turns.request(event.event_id)))

    @_on.register
    async def _(self, event: rt.InputAudioBufferClearEvent) -> None:
        self._framer.clear()
        self._turns.tell(events.BufferCleared())
        self._wire.send(rt.InputAudioBufferClearedEvent)

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
        if self._session.transcribes_only:
            raise ProtocolError("a transcription session gives no responses", "invalid_session_type", param="type")
        self._requests.create(event, self._turns, self._items)

    @_on.register
    async def _(self, event: rt.ResponseCancelEvent) -> None:
        self._requests.cancel(event, self._turns)

    def _hear_as(self) -> None:
        """Take sound in the session's format from here on."""
        wire = self._session.input_format
        if getattr(self, "_format", None) != wire:
            self._format, self._decoder, self._framer = wire, Decoder(wire), Framer()
            self._stage.sound.change(wire, self._heard_ms)


def _language(session: Session) -> LanguageChoice:
    """The language that the session's transcription names, if it is one of ours."""
    wanted = session.input["transcription"] or {}
    named = wanted.get("language") or next(iter(wanted.get("languages") or [""]))
    several = len(wanted.get("languages") or []) > 1
    name = str(named).lower().partition("-")[0]
    return cast(LanguageChoice, name) if name in ("zh", "en") and not several else "auto"


def _leaves(group: BaseExceptionGroup[Any]) -> Any:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
