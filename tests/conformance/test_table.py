"""The published table is what the last results say, and no result in it is a failure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.table import BEGIN, END, PAGE, RESULTS, filled, render

pytestmark = pytest.mark.unit


def client(name: str, **more: Any) -> dict[str, Any]:
    return {
        "client": name,
        "version": "1.0",
        "held": {"answer heard": True},
        "errors": [],
        "violations": [],
        "sent": {"response.create": 2},
        "received": {"response.done": 3},
    } | more


def test_a_table_tells_steps_and_events() -> None:
    failed = client("b", held={"answer heard": False}, violations=["event 3: why"], sent={})
    text = render({"scripted": {"title": "Scripted", "clients": [failed, client("a")]}})
    assert "| | a 1.0 | b 1.0 |" in text
    assert "| answer heard | yes | **no** |" in text
    assert "| broken promises (strict oracle) | 0 | 1 |" in text
    assert "| → `response.create` | 2 | – |" in text
    assert "| ← `response.done` | 3 | 3 |" in text
    assert "output_audio_buffer" not in text


def test_the_page_keeps_what_is_around_the_table() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    made = filled(page, {"scripted": {"title": "Scripted", "clients": [client("a")]}})
    assert made.startswith("before\n") and made.endswith("after\n") and "old" not in made
    assert filled(made, {"scripted": {"title": "Scripted", "clients": [client("a")]}}) == made


def test_the_page_is_what_the_results_say() -> None:
    results = json.loads(RESULTS.read_text("utf-8"))
    page = PAGE.read_text("utf-8")
    assert filled(page, results) == page


def test_the_published_clients_passed() -> None:
    for run in json.loads(RESULTS.read_text("utf-8")).values():
        assert len(run["clients"]) == 4
        for told in run["clients"]:
            assert told["held"] and all(told["held"].values()), told["client"]
            assert not told["violations"], told["client"]
