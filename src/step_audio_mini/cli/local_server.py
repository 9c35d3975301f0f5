"""A server beside the command that measures it: in a thread of its own, on a free port of this machine."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from step_audio_mini.errors import UserError
from step_audio_mini.serve.app import make_app
from step_audio_mini.serve.service import Options
from step_audio_mini.serve.sockets import server_of
from step_audio_mini.serve.worker import Heard
from step_audio_mini.types import SAMPLE_RATE, Samples

if TYPE_CHECKING:
    from fastapi import FastAPI


@contextmanager
def served(app: FastAPI) -> Iterator[tuple[str, Callable[[], float]]]:
    """The address of its calls, and a clock of the processor seconds that the server's own thread used."""
    listening, ready = socket.create_server(("127.0.0.1", 0)), threading.Event()
    server = server_of(app, ready=ready.set)
    thread = threading.Thread(target=server.run, args=([listening],), name="server", daemon=True)
    thread.start()
    while not ready.wait(0.1):
        if not thread.is_alive():
            raise UserError("the server did not start; what it wrote above says why")
    assert thread.ident is not None
    clock = time.pthread_getcpuclockid(thread.ident)
    try:
        yield f"ws://127.0.0.1:{listening.getsockname()[1]}/v1/realtime", lambda: time.clock_gettime(clock)
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def app_without_models() -> FastAPI:
    """The application over a worker that hears nothing in no time: what is left is the server's own work."""
    return make_app(_Still(), lambda _: _NoTools(), Options(packs={"": ()}))


class _StillCall:
    """Ears that take no time."""

    def __init__(self) -> None:
        self._samples = 0

    async def hear(self, samples: Samples) -> Heard:
        self._samples += len(samples)
        return Heard(audio_ms=self._samples * 1000 // SAMPLE_RATE, speech=0.0, end=0.0, silence_ms=0, text="")

    async def reset(self, keep_ms: int = 0) -> None:
        """Nothing was heard."""

    async def close(self) -> None:
        """Nothing is kept."""


class _Still:
    """A worker of such calls."""

    alive = True

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to end."""

    def voices(self) -> tuple[str, ...]:
        return ("none",)

    async def open(self, pack: Any, language: Any = "auto") -> Any:
        return _StillCall()


class _NoTools:
    def close(self) -> None:
        """None runs."""
