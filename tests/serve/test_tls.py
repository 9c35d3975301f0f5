"""A server with a certificate of its own: https and wss, and what a user can get wrong with the files."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake
from websockets.typing import Origin

from step_audio_mini.cli.main import main
from step_audio_mini.errors import UserError
from step_audio_mini.serve.app import make_app
from step_audio_mini.serve.sockets import server_of
from step_audio_mini.serve.tls import Certificate
from tests.serve.fakes import FakeTools, FakeWorker

pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl"),
]


def self_signed(folder: Path, *more: str) -> tuple[Path, Path]:
    """A certificate for this machine, and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, *names, "-keyout", key, "-out", cert, *(more or ["-nodes"])], check=True,
                   capture_output=True)  # fmt: skip
    return cert, key


async def test_a_call_and_the_page_over_tls(tmp_path: Path) -> None:
    cert, key = self_signed(tmp_path)
    tools = FakeTools()
    server = server_of(make_app(FakeWorker(), lambda _: tools), certificate=Certificate.of(cert, key))
    task = asyncio.ensure_future(server._serve())
    while not server.started:
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    trusting = ssl.create_default_context(cafile=str(cert))
    try:
        async with connect(
            f"wss://127.0.0.1:{port}/v1/realtime", ssl=trusting, origin=Origin(f"https://127.0.0.1:{port}")
        ) as web:
            assert json.loads(await web.recv())["type"] == "session.created"
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
        writer.write(f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        assert b"200 OK" in await reader.read()
        writer.close()
        with pytest.raises((InvalidHandshake, OSError)):  # without it, nothing
            await connect(f"ws://127.0.0.1:{port}/v1/realtime", open_timeout=2)
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, 20)


def test_files_that_are_no_certificate_and_its_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "locked").mkdir()
    cert, key = self_signed(tmp_path)
    _, others = self_signed(tmp_path / "other")
    locked = self_signed(tmp_path / "locked", "-passout", "pass:secret")
    for given in ((cert, cert), (key, key), (cert, others), locked, (cert, tmp_path / "none"), (tmp_path, key)):
        with pytest.raises(UserError, match="PEM"):
            Certificate.of(*given)
    assert Certificate.of(None, None) is None
    for arguments in (["--tls-cert", str(cert)], ["--tls-key", str(key)]):
        assert main(["serve", "--port", "0", *arguments]) == 2
        assert "give both, or none" in capsys.readouterr().err
