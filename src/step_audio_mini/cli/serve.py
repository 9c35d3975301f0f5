"""`step-audio serve`: calls over the OpenAI Realtime protocol, and a web page to hold one."""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast
from urllib.parse import urlsplit

import typer

from step_audio_mini.cli.options import BUILT_IN, VoiceOption, WeightsOption
from step_audio_mini.errors import UserError

if TYPE_CHECKING:
    from step_audio_mini.rooms import TrainedRooms
    from step_audio_mini.serve.keys import Keys
    from step_audio_mini.serve.service import Options
    from step_audio_mini.think.functions import FunctionTool

USUAL_PACKS = ("home", "clock-weather", "manners")
SHIPPED_PACKS = (*USUAL_PACKS, "coffee")


PackOption = Annotated[
    list[str] | None,
    typer.Option(
        "--pack",
        "-p",
        help="Scenario, or a folder with a pack.yaml; may be given again (default: home, clock-weather, manners).",
    ),
]
KeysOption = Annotated[
    Path | None, typer.Option("--api-key-file", metavar="FILE", help="Keys that may connect, a line each: NAME KEY.")
]
OriginOption = Annotated[
    list[str] | None, typer.Option("--origin", help="Origin of a web page that may connect besides the server's own.")
]
CertOption = Annotated[
    Path | None,
    typer.Option("--tls-cert", metavar="FILE", help="Certificate (PEM): serve https, that other devices need."),
]
KeyOption = Annotated[
    Path | None, typer.Option("--tls-key", metavar="FILE", help="Private key of the certificate (PEM).")
]


def serve(  # noqa: PLR0913, PLR0917 (options of a command line)
    host: Annotated[
        str, typer.Option("--host", help="Address to listen at; 0.0.0.0 opens it to the network.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port to listen at; 0 takes a free one.")] = 8765,
    pack: PackOption = None,
    voice: VoiceOption = None,
    api_key_file: KeysOption = None,
    origin: OriginOption = None,
    tls_cert: CertOption = None,
    tls_key: KeyOption = None,
    calls: Annotated[int, typer.Option("--calls", help="Calls at a time; more are told to come back later.")] = 500,
    weights: WeightsOption = BUILT_IN,
) -> None:
    """Hold calls over the OpenAI Realtime protocol, and show a web page to try one.

    Open questions go to a chat endpoint if STEP_AUDIO_CHAT_URL and STEP_AUDIO_CHAT_MODEL name one. STEP_AUDIO_TOOLS
    names a Python file with tools of your own.
    """
    from step_audio_mini.rooms import TrainedRooms
    from step_audio_mini.runtime.manifest import Weights
    from step_audio_mini.serve.app import make_app
    from step_audio_mini.serve.keys import Keys
    from step_audio_mini.serve.sockets import server_of
    from step_audio_mini.serve.tls import Certificate
    from step_audio_mini.serve.tools import ToolRunner
    from step_audio_mini.serve.worker import Worker
    from step_audio_mini.think.store import default_path

    _log()
    keys = Keys.read(api_key_file) if api_key_file else Keys({})
    certificate = Certificate.of(tls_cert, tls_key)
    listening = _bound(host, port)
    rooms = TrainedRooms(Weights.open(weights), voice, _own_tools(), default_path())
    options = _options(
        rooms, tuple(pack or USUAL_PACKS), keys, tuple(origin or ()), calls, _own_names(host, origin or [])
    )
    app = make_app(Worker(cast(Any, rooms)), lambda call: ToolRunner(call.mind.toolbox), options)
    address = f"{'https' if certificate else 'http'}://{_shown(listening)}/"
    server = server_of(
        app, ready=lambda: print(f"listening: open {address} (Ctrl+C stops)", flush=True), certificate=certificate
    )
    server.run(sockets=[listening])


def _own_tools() -> dict[str, FunctionTool]:
    """The tools of the file that STEP_AUDIO_TOOLS names."""
    from step_audio_mini.think.functions import from_file

    file = os.environ.get("STEP_AUDIO_TOOLS")
    return from_file(Path(file)) if file else {}


def _options(
    rooms: TrainedRooms,
    usual: tuple[str, ...],
    keys: Keys,
    origins: tuple[str, ...],
    calls: int,
    hosts: tuple[str, ...],
) -> Options:
    from step_audio_mini.serve.about import about
    from step_audio_mini.serve.handover import Endpoint, HandOver
    from step_audio_mini.serve.limits import Limits
    from step_audio_mini.serve.service import Options
    from step_audio_mini.think.pack_file import load_pack

    packs: dict[str, tuple[str, ...]] = {"": usual}
    for name in (*usual, *SHIPPED_PACKS):
        packs.setdefault(load_pack(name).name, (name,))
    voices = [{"name": known.name, "language": known.language} for known in rooms.voice().voices]
    endpoint = Endpoint.from_environment()
    return Options(
        packs=packs,
        limits=Limits(sessions=calls),
        keys=keys,
        origins=origins,
        hosts=hosts,
        chat=HandOver(endpoint) if endpoint else None,
        about={
            suffix: about([load_pack(name) for name in names], examples=not set(names) <= set(SHIPPED_PACKS))
            | {"voices": voices}
            for suffix, names in packs.items()
        },
    )


def _bound(host: str, port: int) -> socket.socket:
    """A socket that listens there; UserError where none can."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        made = socket.socket(family)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
    except (OSError, OverflowError) as error:
        raise UserError(f"cannot listen at {host}, port {port} ({error}); choose another --host or --port") from None
    return made


def _shown(listening: socket.socket) -> str:
    """Where a browser finds it: one that listens everywhere by the name of this machine."""
    host, port = listening.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        return f"{socket.gethostname()}:{port}"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _own_names(host: str, origins: list[str]) -> tuple[str, ...]:
    """The only names a server of this machine alone is asked by, a proxy's included; none for one that others reach."""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    proxies = [urlsplit(origin).hostname or "" for origin in origins]
    return ("localhost", "127.0.0.1", "::1", host, *proxies) if loopback else ()


def _log() -> None:
    from step_audio_mini.serve.logs import JsonLines

    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("step_audio_mini").setLevel(logging.INFO)
