"""pipecat: a pipeline around `OpenAIRealtimeLLMService`, with the context aggregators its examples use."""

# mypy: ignore-errors
# The packages of this client are in an environment of their own; mypy does not see them.

from __future__ import annotations

import asyncio
from typing import Any

from pipecat.adapters.schemas.function_schema import FunctionSchema
from pipecat.adapters.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMRunFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.openai.realtime.events import (
    AudioConfiguration,
    AudioInput,
    InputAudioTranscription,
    SemanticTurnDetection,
    SessionProperties,
)
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.workers.runner import WorkerRunner
from story import DESCRIPTION, FUNCTION, MODEL, PARAMETERS, RATE, RESULT, Microphone, Options, Story, converse, play


class Ear(FrameProcessor):
    """Tells the story what passes; stands on both sides of the service."""

    def __init__(self, story: Story) -> None:
        super().__init__()
        self.story = story

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Note and pass on."""
        await super().process_frame(frame, direction)
        if direction is FrameDirection.DOWNSTREAM and isinstance(frame, TTSAudioRawFrame):
            self.story.sound(frame.audio)
        elif isinstance(frame, TTSTextFrame):
            self.story.answers.append(frame.text)
        elif isinstance(frame, InterruptionFrame) and direction is FrameDirection.DOWNSTREAM:
            self.story.interruptions += 1
        elif isinstance(frame, TranscriptionFrame) and direction is FrameDirection.UPSTREAM:
            self.story.transcripts.append(frame.text)
        elif isinstance(frame, ErrorFrame):
            self.story.errors.append(str(frame.error))
        await self.push_frame(frame, direction)


async def run(story: Story, options: Options) -> None:
    """Hold the conversation."""
    listen = AudioInput(transcription=InputAudioTranscription(), turn_detection=SemanticTurnDetection())
    service = OpenAIRealtimeLLMService(
        api_key="sk-local",
        base_url=options.url,
        settings=OpenAIRealtimeLLMService.Settings(
            model=MODEL,
            system_instruction="You take orders.",
            session_properties=SessionProperties(audio=AudioConfiguration(input=listen)),
        ),
    )

    async def order_drink(params: Any) -> None:
        story.calls.append({"name": params.function_name, "arguments": dict(params.arguments)})
        await params.result_callback(RESULT)

    service.register_function(FUNCTION, order_drink)
    schema = FunctionSchema(FUNCTION, DESCRIPTION, PARAMETERS["properties"], required=["coffeeDrink"])
    aggregators = LLMContextAggregatorPair(LLMContext(tools=ToolsSchema(standard_tools=[schema])))
    before, after = Ear(story), Ear(story)
    pipeline = Pipeline([aggregators.user(), before, service, after, aggregators.assistant()])
    worker = PipelineWorker(
        pipeline,
        params=PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE),
        idle_timeout_secs=None,
    )
    runner = WorkerRunner(handle_sigint=False)
    running = asyncio.create_task(_run(runner, worker))
    await asyncio.sleep(1.0)
    await worker.queue_frame(LLMRunFrame())

    async def send(frame: bytes) -> None:
        await worker.queue_frame(InputAudioRawFrame(audio=frame, sample_rate=RATE, num_channels=1))

    async with Microphone(options.sound, send) as microphone:
        await converse(story, microphone, lambda: story.interruptions)
    story.answers = ["".join(story.answers)]
    await worker.queue_frame(EndFrame())
    await running


async def _run(runner: Any, worker: Any) -> None:
    await runner.add_workers(worker)
    await runner.run()


if __name__ == "__main__":
    play("pipecat", "pipecat-ai", run)
