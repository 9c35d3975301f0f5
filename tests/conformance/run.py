"""`scripts/conformance`: stock clients hold a conversation with the server, the oracle judges, the table is made.

The clients live in an environment of their own (`--venv`, made at the first run): they bring hundreds of packages that
the project never imports. Without `--weights` the server hears by a script and needs no model; with it, it is the
server that users run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import venv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

from tests.conformance.proxy import Proxy, proxying
from tests.conformance.table import ROOT, publish

CLIENTS = ("openai", "agents", "pipecat", "livekit")
HERE = Path(__file__).parent
SOUND = ROOT / "tests" / "fixtures" / "order.opus"
START_S = 120.0
STORY_S = 240.0
TITLES = {
    "scripted": "Server without weights (scripted ears and voice)",
    "weights": "Server with the shipped weights, pack `coffee`",
}


def environment(folder: Path) -> Path:
    """The interpreter of the clients' environment, made when it is missing."""
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"installing the clients into {folder} (some minutes) ...", flush=True)
        venv.create(folder, with_pip=True)
        wheels = ["--prefer-binary", "--only-binary", ":all:", "--no-binary", "docopt"]
        install = [str(python), "-m", "pip", "install", "-q", *wheels, "-r", str(HERE / "requirements.txt")]
        subprocess.run(install, check=True)
    return python


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def server(weights: bool, log: Path) -> AsyncIterator[str]:
    """A server as a process of its own; its ws://host:port. What it prints goes into `log`."""
    port = _free_port()
    fake = ["-m", "tests.conformance.fake_server", "--port", str(port)]
    real = ["-m", "step_audio_mini.cli.main", "serve", "--port", str(port), "--pack", "coffee"]
    command = [sys.executable, *(real if weights else fake)]
    with log.open("wb") as noise:
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=noise, stderr=noise)
    try:
        await _answers(f"ws://127.0.0.1:{port}/v1/realtime", process)
        yield f"ws://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _answers(url: str, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(START_S):
        while process.returncode is None:
            try:
                async with connect(url):
                    return
            except OSError:
                await asyncio.sleep(0.1)
    raise SystemExit("the server did not start")


async def story(python: Path, name: str, proxy: Proxy, out: Path) -> dict[str, Any]:
    """One client's conversation, and what the oracle says of it."""
    before = len(proxy.oracles)
    command = [str(python), str(HERE / "clients" / f"{name}_client.py"), "--url"]
    command += [f"ws://127.0.0.1:{proxy.port}/v1/realtime", "--sound", str(SOUND), "--out", str(out)]
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    log = out.with_suffix(".log")
    with log.open("wb") as noise:
        process = await asyncio.create_subprocess_exec(*command, stdout=noise, stderr=noise, env=plain)
        try:
            await asyncio.wait_for(process.wait(), STORY_S)
        except TimeoutError:
            process.kill()
            await process.wait()
    if not out.exists():
        raise SystemExit(f"{name} told nothing; its last words:\n{log.read_text('utf-8', 'replace')[-2000:]}")
    await asyncio.sleep(0.2)  # the proxy closes its side
    told: dict[str, Any] = json.loads(out.read_text("utf-8"))
    oracles = proxy.oracles[before:]
    told["sent"] = _sum(dict(oracle.client_types) for oracle in oracles)
    told["received"] = _sum(dict(oracle.server_types) for oracle in oracles)
    told["violations"] = [str(violation) for oracle in oracles for violation in oracle.violations]
    told["passed"] = bool(told["held"]) and all(told["held"].values()) and not told["violations"] and not told["errors"]
    return told


def _sum(counters: Any) -> dict[str, int]:
    total: dict[str, int] = {}
    for counter in counters:
        for kind, number in counter.items():
            total[kind] = total.get(kind, 0) + number
    return total


async def stories(python: Path, names: list[str], weights: bool, folder: Path) -> list[dict[str, Any]]:
    """Every client after the other against one server."""
    told = []
    async with server(weights, folder / "server.log") as upstream, proxying(upstream, folder) as proxy:
        for name in names:
            one = await story(python, name, proxy, folder / f"{name}.json")
            told.append(one)
            print(f"{one['client']} {one['version']}: {'passed' if one['passed'] else 'FAILED'}", flush=True)
            for fault in [*one["errors"], *one["violations"][:10]]:
                print(f"  {fault}", flush=True)
    return told


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clients", nargs="*", default=list(CLIENTS), metavar="client", help=" ".join(CLIENTS))
    parser.add_argument("--venv", type=Path, default=ROOT / "build" / "clients", help="the clients' environment")
    parser.add_argument("--weights", action="store_true", help="the server that users run, not the scripted one")
    parser.add_argument("--keep", type=Path, help="a folder for recordings of every call")
    parser.add_argument("--publish", action="store_true", help="write docs/conformance.json and the table")
    options = parser.parse_args(arguments)
    python = environment(options.venv)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        told = asyncio.run(stories(python, options.clients, options.weights, folder))
    if options.publish:
        name = "weights" if options.weights else "scripted"
        publish(name, {"title": TITLES[name], "clients": told})
    return 0 if all(one["passed"] for one in told) else 1


if __name__ == "__main__":
    sys.exit(main())
