"""Drives the engine of turn-taking for one call: tells it what happens and does what it orders, in order, at once.

Nothing here waits: what takes time becomes a task of the call. So the engine's orders are carried out before its next
event, whatever happens beside.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import singledispatchmethod
from typing import Any

from openai.types import realtime as rt
from openai.types.realtime import realtime_conversation_item_user_message as user

from step_audio_mini.converse import actions, events
from step_audio_mini.converse.engine import Engine
from step_audio_mini.serve.conversation import Entry
from step_audio_mini.serve.joined import joined
from step_audio_mini.serve.maker import Chat, Maker
from step_audio_mini.serve.pace import Pace
from step_audio_mini.serve.protocol import ProtocolError
from step_audio_mini.serve.reply import Reply
from step_audio_mini.serve.responses import Reason
from step_audio_mini.serve.stage import Stage
from step_audio_mini.think.mind import hearing_of
from step_audio_mini.types import Hearing

MOST_RESPONSES = 256
"""Responses of a call that can still be truncated."""
_REFUSALS = {
    "conversation_already_has_active_response": "the conversation has an active response; wait until it is done",
    "response_cancel_not_active": "Cancellation failed: no active response found",
    "input_audio_buffer_commit_empty": "the input audio buffer is empty; append sound before you commit",
    "item_truncate_invalid_item_id": "no audio of this item was sent",
    "item_truncate_invalid_audio_end_ms": "audio_end_ms is beyond the sound of the item",
}


class Turns:
    """The engine, its events and its actions."""

    def __init__(
        self, stage: Stage, now: Callable[[], int], client_tools: Callable[[], set[str]], chat: Chat | None
    ) -> None:
        self._stage, self._now = stage, now
        self.engine = Engine(stage.session.turns)
        self.maker = Maker(stage, self.tell, client_tools, chat)
        self._heard = events.Heard(0, 0.0, 0.0, 0, "")
        self._partial = ""
        self._onset: int | None = None
        """Where the speech under way began."""
        self._waiting: deque[events.Event] = deque()
        self._busy = False
        self._replies: dict[int, Reply] = {}
        self._item: str | None = None
        """Id of the item that the turn under way will be."""
        self._last: Entry | None = None
        """The turn committed last."""
        self._answer: tuple[Entry, Reply] | None = None
        """A turn, the latest that has one, and its reply."""
        self._requests: dict[str, str | None] = {}
        self.stirred = asyncio.Event()
        """Set after every event: the next deadline may have moved."""
        self.inputs: dict[str, Awaitable[Hearing]] = {}
        """By request: what is to be answered instead of the conversation."""

    def tell(self, event: events.Event) -> None:
        """Tell the engine, and do what it orders; what happens meanwhile waits its turn."""
        self._waiting.append(event)
        if self._busy:
            return
        self._busy = True
        try:
            while self._waiting:
                event = self._waiting.popleft()
                if isinstance(event, events.Heard):
                    self._heard = event
                for action in self.engine.on(event, self._now()):
                    self._do(action)
                if isinstance(event, events.SettingsChanged) and event.settings.turns is None:
                    self._item = None  # what the client commits is more than the turn that was told
                self._show_partial()
        finally:
            self._busy = False
            self.stirred.set()

    def _show_partial(self) -> None:
        """Tell a client that wants it what was understood so far; the protocol's own deltas only add."""
        text = self._heard.text
        if self._item is None or text == self._partial or not self._stage.session.extra.get("partials"):
            return
        self._partial = text
        facts = {"item_id": self._item, "content_index": 0, "delta": "", "step_audio": {"text": text}}
        self._stage.wire.send(rt.ConversationItemInputAudioTranscriptionDeltaEvent, **facts)

    # what the engine orders

    @singledispatchmethod
    def _do(self, action: Any) -> None:
        raise NotImplementedError(type(action).__name__)

    @_do.register
    def _(self, action: actions.SpeechStarted) -> None:
        self._item, self._partial = self._stage.wire.ids.new("item"), ""
        rules = self._stage.session.turns.turns
        self._onset = action.audio_start_ms + (rules.prefix_padding_ms if rules else 0)
        facts = {"item_id": self._item, "audio_start_ms": action.audio_start_ms}
        self._stage.wire.send(rt.InputAudioBufferSpeechStartedEvent, **facts)

    @_do.register
    def _(self, action: actions.SpeechStopped) -> None:
        facts = {"item_id": self._turn_id(), "audio_end_ms": action.audio_end_ms}
        told = {"step_audio": {"dropped": True}} if action.dropped else {}
        self._stage.wire.send(rt.InputAudioBufferSpeechStoppedEvent, **facts, **told)

    @_do.register
    def _(self, action: actions.TimeoutTriggered) -> None:
        facts = {"item_id": self._turn_id(), "audio_start_ms": action.audio_start_ms}
        self._stage.wire.send(rt.InputAudioBufferTimeoutTriggered, **facts, audio_end_ms=action.audio_end_ms)

    def _turn_id(self) -> str:
        self._item = self._item or self._stage.wire.ids.new("item")
        return self._item

    @_do.register
    def _(self, action: actions.CommitTurn) -> None:
        stage, item_id, before = self._stage, self._turn_id(), self._gone_on_with(action.continues)
        self._item = None
        stage.end_of_turn_ms = self._heard.silence_ms if stage.session.turns.turns is not None else 0
        content = user.Content(type="input_audio", transcript=None)
        item = rt.RealtimeConversationItemUserMessage(
            id=item_id, object="realtime.item", type="message", role="user", status="completed", content=[content]
        )  # fmt: skip
        hearing = stage.ask(stage.model.hearing())
        stage.ask(stage.model.reset(0))
        entry = Entry(
            item, stage.sound.take(action.start_ms, action.end_ms), stage.session.input_format, hearing, before
        )  # fmt: skip
        told = {"step_audio": {"continues": before.id}} if before else {}
        place = {"item_id": item_id, "previous_item_id": stage.conversation.tail}
        stage.wire.send(rt.InputAudioBufferCommittedEvent, **place, **told)
        previous = stage.conversation.add(entry)
        stage.wire.send(rt.ConversationItemAdded, item=item, previous_item_id=previous)
        stage.wire.send(rt.ConversationItemDone, item=item, previous_item_id=previous)
        self._last = entry
        stage.trim()
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
        before = self._gone_on_with(action.continues)
        hearing = self._whole(before, self._stage.ask(self._stage.model.hearing()))
        self._start(Reply(action.generation, self.tell, hearing))

    def _gone_on_with(self, continues: bool) -> Entry | None:
        """The turn that the present one is a part of: what was made of it alone is forgotten.

        None where a tool ran for it. That is not undone, nor to be done twice: the rest is then a turn of its own.
        """
        if not continues or self._last is None:
            return None
        if self._answer is not None and self._answer[0] is self._last:
            reply = self._answer[1]
            if reply.acted:
                return None
            if reply.counts:
                self._stage.ask(self._stage.model.take_back())
            self._answer = None
        return self._last

    @_do.register
    def _(self, action: actions.Release) -> None:
        reply = self._replies[action.generation]
        self._answered(self._last, reply)
        self._show(reply, None)

    @_do.register
    def _(self, action: actions.Discard) -> None:
        if reply := self._replies.pop(action.generation, None):
            reply.stop()

    @_do.register
    def _(self, action: actions.Respond) -> None:
        if action.request:
            self._requests.pop(action.request, None)
        asked_since = action.reason == "client" and (action.request in self.inputs or self._stage.conversation.waits)
        runs = self.maker.runs_of(action.calls, asked_since) if action.reason in ("tool", "client") else []
        if action.reason == "tool" and not runs:  # its calls are too long ago
            self.tell(events.ReplyEnded(action.generation))
            return
        silent = runs and not asked_since  # else what was asked since is answered after the results
        entry, hearing = (None, None) if silent else self._to_answer(action.reason, action.request)
        reply = Reply(action.generation, self.tell, hearing, runs)
        self._answered(entry, reply)
        reply.prompts = action.reason == "idle"
        self._show(reply, action.request)
        if reply.response is not None and reply.response.over:
            return
        if hearing is None and not (runs and all(run.ready for run in runs)):
            reply.made()  # nothing to say, or not yet: a response without output
            return
        self._start(reply)

    def _to_answer(self, reason: str, request: str | None) -> tuple[Entry | None, Awaitable[Hearing] | None]:
        """What is to be answered, where it is in the conversation, and its hearing; None where there is nothing."""
        if request is not None and (given := self.inputs.pop(request, None)) is not None:
            return None, given
        entry = self._last if reason in ("turn", "idle") else self._stage.conversation.unanswered()
        return entry, self._whole(entry.continues, self.hearing_of(entry)) if entry else None

    def _whole(self, before: Entry | None, hearing: asyncio.Future[Hearing]) -> asyncio.Future[Hearing]:
        """What was understood of a turn, with what it goes on with."""
        return asyncio.shield(hearing) if before is None else self._stage.ask(self._joined(before, hearing))

    async def _joined(self, before: Entry, hearing: asyncio.Future[Hearing]) -> Hearing:
        second = await asyncio.shield(hearing)
        try:
            first = await self._whole(before.continues, self.hearing_of(before))
        except Exception:  # the ears failed then; what they heard since counts
            return second
        return joined(first, second)

    def _answered(self, entry: Entry | None, reply: Reply) -> None:
        if entry is not None:
            entry.answered, self._answer = True, (entry, reply)

    def hearing_of(self, entry: Entry) -> asyncio.Future[Hearing]:
        """What was understood of a user message, spoken or written."""
        if entry.hearing is None and entry.audio:
            entry.hearing = self._stage.hear_apart(entry.audio, entry.wire)
        elif entry.hearing is None:
            entry.hearing = asyncio.get_running_loop().create_future()
            entry.hearing.set_result(hearing_of(entry.text()))
        return entry.hearing

    def _start(self, reply: Reply) -> None:
        self._replies[reply.generation] = reply
        self.maker.start(reply)

    def _show(self, reply: Reply, request: str | None) -> None:
        stage = self._stage
        response = stage.respond(request)
        self._replies[reply.generation] = reply
        stage.responses[reply.generation] = response
        while len(stage.responses) > MOST_RESPONSES:
            del stage.responses[next(iter(stage.responses))]
        if request is None:
            reply.end_of_turn_ms = stage.end_of_turn_ms
        if stage.session.extra.get("hold"):
            reply.pace = Pace()
        reply.show(response)
        if not stage.quota.take():
            reply.fail("rate_limit_exceeded", "too many responses within a minute")
            reply.stop()
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
        if action.reason == "turn_detected" and self._onset is not None:
            self._stage.metrics.stop.observe(max(0, self._heard.audio_ms - self._onset) / 1000)
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
        if not whole or entry.kept is not None:
            entry.kept = (milliseconds, text)
            entry.cut_now()
            if entry.generation == max(self._stage.responses, default=None):
                self._stage.model.cut_short(text)
        if self._stage.conversation.get(entry.id) is entry:  # not where the client deleted it while it was played
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

    @property
    def busy(self) -> bool:
        """Whether somebody speaks, or is about to."""
        return self.engine.generation is not None or self.engine.user_speaking
