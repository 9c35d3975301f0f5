"""The parts of the web page in virtual time: its worklets, its conversation, its line, inside a browser but by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("websockets", reason="the page's tests need `websockets` (extra `serve`)")

from tests.serve import browser, page_mock

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(browser.CHROMIUM is None, reason="no Chromium here (Debian: apt install chromium)"),
]


@pytest.fixture(scope="module")
def laws() -> Iterator[browser.Page]:
    """One page for all of them."""
    with page_mock.running() as server, browser.browsing() as page:
        page.open(f"http://127.0.0.1:{server.port}/")
        page.run((Path(__file__).parent / "browser_laws.js").read_text("utf-8") + "; 0")
        yield page
        assert page.problems == []


def test_player_plays_what_came(laws: browser.Page) -> None:
    told = laws.run("laws.playsWhatCame()")
    assert told["wrong"] < 1e-6
    assert told["after"] == 0
    assert told["started"] == 1
    assert told["ended"] == [{"ended": "a", "played": 12000}]


def test_player_waits_before_it_begins_and_longer_after_a_gap(laws: browser.Page) -> None:
    told = laws.run("laws.waitsBeforeItBegins()")
    assert told["before"] == 0
    assert told["begun"] == 512
    assert told["starved"] == [pytest.approx(0.12)]
    assert told["waits"] == 0
    assert told["goesOn"] == 512
    short = laws.run("laws.shortAnswersSound()")
    assert short["sounds"] == 300
    assert short["ended"] == [{"ended": "a", "played": 300}]


def test_clear_falls_silent_and_strands_nothing(laws: browser.Page) -> None:
    told = laws.run("laws.clearNeverStrands()")
    assert told["heard"] == 6400
    assert told["tail"] <= 192  # the fade of 8 ms
    assert told["cleared"] == [{"cleared": 1, "item": "a", "played": 6592}]
    assert told["next"] == 1280


def test_hold_loses_no_sample(laws: browser.Page) -> None:
    told = laws.run("laws.holdLosesNothing()")
    assert told["still"] == 0
    assert told["wrong"] < 1e-6


def test_any_order_of_sound_is_played_to_its_end(laws: browser.Page) -> None:
    assert laws.run("laws.anyOrderEnds(30)") == []


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_microphone_frames_are_twenty_milliseconds(laws: browser.Page, rate: int) -> None:
    told = laws.run(f"laws.frames({rate})")
    assert told["frames"] in (49, 50)
    assert told["length"] == 480
    assert told["level"] == pytest.approx(0.5 / np.sqrt(2), rel=0.02)
    assert told["peak"] == pytest.approx(0.5, rel=0.02)
    assert told["loudest"] == pytest.approx(16384, rel=0.02)


def test_resampler_keeps_tones_and_is_the_same_in_pieces(laws: browser.Page) -> None:
    for rates in ((24000, 48000), (24000, 44100), (48000, 24000), (44100, 24000), (16000, 24000)):
        told = laws.run(f"laws.resampled({rates[0]}, {rates[1]}, 1000)")
        assert told["gain"] == pytest.approx(1, abs=0.005)
        assert told["differ"] < 1e-6
        assert told["count"] == pytest.approx(rates[1], abs=2)
    for hertz in (14000, 18000):  # would fold back
        assert laws.run(f"laws.resampled(48000, 24000, {hertz})")["gain"] < 1e-3


def test_conversation_is_read_from_standard_events(laws: browser.Page) -> None:
    kind = "conversation.item.input_audio_transcription"
    at = {"response_id": "r", "item_id": "m", "output_index": 0, "content_index": 0}
    sound = "A" * 64_000  # one second
    own = {
        "timings_ms": {"end_of_turn": 400, "think": 21.5},
        "tool_calls": [{"name": "f", "arguments": {"x": 1}, "result": {}}],
    }
    events: list[Any] = [
        [100, {"type": "input_audio_buffer.speech_started", "item_id": "u", "audio_start_ms": 50}],
        [1500, {"type": "input_audio_buffer.speech_stopped", "item_id": "u", "audio_end_ms": 400}],
        [1510, {"type": "input_audio_buffer.committed", "item_id": "u"}],
        [1515, {"type": f"{kind}.delta", "item_id": "u", "delta": "turn "}],
        [1516, {"type": f"{kind}.delta", "item_id": "u", "delta": "it on"}],
        [1520, {"type": f"{kind}.completed", "item_id": "u", "transcript": "turn it on"}],
        [1530, {"type": "response.created", "response": {"id": "r"}}],
        [1531, {"type": "response.output_item.added", "response_id": "r", "item": {"id": "m", "type": "message"}}],
        [1535, {"type": "response.output_audio_transcript.delta", "delta": "It is ", **at}],
        [1536, {"type": "response.output_audio_transcript.delta", "delta": "on now", **at}],
        [1600, {"type": "response.output_audio.delta", "delta": sound, **at}],
        [1700, {"sounded": "m"}],
        [2200, {"cut": "m", "ms": 500}],
        [2210, {"type": "response.done", "response": {"id": "r", "status": "cancelled", "step_audio": own}}],
        [2220, {"type": "conversation.item.retrieved", "item": {"id": "m", "content": [{"transcript": "It is"}]}}],
    ]
    told = laws.run(f"laws.conversation({json.dumps(events)})")
    you, assistant = told["plain"]
    assert you == {"who": "you", "text": "turn it on", "typed": False}
    assert assistant["text"] == "It is on now"
    assert assistant["heard"] == "It is"
    assert assistant["interrupted_at_ms"] == 500
    assert assistant["tools"][0]["name"] == "f"
    assert assistant["times_ms"]["server"] == {"end_of_turn": 400, "think": 21.5}
    assert told["times"] == {"pause": 400, "turn": 100, "answer": 35, "play": 165, "total": 700}
    assert [mark["kind"] for mark in told["marks"]] == ["speech", "end", "answer", "cut"]


def test_a_turn_that_came_to_nothing_is_not_shown(laws: browser.Page) -> None:
    stopped = {"type": "input_audio_buffer.speech_stopped", "item_id": "u", "audio_end_ms": 400}
    events: list[Any] = [
        [100, {"type": "input_audio_buffer.speech_started", "item_id": "u", "audio_start_ms": 50}],
        [1500, stopped | {"step_audio": {"dropped": True}}],
    ]
    assert laws.run(f"laws.conversation({json.dumps(events)})")["plain"] == []


def test_tries_again_ever_later_and_says_why_not(laws: browser.Page) -> None:
    told = laws.run("laws.waits()")
    usual, busy = zip(*told["delays"], strict=True)
    assert list(usual) == sorted(usual)
    assert list(busy) == sorted(busy)
    assert 200 <= usual[0] < busy[0] <= 2000
    assert max(busy) < 20_000
    assert told["reasons"] == ["key", "key", "full", "unreachable", "refused", "full", "restart", "lost", "ended"]
