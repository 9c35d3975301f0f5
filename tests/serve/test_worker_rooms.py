"""The worker over real rooms: many calls together hear, answer and sound as the model does for each alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from step_audio_mini import StepAudio2Mini
from step_audio_mini.audio import file
from step_audio_mini.listen.stream import Stream, advance
from step_audio_mini.rooms import TrainedRooms
from step_audio_mini.runtime.manifest import Weights
from step_audio_mini.serve.worker import Call, Worker
from step_audio_mini.types import Hearing, Samples
from tests import tiny
from tests.shipped import needs_weights

FIXTURES = Path(__file__).parents[1] / "fixtures"
Talk = tuple[Samples, str]
"""A turn and its pack."""


@pytest.fixture(scope="module")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("calls")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        yield tiny.weights(folder / "weights")


async def converse(call: Call, sound: Samples) -> tuple[Hearing, str, Samples, str]:
    """A turn in pieces of 0.1 s, and its answer: what was heard, the reply, its sound, its words joined."""
    for begin in range(0, len(sound), 1_600):
        await call.hear(sound[begin : begin + 1_600])
    hearing = await call.hearing()
    decision = await call.decide(hearing)
    chunks = [chunk async for chunk in call.speak(decision.reply, decision.language, decision.style)]
    words = "".join(word.text for chunk in chunks for word in chunk.words)
    return hearing, decision.reply, np.concatenate([chunk.samples for chunk in chunks]), words


def together_as_alone(weights: str | Path, talks: Sequence[Talk]) -> list[int]:
    """Checks it; sizes of the runs of the ears."""
    sizes = []

    def step(streams: Sequence[Stream]) -> None:
        sizes.append(len(streams))
        advance(streams)

    async def main() -> list[tuple[Hearing, str, Samples, str]]:
        async with Worker(TrainedRooms(Weights.open(weights), None, {}, None), 50.0, step) as worker:
            calls = [await worker.open(pack) for _, pack in talks]
            return await asyncio.gather(*(converse(call, talk[0]) for call, talk in zip(calls, talks, strict=True)))

    told = asyncio.run(main())
    model = StepAudio2Mini.from_pretrained(weights)
    for (hearing, reply, samples, words), (sound, pack) in zip(told, talks, strict=True):
        alone = model.listen(sound, pack)
        assert hearing.nbest == alone.nbest
        assert (hearing.attributes.snr_db, hearing.attributes.rate) == (alone.attributes.snr_db, alone.attributes.rate)
        assert hearing.attributes.pitch_hz is None, "nobody waits for what is not needed"
        np.testing.assert_allclose(hearing.vectors, alone.vectors, atol=1e-4)
        decision = model.think(alone, pack)
        assert reply == words == decision.reply
        np.testing.assert_array_equal(samples, model.speak(decision.reply, decision.language, decision.style).samples)
    return sizes


@pytest.mark.unit
def test_calls_of_several_packs_together_are_as_each_alone(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stream, "shares", True)  # nothing in the tiny graph is quantised
    said = [("get me a small coffee", "coffee"), ("打 开 客 厅 灯", "home")]
    sizes = together_as_alone(tiny_weights, [(tiny.say(text), pack) for text, pack in said])
    assert max(sizes) == 2


@pytest.mark.golden
@needs_weights
def test_recordings_together_are_as_each_alone() -> None:
    order, shopping = (file.read(FIXTURES / name) for name in ("order.opus", "shopping.opus"))
    together_as_alone("step-audio-2-mini", [(order, "coffee"), (shopping, "coffee"), (order[16_000:], "coffee")])
