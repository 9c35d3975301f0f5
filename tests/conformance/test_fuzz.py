"""Clients that do anything at any time: every promise of the protocol holds, and every response comes to its end.

`FUZZ_CALLS=10000 python -m pytest tests/conformance/test_fuzz.py` is the long one; a failure names its seed.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from step_audio_mini.serve.limits import Limits
from tests.serve.fakes import FakeTools, Script, silence, speech
from tests.serve.harness import Line, talking

pytestmark = pytest.mark.unit

CALLS = int(os.environ.get("FUZZ_CALLS", "60"))
STEPS = 25
TURNS = ("what is the weather in paris", "turn on the kitchen light", "good morning to you my friend")
WEATHER = {"type": "function", "name": "get_weather", "parameters": {}}
DETECTIONS: tuple[Any, ...] = (
    None,
    {"type": "server_vad", "silence_duration_ms": 200, "prefix_padding_ms": 100},
    {"type": "server_vad", "interrupt_response": False},
    {"type": "server_vad", "create_response": False},
    {"type": "server_vad", "idle_timeout_ms": 1000},
    {"type": "semantic_vad", "eagerness": "high"},
)


class Monkey:
    """A client that acts by chance, mostly on things that exist."""

    def __init__(self, line: Line, seed: int) -> None:
        self.line, self.dice = line, random.Random(seed)
        self.number = 0
        self.acts: tuple[tuple[int, Callable[[], None]], ...] = (
            (6, self.speak),
            (3, self.pause),
            (2, lambda: self.say("input_audio_buffer.commit")),
            (1, lambda: self.say("input_audio_buffer.clear")),
            (3, self.respond),
            (3, lambda: self.say("response.cancel")),
            (2, self.write),
            (2, self.answer),
            (3, self.truncate),
            (2, lambda: self.say("conversation.item.retrieve", item_id=self.item())),
            (1, lambda: self.say("conversation.item.delete", item_id=self.item())),
            (2, self.configure),
            (
                1,
                lambda: line.raw(self.dice.choice(("{", "[]", '{"type": "x"}', '{"type": "response.create", "x": 1}'))),
            ),
        )

    def act(self) -> None:
        """Do something."""
        self.dice.choices([act for _, act in self.acts], [weight for weight, _ in self.acts])[0]()

    def say(self, kind: str, **fields: Any) -> None:
        """Send an event with an id of its own, so that every answer can be told from the others."""
        self.number += 1
        self.line.say(kind, event_id=f"monkey_{self.number}", **fields)

    def speak(self) -> None:
        self.line.sound(speech(self.dice.choice((0.05, 0.3, 0.8, 1.6))))

    def pause(self) -> None:
        self.line.sound(silence(self.dice.choice((0.1, 0.4, 0.9))))

    def item(self) -> str:
        known = [event["item"]["id"] for event in self.line.of("conversation.item.added")]
        return str(self.dice.choice([*known[-4:], *known, "nobody"]))

    def respond(self) -> None:
        fields: dict[str, Any] = {}
        if self.dice.random() < 0.3:
            fields["metadata"] = {"number": str(self.dice.random())}
        if self.dice.random() < 0.2:
            fields["output_modalities"] = ["text"]
        if self.dice.random() < 0.2:
            fields["conversation"] = "none"
        if self.dice.random() < 0.1:
            fields["max_output_tokens"] = 3
        self.say("response.create", response=fields)

    def write(self) -> None:
        content = [{"type": "input_text", "text": self.dice.choice(TURNS)}]
        item: dict[str, Any] = {"type": "message", "role": "user", "content": content}
        if self.dice.random() < 0.5:
            item["id"] = f"mine_{self.dice.randrange(6)}"
        place = {"previous_item_id": self.dice.choice(("root", self.item()))} if self.dice.random() < 0.3 else {}
        self.say("conversation.item.create", item=item, **place)

    def answer(self) -> None:
        calls = [event["call_id"] for event in self.line.of("response.function_call_arguments.done")]
        output = {"type": "function_call_output", "call_id": self.dice.choice([*calls, "call_x"]), "output": "{}"}
        self.say("conversation.item.create", item=output)

    def truncate(self) -> None:
        spoken = [event["item_id"] for event in self.line.of("response.output_audio.delta")]
        name = self.dice.choice(spoken[-3:] or [self.item()])
        length = int(self.line.oracle.facts.sound_ms(name))
        end = self.dice.choice((0, length // 3, length, length + 5000))
        self.say("conversation.item.truncate", item_id=name, content_index=0, audio_end_ms=end)

    def configure(self) -> None:
        source = {"turn_detection": self.dice.choice(DETECTIONS), "transcription": self.dice.choice((None, {}))}
        session: dict[str, Any] = {"type": "realtime", "audio": {"input": source}}
        if self.dice.random() < 0.5:
            session["tools"] = self.dice.choice(([], [WEATHER]))
        self.say("session.update", session=session)


@pytest.mark.parametrize("block", range(6))
async def test_whatever_a_client_does_every_promise_holds(block: int) -> None:
    for seed in range(block * CALLS // 6, (block + 1) * CALLS // 6):
        dice = random.Random(seed)
        script = Script(turns=TURNS, think_s=dice.choice((0.0, 0.004)), speak_s=dice.choice((0.0, 0.002, 0.01)))
        script.fails = set(dice.choices(((), ("plan",), ("speak",), ("complete",)), (12, 1, 1, 1))[0])
        limits = Limits(responses_a_minute=1000)
        async with talking(script, tools=FakeTools(dice.choice((0.0, 0.01))), limits=limits, strict=False) as line:
            monkey = Monkey(line, seed)
            for _ in range(STEPS):
                monkey.act()
                if dice.random() < 0.6:
                    await asyncio.sleep(dice.choice((0.0, 0.002, 0.01)))
            await line.settle()
            line.oracle.finish()
            told = [f"{event['type']}" for event in line.events[-15:]]
            assert not line.oracle.violations, (
                f"seed {seed}: {[str(v) for v in line.oracle.violations][:5]} after {told}"
            )
