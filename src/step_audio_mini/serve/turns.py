"""Drives the engine of turn-taking for one call: tells it what happens and does what it orders, in order, at once.

Nothing here waits: what takes time becomes a task of the call. So the engine's orders are carried out before its next
event, whatever happens beside.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import singledispatchmethod
from typing import Any, TypeVar

from openai.types import realtime as rt
from openai.types.realtime import realtime_conversation_item_user_message as user

from step_audio_mini.converse import actions, events
from step_audio_mini.converse.engine import Engine
from step_audio_mini.serve.conversation import Conversation, Entry
from step_audio_mini.serve.inbox import SoundIn
from step_audio_mini.serve.protocol import ProtocolError, Wire
from step_audio_mini.serve.replies import Maker, Model, Reply
from step_audio_mini.serve.responses import Reason, Response
from step_audio_mini.serve.settings import Session
from step_audio_mini.think.mind import hearing_of
from step_audio_mini.types import Hearing

T = TypeVar("T")
_REFUSALS = {
    "conversation_already_has_active_response": "the conversation has an active response; wait until it is done",
    "response_cancel_not_active": "Cancellation failed: no active response found",
    "input_audio_buffer_commit_empty": "the input audio buffer is empty; append sound before you commit",
    "item_truncate_invalid_item_id": "no audio of this item was sent",
    "item_truncate_invalid_audio_end_ms": "audio_end_ms is beyond the sound of the item",
}


@dataclass
class Stage:
    """What a call's turns are made of; shared by those who drive it."""

    wire: Wire
    session: Session
    conversation: Conversation
    model: Model
    sound: SoundIn
    spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    respond: Callable[[str | None], Response]
    """Begin the response that a client's request, by its id, or a turn asked for."""
    responses: dict[int, Response] = field(default_factory=dict)
    """By generation, the latest ones."""

    def ask(self, answer: Coroutine[Any, Any, T]) -> asyncio.Future[T]:
        """What the model will answer. It is asked now, in order; a failure is met by whoever awaits the answer."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be waiting
        self.spawn(_settle(answer, future))
        return future


async def _settle(answer: Coroutine[Any, Any, T], future: asyncio.Future[T]) -> None:
    try:
        result = await answer
    except Exception as error:
        if not future.done():
            future.set_exception(error)
    else:
        if not future.done():
            future.set_result(result)


class Turns:
    """The engine, its events and its actions."""

    def __init__(self, stage: Stage, maker: Callable[[Callable[[events.Event], None]], Maker], now: Callable[[], int]):
        self._stage, self._now = stage, now
        self.engine = Engine(stage.session.turns)
        self.maker = maker(self.tell)
        self._waiting: deque[events.Event] = deque()
        self._busy = False
        self._replies: dict[int, Reply] = {}
        self._item: str | None = None
        """Id of the item that the turn under way will be."""
        self._last: Entry | None = None
        """The turn committed last."""
        self._requests: dict[str, str | None] = {}
        self.stirred = asyncio.Event()
        """Set after every event: the next deadline may have moved."""

    def tell(self, event: events.Event) -> None:
        """Tell the engine, and do what it orders; what happens meanwhile waits its turn."""
        self._waiting.append(event)
        if self._busy:
            return
        self._busy = True
        try:
            while self._waiting:
                for action in self.engine.on(self._waiting.popleft(), self._now()):
                    self._do(action)
        finally:
            self._busy = False
            self.stirred.set()

    # what the engine orders

    @singledispatchmethod
    def _do(self, action: Any) -> None:
        raise NotImplementedError(type(action).__name__)

    @_do.register
    def _(self, action: actions.SpeechStarted) -> None:
        self._item = self._stage.wire.ids.new("item")
        facts = {"item_id": self._item, "audio_start_ms": action.audio_start_ms}
        self._stage.wire.send(rt.InputAudioBufferSpeechStartedEvent, **facts)

    @_do.register
    def _(self, action: actions.SpeechStopped) -> None:
        facts = {"item_id": self._turn_id(), "audio_end_ms": action.audio_end_ms}
        self._stage.wire.send(rt.InputAudioBufferSpeechStoppedEvent, **facts)

    @_do.register
    def _(self, action: actions.TimeoutTriggered) -> None:
        facts = {"item_id": self._turn_id(), "audio_start_ms": action.audio_start_ms}
        self._stage.wire.send(rt.InputAudioBufferTimeoutTriggered, **facts, audio_end_ms=action.audio_end_ms)

    def _turn_id(self) -> str:
        self._item = self._item or self._stage.wire.ids.new("item")
        return self._item

    @_do.register
    def _(self, action: actions.CommitTurn) -> None:
        stage, item_id = self._stage, self._turn_id()
        self._item = None
        content = user.Content(type="input_audio", transcript=None)
        item = rt.RealtimeConversationItemUserMessage(
            id=item_id, object="realtime.item", type="message", role="user", status="completed", content=[content]
        )  # fmt: skip
        hearing = stage.ask(stage.model.hearing())
        stage.ask(stage.model.reset(0))
        audio = stage.sound.take(action.start_ms, action.end_ms)
        entry = Entry(item, audio, stage.session.input_format, hearing)
        stage.wire.send(rt.InputAudioBufferCommittedEvent, item_id=item_id, previous_item_id=stage.conversation.tail)
        previous = stage.conversation.add(entry)
        stage.wire.send(rt.ConversationItemAdded, item=item, previous_item_id=previous)
        stage.wire.send(rt.ConversationItemDone, item=item, previous_item_id=previous)
        self._last = entry
        stage.spawn(self._transcribe(entry, action.end_ms - action.start_ms))

    async def _transcribe(self, entry: Entry, milliseconds: int) -> None:
        """Tell what was understood, where the session asks for it."""
        stage = self._stage
        assert entry.hearing is not None
        place = {"item_id": entry.id, "content_index": 0}
        wanted = stage.session.input["transcription"] is not None
        try:
            hearing = await asyncio.shield(entry.hearing)
        except Exception:
            if wanted:
                told = {"type": "server_error", "code": "transcription_failed", "message": "the ears failed"}
                stage.wire.send(rt.ConversationItemInputAudioTranscriptionFailedEvent, **place, error=told)
            return
        text = hearing.best.text
        content = entry.item.content[0].model_copy(update={"transcript": text})
        entry.item = entry.item.model_copy(update={"content": [content]})
        if not wanted:
            return
        if text:
            stage.wire.send(rt.ConversationItemInputAudioTranscriptionDeltaEvent, **place, delta=text)
        facts = {
            "language": hearing.best.language,
            "confidence": round(hearing.best.confidence, 3),
            "snr_db": round(hearing.attributes.snr_db, 1),
        }
        stage.wire.send(
            rt.ConversationItemInputAudioTranscriptionCompletedEvent, **place, transcript=text,
            usage={"type": "duration", "seconds": milliseconds / 1000}, step_audio=facts,
        )  # fmt: skip

    @_do.register
    def _(self, action: actions.DropSound) -> None:
        self._item = None
        self._stage.sound.forget(action.end_ms - action.keep_ms)
        self._stage.ask(self._stage.model.reset(action.keep_ms))

    @_do.register
    def _(self, action: actions.Speculate) -> None:
        self._start(Reply(action.generation, self.tell, self._stage.ask(self._stage.model.hearing())))

    @_do.register
    def _(self, action: actions.Release) -> None:
        self._answered(self._last)
        self._show(self._replies[action.generation], None)

    @_do.register
    def _(self, action: actions.Discard) -> None:
        if reply := self._replies.pop(action.generation, None):
            reply.stop()

    @_do.register
    def _(self, action: actions.Respond) -> None:
        if action.request:
            self._requests.pop(action.request, None)
        reply = Reply(action.generation, self.tell, None)
        run = self.maker.run_of(action.calls) if action.reason in ("tool", "client") else None
        if run is not None:
            reply.run = run
            ready = all(future.done() for future in run.outcomes.values())
        else:
            reply.hearing, ready = self._to_answer(action.reason), True
        self._show(reply, action.request)
        if reply.hearing is None and (run is None or not ready):
            reply.made()  # nothing to say, or not yet: a response without output
            return
        self._start(reply)

    def _to_answer(self, reason: str) -> Any:
        """The hearing of what is to be answered; None where there is nothing."""
        entry = self._last if reason in ("turn", "idle") else self._stage.conversation.unanswered()
        if entry is None:
            return None
        self._answered(entry)
        return asyncio.shield(self.hearing_of(entry))

    def _answered(self, entry: Entry | None) -> None:
        if entry is not None:
            entry.answered = True

    def hearing_of(self, entry: Entry) -> asyncio.Future[Hearing]:
        """What was understood of a user message, spoken or written."""
        if entry.hearing is None:
            entry.hearing = asyncio.get_running_loop().create_future()
            entry.hearing.set_result(hearing_of(entry.text()))
        return entry.hearing

    def _start(self, reply: Reply) -> None:
        self._replies[reply.generation] = reply
        self.maker.start(reply)

    def _show(self, reply: Reply, request: str | None) -> None:
        response = self._stage.respond(request)
        self._replies[reply.generation] = reply
        self._stage.responses[reply.generation] = response
        while len(self._stage.responses) > 256:
            del self._stage.responses[next(iter(self._stage.responses))]
        reply.show(response)
        for old in [g for g, r in self._replies.items() if r.response is not None and r.response.over]:
            del self._replies[old]

    @_do.register
    def _(self, action: actions.Duck) -> None:
        self._ducked(action.generation, True)

    @_do.register
    def _(self, action: actions.ResumeReply) -> None:
        self._ducked(action.generation, False)

    def _ducked(self, generation: int, silent: bool) -> None:
        if reply := self._replies.get(generation):
            if reply.response is not None and self._stage.session.extra.get("hold"):
                reply.response.hold(silent)
            reply.duck(silent)

    @_do.register
    def _(self, action: actions.StopReply) -> None:
        reply = self._replies.pop(action.generation, None)
        if reply is None or reply.response is None:
            return
        reply.stop()
        response = reply.response
        if action.reason == "failed":
            response.finish("failed", error=("server_error", "the reply gave no sign of life"))
        else:
            reason: Reason = action.reason
            response.finish("cancelled", reason)
        if response.entry is not None and response.asked.modality == "audio" and action.heard_ms < response.sent_ms:
            self._cut(response.entry, action.heard_ms, action.heard)

    @_do.register
    def _(self, action: actions.TruncateReply) -> None:
        response = self._stage.responses.get(action.generation)
        if response is not None and response.entry is not None:
            self._cut(response.entry, action.audio_end_ms, action.heard, whole=action.audio_end_ms >= response.sent_ms)

    def _cut(self, entry: Entry, milliseconds: int, text: str, whole: bool = False) -> None:
        if not whole:
            entry.kept = (milliseconds, text)
            entry.cut_now()
        facts = {"item_id": entry.id, "content_index": 0, "audio_end_ms": milliseconds}
        self._stage.wire.send(rt.ConversationItemTruncatedEvent, **facts)

    @_do.register
    def _(self, action: actions.Filler) -> None:
        if reply := self._replies.get(action.generation):
            reply.filler.set()

    @_do.register
    def _(self, action: actions.CancelTool) -> None:
        self.maker.cancel_tool(action.call_id)

    @_do.register
    def _(self, action: actions.Refused) -> None:
        event_id = self._requests.pop(action.request, None) if action.request else None
        self._stage.wire.refuse(ProtocolError(_REFUSALS[action.code], action.code, event_id=event_id))

    # what the client asks of turns

    def request(self, event_id: str | None) -> str:
        """A name for a client's request, that `Refused` gives back; the client's own id may be missing or twice."""
        name = self._stage.wire.ids.new("request")
        self._requests[name] = event_id
        return name
