"""The counter behind the `coffee` pack: takes an order, writes it down and gives it a number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from step_audio_mini.think.store import Store
from step_audio_mini.think.tools import ToolFunction
from step_audio_mini.types import SlotValue

KEPT = 100
"""Orders that are remembered."""


class Counter:
    """Orders over a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def tools(self) -> dict[str, ToolFunction]:
        """Functions by tool name."""
        return {"orderDrink": self._order}

    def _order(self, arguments: Mapping[str, SlotValue]) -> dict[str, Any]:
        number = int(self._store.get("coffee/number", 0)) + 1
        orders = [*self._store.get("coffee/orders", []), {"number": number} | dict(arguments)]
        self._store.put("coffee/orders", orders[-KEPT:])
        self._store.put("coffee/number", number)
        return {"order": number}
