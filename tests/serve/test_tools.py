"""Each call of a tool runs once, ends once, and harms nobody: not the sound, not the loop, not other calls."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from step_audio_mini.serve.tools import LONGEST_OUTPUT, MOST_PARALLEL, MOST_REMEMBERED, ToolRunner
from step_audio_mini.think.functions import guarded, tool
from step_audio_mini.think.pack import Tool
from step_audio_mini.think.pack_file import load_pack
from step_audio_mini.think.tools import Outcome, Toolbox

pytestmark = pytest.mark.unit
HOME = load_pack("home")


def runner(
    functions: Mapping[str, Any], returns: Mapping[str, Any] | None = None, deadline_s: float = 2.0
) -> ToolRunner:
    tools = {name: Tool(deadline_s=deadline_s, returns=dict(returns or {})) for name in functions}
    pack = HOME.model_copy(update={"tools": tools, "intents": {}})
    return ToolRunner(Toolbox(guarded(pack, functions), functions))


class Counted:
    """Counts its runs; each lasts until it is let go, or some seconds."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.begun = self.ended = 0
        self.seconds, self.free = seconds, threading.Event()

    def __call__(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        self.begun += 1
        self.free.wait(self.seconds)
        self.ended += 1
        return {"n": self.begun}


async def test_calls_run_beside_each_other_and_the_loop_goes_on() -> None:
    work = Counted(0.2)
    tools, ticks = runner({"T": work}), 0
    calls = [asyncio.ensure_future(tools.run("T", {}, f"c{i}")) for i in range(5)]
    began = time.monotonic()
    while not all(call.done() for call in calls):
        ticks += 1
        await asyncio.sleep(0.01)
    assert {call.result().name for call in calls} == {"done"}
    assert time.monotonic() - began < 0.8
    assert ticks >= 5


async def test_a_call_runs_once_however_often_it_is_asked_for() -> None:
    work = Counted(0.05)
    tools = runner({"T": work})
    outcomes = await asyncio.gather(*(tools.run("T", {}, "same") for _ in range(5)))
    assert await tools.run("T", {}, "same") == outcomes[0] == Outcome("done", {"n": 1})
    assert work.begun == 1


async def test_a_tool_survives_who_waited_for_it() -> None:
    work = Counted(0.2)
    tools = runner({"T": work})
    waiter = asyncio.ensure_future(tools.run("T", {}, "c"))
    await asyncio.sleep(0.05)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert await tools.run("T", {}, "c") == Outcome("done", {"n": 1})
    assert (work.begun, work.ended) == (1, 1)


async def test_what_may_be_cancelled_ends_with_who_waited_and_says_so() -> None:
    ended = threading.Event()

    @tool(cancellable=True)
    async def look() -> None:
        """Look something up."""
        try:
            await asyncio.sleep(5)
        finally:
            ended.set()

    tools = runner({"look": look})
    waiter = asyncio.ensure_future(tools.run("look", {}, "c"))
    await asyncio.sleep(0.1)
    waiter.cancel()
    await asyncio.wait([waiter])
    assert await tools.run("look", {}, "c") == Outcome("cancelled", {})
    assert await asyncio.to_thread(ended.wait, 2)


async def test_an_async_tool_that_blocks_blocks_nobody() -> None:
    @tool
    async def rude() -> None:
        """Block."""
        time.sleep(0.3)

    tools = runner({"rude": rude}, deadline_s=0.1)
    began = time.monotonic()
    assert await tools.run("rude", {}, "c") == Outcome("timeout", {})
    assert time.monotonic() - began < 0.28


async def test_a_deadline_is_kept_and_what_comes_later_changes_nothing() -> None:
    work = Counted(0.3)
    tools = runner({"T": work}, deadline_s=0.05)
    assert await tools.run("T", {}, "c") == Outcome("timeout", {})
    await asyncio.sleep(0.4)
    assert work.ended == 1
    assert await tools.run("T", {}, "c") == Outcome("timeout", {})


async def test_one_session_runs_only_so_many_at_a_time() -> None:
    work = Counted(5)
    tools = runner({"T": work})
    calls = [asyncio.ensure_future(tools.run("T", {}, f"c{i}")) for i in range(MOST_PARALLEL + 2)]
    await asyncio.sleep(0.1)
    assert sum(call.done() for call in calls) == 2
    work.free.set()
    names = sorted([(await call).name for call in calls])
    assert names == ["done"] * MOST_PARALLEL + ["failed"] * 2
    assert (await tools.run("T", {}, "again")).name == "done"


async def test_closing_leaves_nobody_waiting() -> None:
    work = Counted(5)
    tools = runner({"T": work})
    call = asyncio.ensure_future(tools.run("T", {}, "c"))
    await asyncio.sleep(0.05)
    tools.close()
    assert await call == Outcome("cancelled", {})
    work.free.set()


async def test_endless_sessions_remember_a_bounded_number_of_calls() -> None:
    tools = runner({})
    for i in range(MOST_REMEMBERED + 50):
        assert await tools.run("nothing", {}, f"c{i}") == Outcome("failed", {})
    assert len(tools._calls) == MOST_REMEMBERED


def failing(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    raise RuntimeError("no")


def slow(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    time.sleep(0.2)
    return {}


FUNCTIONS: dict[str, Any] = {"good": lambda _: {}, "broken": failing, "lying": lambda _: [1], "slow": slow}


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(FUNCTIONS)), st.integers(0, 5), st.booleans(), st.integers(0, 30)), max_size=8
    )
)
def test_every_call_begun_has_exactly_one_outcome(asked: list[tuple[str, int, bool, int]]) -> None:
    begun: list[str] = []

    def noted(name: str) -> Any:
        def run(arguments: Mapping[str, Any]) -> Any:
            begun.append(str(arguments["id"]))
            return FUNCTIONS[name](arguments)

        return run

    async def session() -> None:
        tools = runner({name: noted(name) for name in FUNCTIONS}, deadline_s=0.1)
        first: dict[str, str] = {}
        waiters = []
        for name, number, cancelled, pause in asked:
            call_id = f"c{number}"
            first.setdefault(call_id, name)
            waiters.append(asyncio.ensure_future(tools.run(name, {"id": call_id}, call_id)))
            await asyncio.sleep(pause / 1000)
            if cancelled:
                waiters[-1].cancel()
        await asyncio.gather(*waiters, return_exceptions=True)
        wanted = {"good": "done", "broken": "failed", "lying": "failed", "slow": "timeout"}
        for call_id, name in first.items():
            again = {(await tools.run(name, {"id": call_id}, call_id)).name for _ in range(2)}
            assert again == {wanted[name]}

    asyncio.run(session())
    assert len(begun) == len(set(begun))


