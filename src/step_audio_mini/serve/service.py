"""Everything of one server that calls share: who is let in, what is counted, and the calls that run."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, Protocol

from step_audio_mini.serve.call import Call, Closed, House, Socket
from step_audio_mini.serve.keys import Keys
from step_audio_mini.serve.limits import Admission, Limits, RefusedError
from step_audio_mini.serve.maker import Chat
from step_audio_mini.serve.metrics import Metrics
from step_audio_mini.serve.settings import Offer, Session
from step_audio_mini.serve.stage import Model, Tools

log = logging.getLogger("step_audio_mini.serve")
MODEL = "step-audio-2-mini"


class Models(Protocol):
    """What the server needs of the worker (`serve.worker.Worker`)."""

    async def open(self, pack: Any, language: Any = "auto") -> Model:
        """A call's model state."""

    def voices(self) -> tuple[str, ...]:
        """Names of the voices, the usual ones first."""


@dataclass(frozen=True)
class Options:
    """What a server is started with."""

    packs: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"": ("home", "clock-weather", "manners")})
    """Packs of a session by the suffix of its model's name: `step-audio-2-mini:coffee`. The empty one is the usual."""
    limits: Limits = field(default_factory=Limits)
    keys: Keys = field(default_factory=lambda: Keys({}))
    origins: tuple[str, ...] = ()
    """Origins of pages that may connect besides the server's own."""
    hosts: tuple[str, ...] = ()
    """Names under which the server may be asked for; empty: any. Guards a server without keys against a page whose
    name was made to point here."""
    chat: Chat | None = None
    about: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What `/v1/models` tells of a suffix, in the extra field `step_audio`."""


class Service:
    """One server."""

    def __init__(self, options: Options, tools: Callable[[Any], Tools]) -> None:
        self.options, self._tools = options, tools
        self.metrics = Metrics()
        self.models: Models | None = None
        self.offer = Offer()
        """What sessions choose from; known once the models run."""
        self.admission = Admission(options.limits, self._lag_ms, lambda: bool(getattr(self.models, "alive", False)))
        self._calls: set[Call] = set()
        self.metrics.capacity.set(options.limits.sessions)
        self.metrics.watch("worker_lag_seconds", "How late the models begin, p95.", lambda: self._lag_ms() / 1000)

    def _lag_ms(self) -> float:
        load = getattr(self.models, "load", None)
        return float(load.lag_p95_ms) if load is not None else 0.0

    def names(self) -> list[str]:
        """Names of the models there are."""
        return [f"{MODEL}:{suffix}" if suffix else MODEL for suffix in self.options.packs]

    def packs_of(self, model: str) -> Sequence[str]:
        """Packs for a model's name; other services' names mean the usual ones, an unknown pack is refused."""
        name, _, suffix = model.partition(":")
        if suffix in self.options.packs:
            return self.options.packs[suffix]
        if name not in (MODEL, "step-audio-mini"):
            return next(iter(self.options.packs.values()))
        raise RefusedError(404, f"there is no model {model[:100]!r}; there are {', '.join(self.names())}")

    async def hold(
        self, socket: Socket, model: str, kind: Literal["realtime", "transcription"], key: str, first: Any
    ) -> Closed:
        """Hold a call from its first event to its last; the key has entered. `first`: a session to begin with."""
        began = time.monotonic()
        packs = list(self.packs_of(model))
        assert self.models is not None
        quota = self.admission.quota(key, self.options.keys.allowance(key).responses_a_minute)
        house = House(
            open=partial(self.models.open, packs), tools=self._tools, limits=self.options.limits,
            metrics=self.metrics, quota=quota, chat=self.options.chat,
        )  # fmt: skip

        def session(session_id: str) -> Session:
            made = Session(session_id, model, self.offer, kind)
            if first is not None:
                made.update(first)
            return made

        call = Call(socket, session, house)
        self._calls.add(call)
        self.metrics.sessions.inc()
        closed = Closed(1011, "the call broke")
        try:
            closed = await call.run()
        finally:
            self._calls.discard(call)
            self.metrics.sessions.dec()
            self.metrics.ended.labels(str(closed.code)).inc()
            facts = {"key": key, "code": closed.code, "seconds": round(time.monotonic() - began, 1)}
            log.info("call ended", extra={"facts": facts})
        return closed

    async def warm(self) -> None:
        """Load what the usual call needs, so that the first one does not wait for it."""
        assert self.models is not None
        await (await self.models.open(list(self.packs_of(MODEL)))).close()
        self.offer = Offer(self.models.voices())

    async def drain(self) -> None:
        """Let nobody in any more, and the calls come to their end."""
        self.admission.draining = True
        for call in self._calls:
            call.closing.set()
        try:
            async with asyncio.timeout(self.options.limits.drain_seconds + 2):
                while self._calls:
                    await asyncio.sleep(0.05)
        except TimeoutError:
            log.warning("calls outlived the drain", extra={"facts": {"calls": len(self._calls)}})
