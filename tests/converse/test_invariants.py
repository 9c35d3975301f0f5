"""Ten thousand random calls hold what every call must hold."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from step_audio_mini.converse.actions import Respond
from tests.converse.chaos import Call
from tests.converse.invariants import INVARIANTS

pytestmark = pytest.mark.unit

CALLS = 10_000


@cache
def complaints() -> tuple[dict[str, str], Counter[str]]:
    """The first complaint of each invariant, and how often each action was seen."""
    found: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for seed in range(CALLS):
        call = Call(seed).run()
        call.recover()
        for name, check in INVARIANTS.items():
            if name not in found and (complaint := next(check(call), None)):
                found[name] = f"seed {seed}: {complaint}"
        done = [action for step in call.steps for action in step.actions]
        seen.update(action.reason if isinstance(action, Respond) else type(action).__name__ for action in done)
        seen["events"] += len(call.steps)
    return found, seen


@pytest.mark.parametrize("name", INVARIANTS)
def test_invariant(name: str) -> None:
    assert complaints()[0].get(name) is None
    assert name in INVARIANTS


def test_the_random_calls_reach_every_decision() -> None:
    """An invariant over something that never happens would hold for nothing."""
    seen = complaints()[1]
    assert seen["events"] > 300_000
    rare = (
        "Duck",
        "ResumeReply",
        "Discard",
        "Release",
        "CancelTool",
        "TruncateReply",
        "Filler",
        "TimeoutTriggered",
        "tool",
    )
    assert all(seen[name] > 30 for name in rare), seen
