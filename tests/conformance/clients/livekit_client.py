"""LiveKit's Realtime plugin: its session class driven directly, as `AgentSession` does, without a media server."""

# mypy: ignore-errors
# The packages of this client are in an environment of their own; mypy does not see them.

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
from livekit import rtc
from livekit.agents import llm
from livekit.plugins.openai import realtime
from story import DESCRIPTION, FUNCTION, MODEL, PARAMETERS, RATE, RESULT, Microphone, Options, Story, converse, play


class Agent:
    """Plays answers, runs functions, interrupts and truncates: what an AgentSession does with its model."""

    def __init__(self, session: Any, story: Story) -> None:
        self.session, self.story = session, story
        self.tasks: set[asyncio.Task[None]] = set()
        self.playing: str | None = None
        self.played_ms = 0
        session.on("generation_created", lambda event: self.start(self.generation(event)))
        session.on("input_speech_started", lambda event: self.barge_in())
        session.on("input_audio_transcription_completed", self.heard)
        session.on("error", lambda event: story.errors.append(str(event.error)))

    def start(self, work: Any) -> None:
        """Do something beside."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def heard(self, event: Any) -> None:
        """A transcript."""
        if event.is_final:
            self.story.transcripts.append(event.transcript)

    async def generation(self, event: Any) -> None:
        """One response: its messages and its function calls."""
        self.start(self.functions(event.function_stream))
        async for message in event.message_stream:
            await message.modalities
            self.start(self.words(message.text_stream))
            self.playing, self.played_ms = message.message_id, 0
            async for frame in message.audio_stream:
                self.story.sound(bytes(frame.data))
                self.played_ms += frame.samples_per_channel * 1000 // frame.sample_rate

    async def words(self, stream: Any) -> None:
        """The transcript of an answer."""
        self.story.answers.append("".join([str(piece) async for piece in stream]))

    async def functions(self, stream: Any) -> None:
        """Run what is called, put the result into the conversation, ask for the answer."""
        async for call in stream:
            self.story.calls.append({"name": call.name, "arguments": json.loads(call.arguments)})
            context = self.session.chat_ctx.copy()
            context.items.append(
                llm.FunctionCallOutput(call_id=call.call_id, name=call.name, output=json.dumps(RESULT), is_error=False)
            )
            await self.session.update_chat_ctx(context)
            await self.session.generate_reply()

    def barge_in(self) -> None:
        """The person began to speak: stop the answer, tell how much of it was played."""
        if self.playing is None:
            return
        name, self.playing = self.playing, None
        self.story.interruptions += 1
        self.session.interrupt()
        cut = min(self.played_ms, 400)
        self.session.truncate(message_id=name, modalities=["audio", "text"], audio_end_ms=cut)


async def run(story: Story, options: Options) -> None:
    """Hold the conversation."""
    async with aiohttp.ClientSession() as http:
        model = realtime.RealtimeModel(model=MODEL, base_url=options.http, api_key="sk-local", http_session=http)
        session = model.session()
        agent = Agent(session, story)

        @llm.function_tool(raw_schema={"name": FUNCTION, "description": DESCRIPTION, "parameters": PARAMETERS})
        async def order_drink(raw_arguments: dict[str, object]) -> str:
            return json.dumps(RESULT)

        await session.update_instructions("You take orders.")
        await session.update_tools([order_drink])

        async def send(frame: bytes) -> None:
            session.push_audio(rtc.AudioFrame(frame, RATE, 1, len(frame) // 2))

        async with Microphone(options.sound, send) as microphone:
            await converse(story, microphone, lambda: story.interruptions)
        for task in list(agent.tasks):
            task.cancel()
        await session.aclose()


if __name__ == "__main__":
    play("livekit", "livekit-plugins-openai", run)
