"""What the rooms of a folder of weights keep: the search of the last packs, and those that calls use."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from step_audio_mini.rooms import TrainedRooms
from step_audio_mini.runtime.manifest import Weights

pytestmark = pytest.mark.unit


class Search:
    """Stands for a recogniser."""


def test_a_search_is_made_once_while_a_call_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def make(rooms: TrainedRooms, packs: tuple[str, ...], language: str) -> Search:
        made.append(packs)
        return Search()

    monkeypatch.setattr(TrainedRooms, "_recogniser", make)
    monkeypatch.setattr(TrainedRooms, "_speaker_model", None)
    monkeypatch.setattr("step_audio_mini.listen.stream.Stream", lambda found, _: SimpleNamespace(search=found))
    rooms = TrainedRooms(Weights.__new__(Weights), None, {}, None)
    one: Any = rooms.ears("home", "auto")
    rooms.ears("coffee", "auto")
    again: Any = rooms.ears("home", "auto")
    assert again.search is one.search
    assert made == [("home",), ("coffee",)]
    del one, again
    rooms.ears("coffee", "auto")  # the last two are kept, though nobody uses them
    rooms.ears("home", "auto")
    assert made[2:] == []
    rooms.ears("clock-weather", "auto")
    rooms.ears("home", "auto")
    assert made[2:] == [("clock-weather",)]
    rooms.ears("coffee", "auto")
    assert made[2:] == [("clock-weather",), ("coffee",)]
