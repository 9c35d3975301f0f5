"""The `openai` package: `realtime.connect`, every client event it can send over a WebSocket."""

# mypy: ignore-errors
# The packages of this client are in an environment of their own; mypy does not see them.

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

from openai import AsyncOpenAI
from story import DESCRIPTION, FUNCTION, MODEL, PARAMETERS, RESULT, Microphone, Options, Story, converse, play, waits

SESSION: Any = {
    "type": "realtime",
    "output_modalities": ["audio"],
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": {"model": MODEL},
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 500},
        },
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin"},
    },
    "tools": [{"type": "function", "name": FUNCTION, "description": DESCRIPTION, "parameters": PARAMETERS}],
}


class Listener:
    """Plays the part of an application: answers calls, truncates what was spoken over."""

    def __init__(self, connection: Any, story: Story) -> None:
        self.connection, self.story = connection, story
        self.seen: list[Any] = []
        self.items: dict[str, int] = {}  # assistant items and their bytes of sound
        self.playing: str | None = None
        self.cut = 0

    async def run(self) -> None:
        """Until the connection ends."""
        async for event in self.connection:
            self.seen.append(event)
            await self.on(event)

    async def on(self, event: Any) -> None:
        """What an application does with an event."""
        story = self.story
        if event.type == "response.output_audio.delta":
            sound = base64.b64decode(event.delta)
            story.sound(sound)
            self.items[event.item_id] = self.items.get(event.item_id, 0) + len(sound)
            self.playing = event.item_id
        elif event.type == "response.output_audio_transcript.done":
            story.answers.append(event.transcript)
        elif event.type == "conversation.item.input_audio_transcription.completed":
            story.transcripts.append(event.transcript)
        elif event.type == "response.output_item.done" and event.item.type == "function_call":
            story.calls.append({"name": event.item.name, "arguments": json.loads(event.item.arguments)})
            output: Any = {"type": "function_call_output", "call_id": event.item.call_id, "output": json.dumps(RESULT)}
            await self.connection.conversation.item.create(item=output)
            await self.connection.response.create()
        elif event.type == "input_audio_buffer.speech_started" and self.playing:
            name, self.playing = self.playing, None
            played = min(self.items[name] // 48, 300)  # a player that had got so far
            await self.connection.conversation.item.truncate(item_id=name, content_index=0, audio_end_ms=played)
        elif event.type == "conversation.item.truncated":
            story.interruptions += 1
        elif event.type == "error":
            story.errors.append(f"{event.error.code}: {event.error.message}")

    def types(self) -> list[str]:
        """Types of all that came."""
        return [event.type for event in self.seen]


async def rest(connection: Any, listener: Listener, story: Story) -> None:
    """Every client event that the conversation did not need."""
    manual: Any = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}

    async def answered(name: str, kind: str, ask: Any) -> Any:
        before = listener.types().count(kind)
        await ask
        await waits(story, name, lambda: listener.types().count(kind) > before)
        return [event for event in listener.seen if event.type == kind][-1]

    await answered("session changed", "session.updated", connection.session.update(session=manual))
    await connection.input_audio_buffer.append(audio=base64.b64encode(bytes(4800)).decode())
    await answered("buffer cleared", "input_audio_buffer.cleared", connection.input_audio_buffer.clear())
    await connection.input_audio_buffer.append(audio=base64.b64encode(bytes(48000)).decode())
    turn = await answered("turn committed", "input_audio_buffer.committed", connection.input_audio_buffer.commit())
    deleted = connection.conversation.item.delete(item_id=turn.item_id)
    await answered("item deleted", "conversation.item.deleted", deleted)
    text: Any = {"type": "message", "role": "user", "id": "mine", "content": [{"type": "input_text", "text": "hello"}]}
    made = await answered("item created", "conversation.item.added", connection.conversation.item.create(item=text))
    story.held["own id kept"] = made.item.id == "mine"
    retrieve = connection.conversation.item.retrieve(item_id="mine")
    await answered("item retrieved", "conversation.item.retrieved", retrieve)
    written: Any = {"output_modalities": ["text"], "metadata": {"topic": "greeting"}}
    done = await answered("answer in writing", "response.done", connection.response.create(response=written))
    story.held["metadata kept"] = done.response.metadata == {"topic": "greeting"}
    aside: Any = {"conversation": "none", "output_modalities": ["text"], "input": [text | {"id": "other"}]}
    done = await answered("answer out of band", "response.done", connection.response.create(response=aside))
    story.held["out of band"] = done.response.conversation_id is None
    before = len(story.errors)
    refusal = await answered("cancelling nothing is refused", "error", connection.response.cancel())
    story.held["refusal is named"] = refusal.error.code == "response_cancel_not_active"
    del story.errors[before:]


async def run(story: Story, options: Options) -> None:
    """Hold the conversation, then send what is left."""
    client = AsyncOpenAI(api_key="sk-local", base_url=options.http)
    async with client.realtime.connect(model=MODEL) as connection:
        listener = Listener(connection, story)
        listening = asyncio.create_task(listener.run())
        await connection.session.update(session=SESSION)

        async def send(frame: bytes) -> None:
            await connection.input_audio_buffer.append(audio=base64.b64encode(frame).decode())

        async with Microphone(options.sound, send) as microphone:
            await converse(story, microphone, lambda: story.interruptions)
        await rest(connection, listener, story)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


if __name__ == "__main__":
    play("openai", "openai", run)
