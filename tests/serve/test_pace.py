"""Sound sent just in time, and held, for a client that can hold still."""

from __future__ import annotations

import asyncio
import base64
import time

import numpy as np
import pytest

from step_audio_mini.serve.pace import LEAD_S, PIECE, Pace, cut
from step_audio_mini.types import AudioChunk, SpokenWord
from tests.serve.fakes import Script, silence, speech
from tests.serve.harness import talking

pytestmark = pytest.mark.unit


async def test_a_client_that_can_hold_still_is_asked_to_and_gets_its_sound_just_in_time() -> None:
    script = Script(turns=["tell me a story please"], replies={"tell me a story please": " ".join(["once"] * 8)})
    async with talking(script, strict=False) as line:  # an empty piece of sound is beyond the oracle
        source = {"input": {"turn_detection": {"type": "semantic_vad"}}}
        line.say("session.update", session={"type": "realtime", "audio": source, "step_audio": {"hold": True}})
        line.sound(speech(1.4) + silence(0.7))
        await line.until("response.output_audio.delta")
        began = time.monotonic()
        await asyncio.sleep(0.3)
        line.sound(speech(0.16) + silence(0.4))  # a door, no word
        done = (await line.until("response.done"))["response"]
        lasted = time.monotonic() - began
    holds = [e["step_audio"]["hold"] for e in line.of("response.output_audio.delta") if "step_audio" in e]
    sound = sum(len(base64.b64decode(event["delta"])) for event in line.of("response.output_audio.delta"))
    assert holds == [True, False]
    assert done["status"] == "completed"
    assert abs(sound / 48_000 - 2.0) < 0.01
    assert lasted > 2.0 - LEAD_S - 0.4


def test_pace_waits_for_the_loudspeaker_and_not_while_it_holds() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])
    assert pace.wait_s(0) == 0
    assert pace.wait_s(3000) == pytest.approx(3 - LEAD_S)
    pace.hold(True)
    now[0] = 5.0
    pace.hold(False)
    assert pace.wait_s(3000) == pytest.approx(3 - LEAD_S)
    whole = AudioChunk(np.arange(8000, dtype=np.float32), words=(SpokenWord("a ", 10), SpokenWord("b", 7999)))
    parts = list(cut(whole))
    assert [len(part.samples) for part in parts] == [PIECE, PIECE, 8000 - 2 * PIECE]
    assert [[(w.text, w.end) for w in part.words] for part in parts] == [[("a ", 10)], [], [("b", 7999 - 2 * PIECE)]]
