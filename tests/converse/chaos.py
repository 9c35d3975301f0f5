"""Random calls: every event in every order, likely or not, and what the engine made of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from step_audio_mini.converse import settings
from step_audio_mini.converse.actions import Action, Release, Respond, Speculate
from step_audio_mini.converse.engine import Engine
from step_audio_mini.converse.events import (
    BufferCleared,
    Cancel,
    CreateResponse,
    Event,
    Heard,
    ReplyEnded,
    ReplyFailed,
    ReplySound,
    ReplyStarted,
    SettingsChanged,
    Speculated,
    SpeechCommittedByClient,
    Tick,
    TimedWord,
    ToolEnded,
    ToolStarted,
    Truncate,
)
from step_audio_mini.converse.settings import Settings

WORDS = ("turn", "on", "the", "light", "stop", "mhm", "yes", "no", "灯", "嗯", "停")
PIECE_MS = 120
SETTINGS = (
    *(settings.of_profile(name) for name in ("snappy", "balanced", "patient")),
    settings.of_profile("balanced", interrupt_response=False),
    settings.of_profile("balanced", create_response=False),
    settings.server_vad(idle_timeout_ms=1500),
    settings.server_vad(silence_duration_ms=200, prefix_padding_ms=0, threshold=0.7, idle_timeout_ms=800),
    settings.MANUAL,
)


@dataclass(frozen=True)
class Step:
    """One event and what came of it."""

    now: int
    event: Event
    actions: tuple[Action, ...]
    settings: Settings
    """In force after it."""
    active: int | None


@dataclass
class Call:
    """A call driven at random; deterministic in its seed."""

    seed: int
    steps: list[Step] = field(default_factory=list)
    chaotic: int = 0
    """Steps before `recover`."""
    recovered_at: int = 0
    """First step after which the call must behave as a new one."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.engine = Engine(self.random.choice(SETTINGS))
        self.now = self.audio_ms = 0
        self.text = ""
        self.silence = 0
        self.known: list[int] = [0]
        """Generations the engine gave out, and one it never did."""
        self.visible: list[int] = []
        self.sent: dict[int, int] = {}
        self.calls = 0

    def run(self, macros: int = 10) -> Call:
        for _ in range(macros):
            for event, elapsed in self._macro():
                self.feed(event, elapsed)
        self.chaotic = len(self.steps)
        return self

    def feed(self, event: Event, elapsed: int) -> None:
        """Give the engine an event, some time later, and mostly a tick when it asks for one."""
        due = self.engine.next_deadline_ms
        if due is not None and self.now < due <= self.now + elapsed and self.seed % 4:
            self._give(Tick(), due)
        self._give(event, self.now + elapsed)

    def _give(self, event: Event, now: int) -> None:
        self.now = now
        actions = tuple(self.engine.on(event, self.now))
        for action in actions:
            if isinstance(action, Speculate | Respond):
                self.known.append(action.generation)
            if isinstance(action, Release | Respond):
                self.visible.append(action.generation)
        self.steps.append(Step(self.now, event, actions, self.engine.settings, self.engine.generation))

    def recover(self) -> Call:
        """Quiet, every tool and reply brought to an end, then somebody speaks: what any call must get over."""
        self.feed(SettingsChanged(settings.of_profile("balanced")), 0)
        started = {step.event.call_id for step in self.steps if isinstance(step.event, ToolStarted)}
        for call_id in sorted(started):
            self.feed(ToolEnded(call_id), 10)
        self.silence = 0
        for _ in range(2):
            self._hear(0.02, "", 800, 4)
            while (generation := self.engine.generation) is not None:
                self.feed(ReplyEnded(generation), 3000)
        self.recovered_at = len(self.steps)
        self.silence = 0
        self._hear(0.9, "", 100, 4)
        self._hear(0.9, "turn", 100, 3)
        self._hear(0.02, "turn", 500, 3)
        return self

    def _hear(self, speech: float, text: str, ms: int, times: int) -> None:
        for _ in range(times):
            self.audio_ms += ms
            self.silence = 0 if speech > 0.5 else self.silence + ms
            self.feed(Heard(self.audio_ms, speech, min(1.0, self.silence / 1000), self.silence, text, speech), ms)

    def sound(self, ms: int, speech: float, loud: float | None, word: str | None) -> Iterator[tuple[Event, int]]:
        """A stretch of sound; the word is understood in its course."""
        rate = self.random.choice((1.0, 1.0, 1.0, 0.1))
        for piece in range(ms // PIECE_MS):
            self.audio_ms += PIECE_MS
            self.silence = 0 if word and speech > 0.5 else self.silence + PIECE_MS
            if word and piece == 1:
                self.text = f"{self.text} {word}".strip()
            if not self.engine.user_speaking and self.random.random() < 0.2:
                self.text = ""
            end = min(1.0, self.silence / 1000) if self.text else 0.0
            yield Heard(self.audio_ms, speech, end, self.silence, self.text, loud), int(PIECE_MS * rate)

    def _macro(self) -> Iterator[tuple[Event, int]]:
        r = self.random
        kind = r.random()
        if kind < 0.25:
            yield from self.sound(r.randrange(240, 900), 0.9, 0.95, r.choice(WORDS))
        elif kind < 0.45:
            yield from self.sound(r.randrange(240, 1600), 0.05, 0.05, None)
        elif kind < 0.5:
            yield from self.sound(r.randrange(80, 900), 0.1, 0.95, None)
        elif kind < 0.55:
            yield from self.sound(r.randrange(80, 400), r.random(), None, None)
        elif kind < 0.68:
            yield from self._reply_talks()
        elif kind < 0.74:
            yield from self._tool_outlives_its_reply()
        elif kind < 0.76:
            yield from self._manual_for_a_while()
        else:
            yield self._any(), r.choice((0, 1, 20, 300, 1000, 6000))

    def _reply_talks(self) -> Iterator[tuple[Event, int]]:
        """The active reply says some words, perhaps all."""
        r, generation = self.random, self.engine.generation
        if generation is None:
            return
        for _ in range(r.randrange(1, 5)):
            end = self.sent.get(generation, 0) + r.randrange(40, 400)
            self.sent[generation] = end
            word = TimedWord(f"w{generation}.{end} ", max(0, end - r.choice((0, 0, 100, -100))))
            yield ReplySound(generation, end, (word,)), r.choice((0, 100, 200))
        if r.random() < 0.4:
            yield ReplyEnded(generation), r.choice((0, 200))

    def _manual_for_a_while(self) -> Iterator[tuple[Event, int]]:
        """Turn detection is taken away and given back in mid-speech."""
        r = self.random
        yield from self.sound(r.randrange(240, 600), 0.9, 0.95, r.choice(WORDS))
        yield SettingsChanged(settings.MANUAL), r.choice((0, 20))
        if r.random() < 0.5:
            yield from self.sound(r.randrange(0, 600), 0.9, 0.95, r.choice(WORDS))
        yield SettingsChanged(r.choice(SETTINGS)), r.choice((0, 20))
        yield from self.sound(r.randrange(240, 600), 0.9, 0.95, r.choice(WORDS))

    def _tool_outlives_its_reply(self) -> Iterator[tuple[Event, int]]:
        r, generation = self.random, self.engine.generation
        if generation is None:
            yield CreateResponse(), 0
        self.calls += 1
        name = f"call{self.calls}"
        yield ToolStarted(self.engine.generation or 0, name, r.random() < 0.4), r.choice((0, 200, 900))
        if r.random() < 0.5:
            yield ToolEnded(name), 10
        yield r.choice((Cancel(), Cancel(), ReplyFailed(generation or 0))), r.choice((0, 50))
        if r.random() < 0.5:
            yield ToolEnded(name), r.choice((0, 50))

    def _any(self) -> Event:
        r = self.random
        some = r.choice(self.known[-4:]) + (r.random() < 0.1) * 1000
        shown = r.choice(self.visible[-4:]) if self.visible else 7
        self.calls += 1
        return r.choice(
            (
                lambda: SpeechCommittedByClient(f"e{self.calls}"),
                BufferCleared,
                lambda: CreateResponse(f"e{self.calls}"),
                lambda: CreateResponse(f"e{self.calls}"),
                lambda: Cancel(f"e{self.calls}", r.choice((None, some))),
                lambda: Truncate(shown, r.choice((0, 100, 300, 5000, -1)), f"e{self.calls}"),
                lambda: SettingsChanged(r.choice(SETTINGS)),
                lambda: Speculated(some, r.choice((self.text, "other"))),
                lambda: ReplyStarted(some, r.random() < 0.5),
                lambda: ReplySound(some, r.randrange(3000)),
                lambda: ReplyEnded(some),
                lambda: ReplyFailed(some),
                lambda: ToolStarted(self.engine.generation or shown, f"call{self.calls}", r.random() < 0.5),
                lambda: ToolStarted(self.engine.generation or shown, f"call{self.calls}", r.random() < 0.5),
                lambda: ToolEnded(f"call{r.randrange(self.calls + 1)}"),
                lambda: ToolEnded(f"call{r.randrange(self.calls + 1)}"),
                Tick,
                lambda: Heard(self.audio_ms - 50, float("nan"), 2.0, -1, "late"),
            )
        )()
