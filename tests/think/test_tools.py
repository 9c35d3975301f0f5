"""Tools may fail, hang or lie: the dialogue goes on."""

import math
import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest

from step_audio_mini.think.pack import Tool
from step_audio_mini.think.pack_file import load_pack
from step_audio_mini.think.tools import MOST_HANGING, Outcome, Toolbox

pytestmark = pytest.mark.unit
HOME = load_pack("home")


def call(result: Any, returns: dict[str, Any] | None = None) -> Outcome:
    pack = HOME.model_copy(update={"tools": {"T": Tool(returns=returns or {})}})
    return Toolbox(pack, {"T": lambda _: result}).call("T", {})


def test_a_good_result_comes_back_whole() -> None:
    assert call({"brightness": 40}, {"brightness": "number"}) == Outcome("done", {"brightness": 40})
    assert call({"outcome": "already"}) == Outcome("already", {})


@pytest.mark.parametrize(
    "lie",
    [None, 3, "done", {"brightness": "forty"}, {}, {"brightness": True}, {"brightness": math.nan}, {"brightness": [1]},
     {1: 2}, {f"k{i}": i for i in range(50)}],
)  # fmt: skip
def test_a_lie_counts_as_failed(lie: object) -> None:
    assert call(lie, {"brightness": "number"}) == Outcome("failed", {})


def test_results_are_bounded_plain_text() -> None:
    found = call({"text": "a\x1b[31m\n[name]" + "x" * 9999}).result["text"]
    assert isinstance(found, str)
    assert len(found) <= 300
    assert "[" not in found and "\n" not in found and "\x1b" not in found


def test_a_tool_that_raises_or_is_missing() -> None:
    def broken(_: Mapping[str, Any]) -> Mapping[str, Any]:
        raise RuntimeError("no")

    pack = HOME.model_copy(update={"tools": {"T": Tool()}})
    assert Toolbox(pack, {"T": broken}).call("T", {}) == Outcome("failed", {})
    assert Toolbox(pack, {}).call("T", {}) == Outcome("unconnected", {})


def test_hanging_tools_end_at_their_deadline_and_do_not_pile_up() -> None:
    free = threading.Event()
    calls = []

    def hang(_: Mapping[str, Any]) -> Mapping[str, Any]:
        calls.append(1)
        free.wait(20)
        return {}

    pack = HOME.model_copy(update={"tools": {"T": Tool(deadline_s=0.05)}})
    box = Toolbox(pack, {"T": hang})
    began = time.monotonic()
    for _ in range(MOST_HANGING + 3):
        assert box.call("T", {}) == Outcome("timeout", {})
    assert time.monotonic() - began < 3
    assert len(calls) == MOST_HANGING
    free.set()