@pytest.mark.parametrize(
    ("output", "outcome"),
    [
        ('{"state": "on", "nested": {"x": 1}, "list": [1], "none": null}', Outcome("done", {"state": "on"})),
        ("on", Outcome("done", {"state": "on"})),
        ('"on"', Outcome("done", {"state": "on"})),
        ("{}", Outcome("failed", {})),
        ("", Outcome("failed", {})),
        ('{"error": "no such thing"}', Outcome("failed", {})),
        ('{"state": 1}', Outcome("failed", {})),
        ('{"state": "on", "outcome": "already"}', Outcome("already", {"state": "on"})),
        ("[" * 60_000, Outcome("done", {"state": "(" * 300})),
        ("x" * (LONGEST_OUTPUT + 1), Outcome("failed", {})),
        ('{"state": NaN}', Outcome("failed", {})),
    ],
)
def test_what_a_client_returns_is_data(output: str, outcome: Outcome) -> None:
    assert runner({"T": None}, {"state": "text"}).read("T", output) == outcome


def test_a_client_returns_more_keys_than_are_kept() -> None:
    many = "{" + ", ".join(f'"k{i}": {i}' for i in range(100)) + ', "state": "on"}'
    found = runner({"T": None}, {"state": "text"}).read("T", many)
    assert (found.name, found.result["state"], len(found.result)) == ("done", "on", 20)


def test_a_tool_without_results_is_done_by_any_word() -> None:
    assert runner({"T": None}).read("T", "ok").name == "done"
    assert runner({"T": None}).read("T", "").name == "done"
    assert runner({}).read("unknown", "ok").name == "failed"
