"""`step-audio serve` as a user starts it: a call with a recording, a stop, and what a user can get wrong."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from websockets.asyncio.client import connect

from step_audio_mini.audio import file
from step_audio_mini.audio.resample import Resampler
from step_audio_mini.cli.main import main
from tests.shipped import needs_weights

RECORDING = Path(__file__).resolve().parents[1] / "fixtures" / "order.opus"
COMMAND = [sys.executable, "-m", "step_audio_mini.cli.main", "serve", "--port", "0", "--pack", "coffee"]


@pytest.mark.unit
def test_what_a_user_can_get_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "keys").write_text("short\n", "utf-8")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        for arguments in (
            ["--api-key-file", str(tmp_path / "keys")],
            ["--api-key-file", str(tmp_path / "none")],
            ["--port", str(taken.getsockname()[1])],
            ["--port", "99999"],
            ["--host", "no.such.host.example"],
        ):
            assert main(["serve", *arguments]) == 2
            told = capsys.readouterr().err
            assert told.count("\n") == 1
            assert told.startswith("step-audio: ")


@pytest.mark.golden
@needs_weights
def test_a_recorded_order_is_answered_and_the_server_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEP_AUDIO_STATE", str(tmp_path / "state.sqlite"))
    server = subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        told = re.search(r"http://(\S+)/", server.stdout.readline())
        assert told is not None
        said, seconds = asyncio.run(hold_a_call(told[1]))
    finally:
        server.send_signal(signal.SIGTERM)
        logged = server.communicate(timeout=60)[1]
    assert said.startswith("One small")
    assert seconds > 1.5
    assert server.returncode in (0, -signal.SIGTERM)
    lines = [json.loads(line) for line in logged.splitlines()]
    assert [line["event"] for line in lines] == ["call ended"]
    assert "small" not in logged


async def hold_a_call(address: str) -> tuple[str, float]:
    """The words of the answer to the recording, and how long its sound lasts."""
    resampler = Resampler(16_000, 24_000)
    samples = np.concatenate([resampler.push(file.read(RECORDING)), resampler.finish(), np.zeros(24_000, np.float32)])
    sound, heard = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes(), 0
    async with asyncio.timeout(120), connect(f"ws://{address}/v1/realtime", max_size=None) as web:
        detection = {"audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}}
        await web.send(json.dumps({"type": "session.update", "session": {"type": "realtime", **detection}}))
        for start in range(0, len(sound), 9600):
            piece = base64.b64encode(sound[start : start + 9600]).decode()
            await web.send(json.dumps({"type": "input_audio_buffer.append", "audio": piece}))
        said = ""
        async for frame in web:
            event = json.loads(frame)
            if event["type"] == "response.output_audio.delta":
                heard += len(base64.b64decode(event["delta"]))
            elif event["type"] == "response.output_audio_transcript.done":
                said = event["transcript"]
            elif event["type"] == "response.done":
                break
    return said, heard / 48_000
