"""The OpenAI Agents SDK: `RealtimeRunner` and its session, as an application uses them."""

# mypy: ignore-errors
# The packages of this client are in an environment of their own; mypy does not see them.

from __future__ import annotations

import asyncio
import json
from typing import Any

from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeRunner
from story import FUNCTION, MODEL, RESULT, Microphone, Options, Story, converse, play


async def listen(session: Any, story: Story) -> None:
    """What the session tells its application."""
    async for event in session:
        if event.type == "audio":
            story.sound(event.audio.data)
        elif event.type == "audio_interrupted":
            story.interruptions += 1
        elif event.type == "error":
            story.errors.append(str(event.error))
        elif event.type == "raw_model_event":
            inner = event.data
            if inner.type == "exception":
                story.errors.append(f"{inner.context}: {inner.exception}")
            elif inner.type == "input_audio_transcription_completed":
                story.transcripts.append(inner.transcript)
        elif event.type == "history_updated":
            spoken = [
                part for item in event.history if getattr(item, "role", "") == "assistant" for part in item.content
            ]
            story.answers = [part.transcript for part in spoken if getattr(part, "transcript", None)]


async def run(story: Story, options: Options) -> None:
    """Hold the conversation."""

    @function_tool(name_override=FUNCTION)
    def order_drink(coffeeDrink: str, size: str = "", sugarAmount: str = "", roast: str = "") -> str:
        """Order a drink."""
        story.calls.append({"name": FUNCTION, "arguments": {"coffeeDrink": coffeeDrink, "size": size}})
        return json.dumps(RESULT)

    agent = RealtimeAgent(name="barista", instructions="You take orders.", tools=[order_drink])
    config: Any = {"url": f"{options.url}?model={MODEL}", "api_key": "sk-local", "initial_model_settings": {}}
    async with await RealtimeRunner(agent).run(model_config=config) as session:
        listening = asyncio.create_task(listen(session, story))
        async with Microphone(options.sound, session.send_audio) as microphone:
            await converse(story, microphone, lambda: story.interruptions)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


if __name__ == "__main__":
    play("openai-agents", "openai-agents", run)
