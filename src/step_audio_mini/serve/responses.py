"""One response on the wire: a state machine whose every path ends in `response.done`, with all that began closed.

Nothing here waits. Whoever makes the reply calls in; after `finish` every call is ignored, so that what was made too
late is never seen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from openai.types import realtime as rt
from openai.types.realtime import realtime_conversation_item_assistant_message as assistant

from step_audio_mini.serve.codec import Encoder, Format, shown_format, text_of
from step_audio_mini.serve.conversation import Conversation, Entry
from step_audio_mini.serve.outbox import Delta, Outbox
from step_audio_mini.serve.protocol import Wire
from step_audio_mini.types import SAMPLE_RATE, AudioChunk, SlotValue

Status = Literal["completed", "cancelled", "failed", "incomplete"]
Reason = Literal["turn_detected", "client_cancelled", "max_output_tokens"]
DELTA_SAMPLES = SAMPLE_RATE // 5
"""Samples of the reply in one audio event, 200 ms: what a stop may find on its way is short."""


@dataclass(frozen=True)
class Asked:
    """What one response is to be; from the session where `response.create` does not say."""

    modality: Literal["audio", "text"]
    wire: Format
    voice: str
    most_tokens: int | None = None
    metadata: Mapping[str, str] | None = None
    conversation_id: str | None = None
    """None: out of band."""


@dataclass
class _Message:
    """The assistant message that a response writes."""

    entry: Entry
    index: int
    encoder: Encoder
    audio: bytearray = field(default_factory=bytearray)
    """What was sent; the item's once it has ended."""
    size: int = 0
    """Bytes of it."""
    samples: int = 0
    """Of the reply, at our own rate, that were given to the encoder."""
    text: str = ""
    words: list[tuple[str, int]] = field(default_factory=list)


