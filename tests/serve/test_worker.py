"""The worker: calls together as each alone, the urgent first, nobody starved, nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from step_audio_mini.errors import UserError
from step_audio_mini.serve.worker import Call, CallClosedError, Heard, Worker
from step_audio_mini.types import (
    Attributes,
    Hearing,
    Samples,
)
from tests.serve.worker_fakes import CHUNK, Rooms, Steps

pytestmark = pytest.mark.unit


def with_worker(
    work: Callable[[Worker, Rooms, Steps], Awaitable[Any]], window_ms: float = 20.0, seconds: float = 0.0
) -> Any:
    async def main() -> Any:
        rooms, steps = Rooms(), Steps(seconds)
        async with Worker(rooms, window_ms, steps) as worker:
            return await asyncio.wait_for(work(worker, rooms, steps), 20)

    return asyncio.run(main())


def sound(seed: int, length: int) -> Samples:
    return np.random.default_rng(seed).random(length, np.float32) * np.float32(0.001)


async def talk(call: Call, seed: int) -> tuple[list[Heard], str, list[float]]:
    """A turn of a call: sound in pieces, a plan, an answer."""
    samples = sound(seed, 12_000 + 500 * seed)
    heard = [await call.hear(piece) for piece in np.split(samples, range(3_000, len(samples), 3_000))]
    decision = await call.complete(await call.plan(await call.hearing()), ["done"])
    return heard, decision.reply, [float(piece.samples[0]) async for piece in call.speak(decision.reply, "en")]


def test_calls_together_are_as_each_alone() -> None:
    async def together(worker: Worker, rooms: Rooms, steps: Steps) -> Any:
        calls = [await worker.open("home") for _ in range(6)]
        told = await asyncio.gather(*(talk(call, seed) for seed, call in enumerate(calls)))
        assert max(steps.sizes) > 1, "steps of several calls run as one"
        return told

    async def alone(worker: Worker, rooms: Rooms, steps: Steps) -> Any:
        return [await talk(await worker.open("home"), seed) for seed in range(6)]

    assert with_worker(together) == with_worker(alone, window_ms=0.0)


def test_the_clock_counts_all_sound_and_a_turn_may_begin_with_what_was_before() -> None:
    async def work(worker: Worker, rooms: Rooms, steps: Steps) -> None:
        call = await worker.open("home")
        assert (await call.hear(np.full(24_000, 1e-5, np.float32))).audio_ms == 1500
        await call.reset(keep_ms=300)
        heard = await call.hear(np.zeros(160, np.float32))
        assert (heard.audio_ms, heard.text) == (1510, "0.05")
        assert (heard.end, heard.silence_ms) == (0.25, 400)
        await call.reset()
        assert (await call.hearing()).best.text == "0.00"

    with_worker(work)


def test_another_language_holds_from_the_next_turn_on_and_at_once_before_speech() -> None:
    async def work(worker: Worker, rooms: Rooms, steps: Steps) -> None:
        call = await worker.open("home")
        await call.hear(np.full(4_000, -0.001, np.float32))
        await call.listen_to("zh")
        assert (await call.hear(np.zeros(160, np.float32))).text == "zh -4.00", "what was not speech yet is heard again"
        assert call.dialogue.language == "zh"
        await call.hear(np.full(8_000, 0.001, np.float32))
        await asyncio.gather(call.listen_to("auto"), call.listen_to("en"))
        assert (await call.hear(np.zeros(160, np.float32))).text == "zh 4.00"
        await call.reset()
        assert (await call.hear(np.full(4_000, 0.001, np.float32))).text == "en 4.00"
        await call.close()
        with pytest.raises(CallClosedError):
            await call.listen_to("auto")

    with_worker(work)


def test_a_reply_may_have_a_voice_of_its_own() -> None:
    async def work(worker: Worker, rooms: Rooms, steps: Steps) -> None:
        assert worker.voices() == ("ann", "li")
        call = await worker.open("home")
        for voice in (None, "li"):
            assert [piece async for piece in call.speak("one", "en", voice=voice)]
        assert rooms.made_voice.asked == [None, "li"]

    with_worker(work)


def test_a_piece_that_completes_no_chunk_waits_for_nobody() -> None:
    async def work(worker: Worker, rooms: Rooms, steps: Steps) -> None:
        busy, other = await worker.open("home"), await worker.open("home")
        stepping = asyncio.ensure_future(busy.hear(sound(1, CHUNK)))
        await asyncio.sleep(0.05)
        told = [(await other.hear(sound(2, 320))).audio_ms for _ in range(15)]
        assert told == [20 * (number + 1) for number in range(15)]
        assert not stepping.done()
        assert (await other.hear(sound(2, 320))).audio_ms == 320
        assert stepping.done()
        assert steps.sizes == [1, 1]

    with_worker(work, window_ms=0.0, seconds=0.3)


def test_a_hearing_disturbs_nothing() -> None:
    async def work(worker: Worker, rooms: Rooms, steps: Steps) -> None:
        call = await worker.open("home")
        await call.hear(np.full(4_000, 0.001, np.float32))
        one, _, two = await asyncio.gather(call.hearing(), call.hear(np.full(4_000, 0.001, np.float32)), call.hearing())
        assert [one.best.text, two.best.text] == ["4.00", "8.00"]
        assert (await call.hear(np.zeros(0, np.float32))).text == "8.00"

    with_worker(work)


def test_a_hearing_is_made_once_for_as_long_as_nothing_more_is_said() -> None:
    async def work(worker: Worker, rooms: Rooms, steps: Steps) -> None:
        call = await worker.open("home")
        await call.hear(np.full(4_000, 0.001, np.float32))
        hearing = await call.hearing()
        await call.hear(np.zeros(160, np.float32))
        made = len(steps.sizes)
        one, two = await asyncio.gather(call.hearing(), call.hearing())
        assert one is two is hearing
        assert len(steps.sizes) == made
        await call.hear(np.full(160, 0.01, np.float32))
        assert (await call.hearing()).best.text == "5.60"
        await call.reset()
        assert (await call.hearing()).best.text == "0.00"

    with_worker(work)


def test_who_sends_a_minute_at_once_delays_nobody() -> None:
    async def work(worker: Worker, rooms: Rooms, steps: Steps) -> None:
        greedy, live = await worker.open("home"), await worker.open("home")
        flood = asyncio.ensure_future(greedy.hear(np.zeros(16_000 * 60, np.float32)))
        await asyncio.sleep(0.05)
        for _ in range(3):
            await live.hear(sound(1, CHUNK))
            assert not flood.done()
        assert [piece async for piece in live.speak("one", "en")]
        assert not flood.done()
        assert (await flood).audio_ms == 60_000

    with_worker(work, window_ms=0.0, seconds=0.005)


def test_silence_without_end_is_bounded() -> None:
    async def work(worker: Worker, rooms: Rooms, steps: Steps) -> None:
        call = await worker.open("home")
        for _ in range(25):
            heard = await call.hear(np.full(16_000, -0.001, np.float32))
        assert heard.audio_ms == 25_000
        assert heard.text == "-80.00", "the last five seconds"

    with_worker(work)


def test_a_tool_that_takes_its_time_delays_nobody() -> None:
    async def work(worker: Worker, rooms: Rooms, steps: Steps) -> None:
        one, other = await worker.open("home"), await worker.open("home")
        deciding = asyncio.ensure_future(one.decide(await one.hearing()))
        await other.hear(sound(1, CHUNK))
        assert not deciding.done()
        assert (await deciding).reply == "0 0.00 ok"
        await one.accept("x")
        assert one.dialogue == ["0 0.00", "accepted"]

    with_worker(work)


def test_closing_a_reply_stops_its_making() -> None:
    async def work(worker: Worker, rooms: Rooms, steps: Steps) -> None:
        call = await worker.open("home")
        speaking = call.speak("a b c d e f", "en")
        await anext(speaking)
        await speaking.aclose()
        await asyncio.sleep(0.02)
        assert rooms.made_voice.made == 1
        with pytest.raises(UserError, match="nothing to say"):
            await anext(call.speak("", "en"))

    with_worker(work)


def test_a_cancelled_wait_loses_no_sound_and_no_other_work() -> None:
    async def work(worker: Worker, rooms: Rooms, steps: Steps) -> None:
        call = await worker.open("home")
        hearing = asyncio.ensure_future(call.hear(np.full(16_000, 1e-4, np.float32)))
        planning = asyncio.ensure_future(
            call.plan(Hearing((), Attributes(0.0, 0.0, None), np.zeros((0, 3), np.float32)))
        )
        await asyncio.sleep(0)
        hearing.cancel()
        planning.cancel()
        assert (await call.hearing()).best.text == "1.60"

    with_worker(work, seconds=0.01)


def test_a_failing_step_fails_its_call_alone() -> None:
    async def work(worker: Worker, rooms: Rooms, steps: Steps) -> None:
        one, other = await worker.open("home"), await worker.open("home")
        steps.error = ValueError("broken")
        with pytest.raises(ValueError, match="broken"):
            await one.hear(sound(1, CHUNK))
        steps.error = None
        assert (await other.hear(sound(1, CHUNK))).audio_ms == 320
        assert worker.alive

    with_worker(work)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dying_thread_is_told_to_all_who_wait() -> None:
    async def work(worker: Worker, rooms: Rooms, steps: Steps) -> None:
        call = await worker.open("home")
        steps.error = SystemExit()
        with pytest.raises(CallClosedError, match="stopped"):
            await call.hear(sound(1, CHUNK))
        assert not worker.alive
        with pytest.raises(CallClosedError):
            await worker.open("home")

    with_worker(work)


def test_nothing_is_left_of_a_closed_call() -> None:
    async def work(worker: Worker, rooms: Rooms, steps: Steps) -> None:
        for _ in range(3):
            call = await worker.open("home")
            waiting = [asyncio.ensure_future(call.hear(sound(1, CHUNK))) for _ in range(3)]
            await asyncio.sleep(0)
            await call.close()
            await call.close()
            told = await asyncio.gather(*waiting, return_exceptions=True)
            assert any(isinstance(one, CallClosedError) for one in told)
            with pytest.raises(CallClosedError):
                await call.hear(sound(1, 100))
            del call, waiting, told
        await asyncio.sleep(0.1)
        gc.collect()
        assert [ears() for ears in rooms.ears_made] == [None] * 3
        assert (worker.load.calls, worker.load.queued) == (0, 0)

    before = threading.active_count()
    with_worker(work, seconds=0.01)
    deadline = time.monotonic() + 2
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_the_load_is_told() -> None:
    async def work(worker: Worker, rooms: Rooms, steps: Steps) -> None:
        call = await worker.open("home")
        assert worker.load.busy == 0.0
        await call.hear(sound(1, 20 * CHUNK))
        load = worker.load
        assert load.calls == 1
        assert load.busy > 0.005
        assert load.lag_p95_ms >= 0.0
        assert load.missed >= 0

    with_worker(work, seconds=0.01)


def test_who_waits_behind_others_is_late_and_a_lag_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(worker: Worker, rooms: Rooms, steps: Steps) -> None:
        calls = [await worker.open("home") for _ in range(3)]
        steps.seconds = 0.05
        speaking = [asyncio.ensure_future(anext(call.speak("one", "en"))) for call in calls]
        await asyncio.gather(*(call.hear(sound(1, CHUNK)) for call in calls), *speaking)
        assert worker.load.lag_p95_ms > 10
        await asyncio.sleep(0.6)
        assert (worker.load.lag_p95_ms, worker.load.busy) == (0.0, 0.0)

    monkeypatch.setattr("step_audio_mini.serve.batch.RECENT", 0.5)
    with_worker(work)
