"""`python -m tests.conformance.fake_server --port N`: the real server on a fake worker that hears coffee orders."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from step_audio_mini.serve.app import make_app
from step_audio_mini.serve.sockets import server_of
from step_audio_mini.think.plan import Plan
from step_audio_mini.think.tools import Outcome
from step_audio_mini.types import Decision, ToolCall
from tests.serve.fakes import FakeCall, FakeTools, FakeWorker, Script

ORDER = "one small house coffee with brown sugar please"
REPLY = "One small house coffee with brown sugar is on its way and your number is {order}; please wait at the counter."


def order(text: str) -> ToolCall:
    """What the fake understands of any order."""
    return ToolCall("orderDrink", {"coffeeDrink": "coffee", "size": "small", "sugarAmount": "brown sugar"})


def coffee() -> Script:
    """Every turn is an order as soon as its fourth word was said; thought and voice take about what real ones take.

    With no thought at all pipecat now and then loses a race with itself: a function that is called before its own
    frame of the turn's end has passed its pipeline is run, and its result never asks for an answer.
    """
    return Script(turns=(ORDER,), calls={"coffee": order}, think_s=0.2, speak_s=0.2)


class Barista(FakeCall):
    """Answers long enough to be spoken over, and only with what the function returned."""

    async def complete(self, plan: Plan, outcomes: Sequence[Outcome] = ()) -> Decision:
        """Tells the number of the order."""
        decision = await super().complete(plan, outcomes)
        if not outcomes:
            return decision
        return replace(decision, reply=REPLY.format(order=outcomes[0].result.get("order", "unknown")))


class Coffee(FakeWorker):
    """Opens calls that a barista answers."""

    async def open(self, pack: Any, language: Any = "auto") -> FakeCall:
        """A new call."""
        self.calls += 1
        call = Barista(self.script, self)
        self.opened.append(call)
        return call


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    app = make_app(Coffee(coffee()), lambda _: FakeTools(0.05))
    server_of(app, "127.0.0.1", parser.parse_args().port).run()


if __name__ == "__main__":
    main()
