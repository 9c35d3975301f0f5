"""What the server measures of itself, for Prometheus: calls, events, and where the time of an answer goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

STAGES = ("end_of_turn", "listen", "think", "tools", "speak_first", "total")
"""Milliseconds of an answer: silence before the turn was taken for over; from there on transcript, plan, tools and the
first piece of sound; and from the end of the turn to the first sound sent. What was done ahead counts as nothing."""
_SECONDS = (0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 4.0, 8.0)
_FRAME_SECONDS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05)


class Metrics:
    """The instruments of one server, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.sessions = Gauge("step_audio_sessions", "Calls that run.", registry=self._registry)
        self.capacity = Gauge("step_audio_capacity", "Calls that may run.", registry=self._registry)
        self.ended = self._counter("sessions_ended", "Calls that ended, by close code.", "code")
        self.refused = self._counter("connections_refused", "Connections that were not let in, by status.", "status")
        self.events = self._counter("client_events", "Events of clients, by type.", "type")
        self.errors = self._counter("errors", "Errors told to clients, by code.", "code")
        self.responses = self._counter("responses", "Responses, by how they ended.", "status")
        self.tools = self._counter("tool_calls", "Calls of our own tools, by outcome.", "outcome")
        self.decisions = self._counter("decisions", "What turn-taking decided.", "decision")
        self.stage = self._histogram("stage_seconds", "Where the time of an answer goes.", _SECONDS, "stage")
        self.stop = self._histogram("stop_seconds", "From speech over an answer to its end.", _SECONDS)
        self.frame = self._histogram("frame_seconds", "Work for an append besides the models.", _FRAME_SECONDS)
        self._events: dict[str, Counter] = {}
        for stage in STAGES:
            self.stage.labels(stage)

    def _counter(self, name: str, text: str, label: str) -> Counter:
        return Counter(f"step_audio_{name}", text, [label], registry=self._registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"step_audio_{name}", text, labels, buckets=buckets, registry=self._registry)

    def client_event(self, name: str) -> None:
        """An event of a client."""
        child = self._events.get(name)
        if child is None:  # a child is looked up slower than it counts
            child = self._events[name] = self.events.labels(name)
        child.inc()

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """A gauge that is read when somebody asks."""
        Gauge(f"step_audio_{name}", text, registry=self._registry).set_function(value)

    def answered(self, status: str, timings_ms: Mapping[str, float]) -> None:
        """A response ended."""
        self.responses.labels(status).inc()
        for stage in STAGES:
            if stage in timings_ms:
                self.stage.labels(stage).observe(timings_ms[stage] / 1000)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)