class Response:
    """A response from `response.created`, which making it sends, to `response.done`."""

    def __init__(
        self,
        wire: Wire,
        outbox: Outbox,
        conversation: Conversation,
        asked: Asked,
        ended: Callable[[Response, Status], None],
    ) -> None:
        self.id, self.asked, self._ended = wire.ids.new("resp"), asked, ended
        self._wire, self._outbox, self._conversation = wire, outbox, conversation
        self._items: list[Entry] = []
        self._message: _Message | None = None
        self.generation: int | None = None
        self.over = False
        self.timings: dict[str, float] = {}
        self.facts: dict[str, Any] = {}
        """What the mind decided; told in `response.done`."""
        self.heard_tokens = 0
        """Audio tokens of the input, for the usage."""
        wire.send(rt.ResponseCreatedEvent, response=self._shown("in_progress", None, None))

    # what the reply consists of

    def sound(self, chunk: AudioChunk) -> list[tuple[str, int]]:
        """A piece of the spoken reply; the words in it, each with the millisecond of the reply at which it ended."""
        if self.over:
            return []
        words = chunk.words
        if self.asked.modality == "text":
            self.text("".join(word.text for word in words))
            return []
        message = self._open()
        rest = list(words)
        for start in range(0, max(len(chunk.samples), 1), DELTA_SAMPLES):
            end = start + DELTA_SAMPLES
            last = end >= len(chunk.samples)
            here = [word for word in rest if last or word.end <= end]
            rest = rest[len(here) :]
            self._transcript(message, "".join(word.text for word in here))
            self._audio(message, message.encoder.push(chunk.samples[start:end]))
        # a word has been heard when the last of its samples has: what a converter still holds counts as not sent
        new = [(word.text, -(-(message.samples + word.end) * 1000 // SAMPLE_RATE)) for word in words]
        message.samples += len(chunk.samples)
        message.words += new
        return new

    def text(self, text: str) -> None:
        """A piece of a written reply."""
        if self.over or not text:
            return
        message = self._open()
        message.text += text
        place = self._place(message)
        self._wire.send(rt.ResponseTextDeltaEvent, Delta(self.id, text=len(text)), **place, delta=text)

    def hold(self, silent: bool) -> None:
        """Ask a client that knows `step_audio` to hold what it plays, or to go on; to others it is an empty piece."""
        if self._message is not None and not self.over:
            told = {"hold": silent}
            self._wire.send(rt.ResponseAudioDeltaEvent, **self._place(self._message), delta="", step_audio=told)

    def call(self, name: str, arguments: Mapping[str, SlotValue]) -> str:
        """A call of one of the client's functions; its call_id."""
        call_id = self._wire.ids.new("call")
        if self.over:
            return call_id
        self._close("completed")
        written = json.dumps(dict(arguments), ensure_ascii=False)
        item = rt.RealtimeConversationItemFunctionCall(
            id=self._wire.ids.new("item"), object="realtime.item", type="function_call", status="in_progress",
            call_id=call_id, name=name, arguments="",
        )  # fmt: skip
        entry = Entry(item)
        index = self._begin(entry)
        place = {"response_id": self.id, "item_id": entry.id, "output_index": index, "call_id": call_id}
        self._wire.send(rt.ResponseFunctionCallArgumentsDeltaEvent, **place, delta=written)
        self._wire.send(rt.ResponseFunctionCallArgumentsDoneEvent, **place, name=name, arguments=written)
        entry.item = item.model_copy(update={"arguments": written, "status": "completed"})
        self._end(entry, index)
        return call_id

    def new_call_id(self) -> str:
        """An id for a call that the client is not asked to make."""
        return self._wire.ids.new("call")

    @property
    def cut(self) -> bool:
        """Whether `max_output_tokens` was reached."""
        return self.asked.most_tokens is not None and self.tokens() >= self.asked.most_tokens

    @property
    def sent_ms(self) -> int:
        """How much sound was sent."""
        return self.asked.wire.milliseconds(self._message.size) if self._message else 0

    @property
    def said(self) -> str:
        """Its words so far."""
        return self._message.text if self._message else ""

    @property
    def entry(self) -> Entry | None:
        """The message that holds its sound, once there is one."""
        return self._message.entry if self._message else None

    def tokens(self) -> int:
        """Words written so far: what `max_output_tokens` counts."""
        return len(self._message.words or self._message.text.split()) if self._message else 0

    # its end

    def finish(self, status: Status, reason: Reason | None = None, error: tuple[str, str] | None = None) -> None:
        """Close whatever is open and send `response.done`, once. `error`: code and message of a failure."""
        if self.over:
            return
        if status in ("cancelled", "failed"):
            self._forget(self._outbox.drop(self.id))
        self._close("completed" if status == "completed" else "incomplete")
        self.over = True
        details: dict[str, Any] = {"type": status}
        if reason:
            details["reason"] = reason
        if error:
            details["error"] = {"type": "server_error", "code": error[0], "message": error[1]}
        self._wire.send(rt.ResponseDoneEvent, response=self._shown(status, details, self._usage()))
        self._ended(self, status)

    def _forget(self, gone: Delta) -> None:
        """Take back what never left."""
        if message := self._message:
            message.size -= gone.audio
            del message.audio[message.size :]
            message.text = message.text[: len(message.text) - gone.text]

    # the parts of its events

    def _open(self) -> _Message:
        if self._message is None:
            item = rt.RealtimeConversationItemAssistantMessage(
                id=self._wire.ids.new("item"), object="realtime.item", type="message", role="assistant",
                status="in_progress", content=[],
            )  # fmt: skip
            entry = Entry(item, wire=self.asked.wire, generation=self.generation)
            self._message = _Message(entry, self._begin(entry), Encoder(self.asked.wire))
            self._wire.send(rt.ResponseContentPartAddedEvent, **self._place(self._message), part=self._part(""))
        return self._message

    def _close(self, status: Literal["completed", "incomplete"]) -> None:
        """End the message, if one is open; what a converter still held is sent first."""
        message = self._message
        if message is None or message.entry.item.status != "in_progress":
            return
        if status == "completed":
            self._audio(message, message.encoder.finish())
        place = self._place(message)
        if self.asked.modality == "audio":
            self._wire.send(rt.ResponseAudioDoneEvent, **place)
            self._wire.send(rt.ResponseAudioTranscriptDoneEvent, **place, transcript=message.text)
            content = assistant.Content(type="output_audio", transcript=message.text)
        else:
            self._wire.send(rt.ResponseTextDoneEvent, **place, text=message.text)
            content = assistant.Content(type="output_text", text=message.text)
        self._wire.send(rt.ResponseContentPartDoneEvent, **place, part=self._part(message.text))
        entry = message.entry
        entry.audio, message.audio = bytes(message.audio), bytearray()
        entry.item = entry.item.model_copy(update={"content": [content], "status": status})
        self._end(entry, message.index)
        entry.cut_now()

    def _begin(self, entry: Entry) -> int:
        """An item appears, empty, in the response and in the conversation."""
        self._items.append(entry)
        index = len(self._items) - 1
        self._wire.send(rt.ResponseOutputItemAddedEvent, response_id=self.id, output_index=index, item=entry.item)
        if self.asked.conversation_id:
            previous = self._conversation.add(entry)
            self._wire.send(rt.ConversationItemAdded, item=entry.item, previous_item_id=previous)
        return index

    def _end(self, entry: Entry, index: int) -> None:
        self._wire.send(rt.ResponseOutputItemDoneEvent, response_id=self.id, output_index=index, item=entry.item)
        if self.asked.conversation_id:
            previous = self._conversation.before(entry.id)
            self._wire.send(rt.ConversationItemDone, item=entry.item, previous_item_id=previous)

    def _audio(self, message: _Message, data: bytes) -> None:
        if data:
            message.audio += data
            message.size += len(data)
            delta = Delta(self.id, audio=len(data))
            self._wire.send(rt.ResponseAudioDeltaEvent, delta, **self._place(message), delta=text_of(data))

    def _transcript(self, message: _Message, text: str) -> None:
        if text:
            message.text += text
            delta = Delta(self.id, text=len(text))
            self._wire.send(rt.ResponseAudioTranscriptDeltaEvent, delta, **self._place(message), delta=text)

    def _place(self, message: _Message) -> dict[str, Any]:
        return {"response_id": self.id, "item_id": message.entry.id, "output_index": message.index, "content_index": 0}

    def _part(self, text: str) -> dict[str, str]:
        return (
            {"type": "audio", "transcript": text} if self.asked.modality == "audio" else {"type": "text", "text": text}
        )

    def _usage(self) -> dict[str, Any]:
        """In our own units: a word is a text token, a tenth of a second of sound an audio token."""
        written, spoken, heard = self.tokens(), self.sent_ms // 100, self.heard_tokens
        return {
            "total_tokens": heard + written + spoken,
            "input_tokens": heard,
            "output_tokens": written + spoken,
            "input_token_details": {"audio_tokens": heard, "text_tokens": 0, "image_tokens": 0, "cached_tokens": 0},
            "output_token_details": {"audio_tokens": spoken, "text_tokens": written},
        }

    def _shown(self, status: str, details: dict[str, Any] | None, usage: dict[str, Any] | None) -> dict[str, Any]:
        """The response object; the event's class checks it."""
        asked = self.asked
        shown: dict[str, Any] = {
            "id": self.id,
            "object": "realtime.response",
            "status": status,
            "status_details": details,
            "output": [entry.item for entry in self._items],
            "conversation_id": asked.conversation_id,
            "output_modalities": [asked.modality],
            "max_output_tokens": asked.most_tokens or "inf",
            "audio": {"output": {"format": shown_format(asked.wire.name), "voice": asked.voice}},
            "metadata": dict(asked.metadata) if asked.metadata else None,
            "usage": usage,
        }
        if self.over:
            shown["step_audio"] = {"timings_ms": self.timings, **self.facts}
        return shown
