"""A function says what it takes; what it cannot take never reaches it, and what cannot be undone is asked for first."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from step_audio_mini.errors import UserError
from step_audio_mini.think.alphabet import Role
from step_audio_mini.think.functions import FunctionTool, by_name, from_file, guarded, tool
from step_audio_mini.think.mind import hearing_of
from step_audio_mini.think.pack import Tool
from step_audio_mini.think.pack_file import load_pack
from step_audio_mini.think.tools import Outcome, Toolbox

from .fakes import Array, WishNet, make_mind

pytestmark = pytest.mark.unit
HOME = load_pack("home")


@tool
def heat(temperature: Annotated[int, Field(ge=40, le=100)], tea: Literal["green", "black"] | None = None) -> Any:
    """Heat water.

    More about it.
    """
    return {"minutes": temperature / 20, "tea": tea or "none"}


def box(function: FunctionTool, deadline_s: float = 2.0) -> Toolbox:
    pack = HOME.model_copy(update={"tools": {function.name: Tool(deadline_s=deadline_s)}, "intents": {}})
    return Toolbox(guarded(pack, {function.name: function}), {function.name: function})


def test_a_tool_describes_itself() -> None:
    assert (heat.name, heat.description) == ("heat", "Heat water.")
    schema = heat.parameters
    assert schema["required"] == ["temperature"]
    assert schema["additionalProperties"] is False
    assert (schema["properties"]["temperature"]["minimum"], schema["properties"]["temperature"]["maximum"]) == (40, 100)


def test_arguments_reach_the_function_as_it_wants_them() -> None:
    assert box(heat).call("heat", {"temperature": 80, "tea": "green"}) == Outcome(
        "done", {"minutes": 4, "tea": "green"}
    )


@pytest.mark.parametrize(
    "arguments", [{}, {"temperature": 20}, {"temperature": 80, "tea": "mint"}, {"temperature": 80, "x": 1}]
)
def test_wrong_arguments_fail_before_the_function(arguments: dict[str, Any]) -> None:
    assert box(heat).call("heat", arguments) == Outcome("failed", {})


def test_async_functions_are_tools_and_no_result_is_done() -> None:
    @tool
    async def wait(seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    assert box(wait).call("wait", {"seconds": 0.0}) == Outcome("done", {})
    assert box(wait, 0.05).call("wait", {"seconds": 5.0}) == Outcome("timeout", {})


@pytest.mark.parametrize("cancellable", [True, False])
def test_after_its_deadline_only_what_may_be_cancelled_is(cancellable: bool) -> None:
    ended = threading.Event()

    @tool(cancellable=cancellable, deadline_s=0.05)
    async def book(seconds: float) -> None:
        """Book."""
        await asyncio.sleep(seconds)
        ended.set()

    assert box(book).call("book", {"seconds": 0.3}) == Outcome("timeout", {})
    assert ended.wait(1.0) is not cancellable


def test_a_tool_that_leaves_the_program_only_fails() -> None:
    @tool
    def leave() -> None:
        """Leave."""
        sys.exit(3)

    assert box(leave).call("leave", {}) == Outcome("failed", {})


def test_many_calls_that_are_only_slow_all_succeed() -> None:
    slow = tool(name="slow", description="d")(lambda: time.sleep(0.1))
    found: list[Outcome] = []
    toolbox = box(slow)
    for _ in range(12):
        toolbox.start("slow", {}, found.append)
    until = time.monotonic() + 10
    while len(found) < 12 and time.monotonic() < until:
        time.sleep(0.02)
    assert found == [Outcome("done", {})] * 12


class MaybeUnsure(WishNet):
    """Its wishes are hardly likelier than the rest while `unsure`."""

    unsure = False

    def step(self, memory: Mapping[str, Array], previous: Array, roles: Array, cache: Array) -> tuple[Array, Array]:
        scores, cache = super().step(memory, previous, roles, cache)
        return scores * (0.03 if self.unsure else 1), cache


def no_type(x):  # type: ignore[no-untyped-def]
    """Something."""


def all_kinds(*values: int) -> None:
    """Something."""


def silent(x: int) -> None:
    pass


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda: tool(no_type), "x has no type"),
        (lambda: tool(all_kinds), "values cannot"),
        (lambda: tool(silent), "write a docstring"),
        (lambda: tool(name="a b", description="d")(silent), "letters"),
        (lambda: tool(description="d", deadline_s=99)(silent), "at most 30"),
        (lambda: tool(description="d", irreversible=True, cancellable=True)(silent), "choose one"),
        (lambda: by_name([heat, heat]), "two tools are named heat"),
        (lambda: by_name([silent]), "@tool"),  # type: ignore[list-item]
    ],
)
def test_a_faulty_tool_is_refused_with_a_hint(make: Callable[[], Any], fault: str) -> None:
    with pytest.raises(UserError, match=fault):
        make()


def test_tools_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "tools.py"
    file.write_text(
        "from __future__ import annotations\nfrom typing import Literal\n"
        "from step_audio_mini.think.functions import tool\nrung = []\n\n"
        "@tool\ndef ring(times: Literal[1, 2] = 1) -> None:\n    'Ring.'\n    rung.append(times)\n",
        encoding="utf-8",
    )
    ring = box(from_file(file)["ring"])
    assert ring.call("ring", {"times": 2}) == Outcome("done", {})
    assert ring.call("ring", {"times": 3}) == Outcome("failed", {})
    for content, fault in (("x = 1", "makes no tools"), ("def", "cannot be run"), ("import nowhere", "cannot be run")):
        file.write_text(content, encoding="utf-8")
        with pytest.raises(UserError, match=fault):
            from_file(file)
    with pytest.raises(UserError, match="cannot be run"):
        from_file(tmp_path / "none.py")


def test_a_function_that_cannot_take_what_may_be_said_is_refused() -> None:
    @tool(name="HassTurnOn")
    def on(area: str) -> None:
        """Turn on."""

    with pytest.raises(UserError, match="takes no argument 'name'"):
        make_mind(WishNet({}), {"HassTurnOn": on})


def test_what_cannot_be_undone_is_confirmed_and_an_unsure_yes_is_none() -> None:
    done: list[Mapping[str, Any]] = []

    @tool(name="HassTurnOn", irreversible=True, deadline_s=1.5)
    def on(name: str | None = None, area: str | None = None, domain: str | None = None) -> None:
        """Turn on."""
        done.append({"area": area, "domain": domain})

    net = MaybeUnsure(
        {
            Role.ACT: ["act:request", "act:affirm"], Role.INTENT: ["HassTurnOn"], Role.CALL: ["call:call"],
            Role.SLOT: ["area", "domain", "end_slots"], Role.START: [3, 4], Role.END: [3, 4],
        }
    )  # fmt: skip
    mind = make_mind(net, by_name([on]))
    assert mind.toolbox.deadline_s("HassTurnOn") == 1.5
    dialogue = mind.dialogue()
    assert mind.decide(hearing_of("turn on the kitchen lights"), dialogue).reply == "Shall I turn on the kitchen light?"
    net.unsure = True
    assert mind.decide(hearing_of("yes perhaps"), dialogue).reply == "Shall I turn on the kitchen light?"
    assert done == []
    net.unsure, net._wishes[Role.ACT] = False, ["act:affirm"]
    assert mind.decide(hearing_of("yes please"), dialogue).reply == "The kitchen light is on."
    assert done == [{"area": "kitchen", "domain": "light"}]
