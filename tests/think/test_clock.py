"""Timers and alarms, with the test owning the time."""

from datetime import datetime, timedelta

import pytest

from step_audio_mini.think.clock import Clock
from step_audio_mini.think.counter import Counter
from step_audio_mini.think.pack_file import load_pack
from step_audio_mini.think.store import Store

pytestmark = pytest.mark.unit


class Time:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 19, 5)

    def __call__(self) -> datetime:
        return self.now


def test_time_and_date_in_both_languages() -> None:
    tools = Clock(Store(None), Time()).tools()
    assert tools["HassGetCurrentTime"]({}) == {"time": "7:05 p.m.", "time_zh": "晚上7点5分", "value": "19:05"}
    assert tools["HassGetCurrentDate"]({})["date"] == "Monday, March 2"
    assert tools["HassGetCurrentDate"]({})["date_zh"] == "3月2日，星期一"


def test_a_timer_runs_down_and_is_gone() -> None:
    time = Time()
    tools = Clock(Store(None), time).tools()
    tools["HassStartTimer"]({"duration": 300, "label": "eggs"})
    tools["HassStartTimer"]({"duration": 60})
    time.now += timedelta(seconds=30)
    assert tools["HassTimerStatus"]({})["seconds"] == 30
    assert tools["HassTimerStatus"]({"label": "eggs"})["left"] == "4 minutes 30 seconds"
    assert tools["HassCancelTimer"]({"label": "eggs"})["cancelled"] == 1
    assert tools["HassCancelTimer"]({"label": "eggs"})["outcome"] == "none"
    time.now += timedelta(seconds=31)
    assert tools["HassTimerStatus"]({})["outcome"] == "none"


def test_alarms_are_kept_and_cancelled() -> None:
    tools = Clock(Store(None), Time()).tools()
    assert tools["GetAlarms"]({})["outcome"] == "none"
    tools["SetAlarm"]({"time": "07:30", "date": "tomorrow"})
    tools["SetAlarm"]({"time": "07:30", "date": "tomorrow"})
    assert tools["GetAlarms"]({})["alarms"] == "7:30 a.m. tomorrow"
    assert tools["CancelAlarm"]({"time": "07:30"})["cancelled"] == 1


def test_the_weather_is_honestly_unknown_and_every_tool_exists() -> None:
    tools = Clock(Store(None), Time()).tools()
    assert tools["HassGetWeather"]({})["outcome"] == "no_provider"
    assert set(load_pack("clock-weather").tools) == set(tools)


def test_orders_are_numbered() -> None:
    tools = Counter(Store(None)).tools()
    assert tools["orderDrink"]({"coffeeDrink": "latte"}) == {"order": 1}
    assert tools["orderDrink"]({"coffeeDrink": "mocha"}) == {"order": 2}
    assert set(load_pack("coffee").tools) == set(tools)
