"""Time, date, timers and alarms behind the `clock-weather` pack; the weather is asked for and honestly not known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from step_audio_mini.think.store import Store
from step_audio_mini.think.times import WEEKDAYS, write_date, write_duration, write_time
from step_audio_mini.think.tools import ToolFunction
from step_audio_mini.types import SlotValue

Arguments = Mapping[str, SlotValue]
Row = dict[str, Any]
MOST = 50
"""Timers and alarms kept at a time."""


class Clock:
    """Timers and alarms over a store. `now` is an argument, so that tests own the time."""

    def __init__(self, store: Store, now: Callable[[], datetime] = datetime.now) -> None:
        self._store, self._now = store, now

    def tools(self) -> dict[str, ToolFunction]:
        """Functions by tool name."""
        return {
            "HassGetCurrentTime": self._time,
            "HassGetCurrentDate": self._date,
            "HassStartTimer": self._start_timer,
            "HassCancelTimer": self._cancel_timer,
            "HassTimerStatus": self._timer_status,
            "SetAlarm": self._set_alarm,
            "CancelAlarm": self._cancel_alarm,
            "GetAlarms": self._get_alarms,
            "HassGetWeather": lambda _: {"outcome": "no_provider"},
        }

    def _time(self, _: Arguments) -> Row:
        value = f"{self._now():%H:%M}"
        return {"time": write_time(value, "en"), "time_zh": write_time(value, "zh"), "value": value}

    def _date(self, _: Arguments) -> Row:
        now = self._now()
        weekday = WEEKDAYS[now.weekday()]
        return {
            "date": f"{weekday.capitalize()}, {now:%B} {now.day}",
            "date_zh": f"{now.month}月{now.day}日，{write_date(weekday, 'zh')}",
            "value": f"{now:%Y-%m-%d}",
        }

    def _timers(self) -> list[Row]:
        """Timers still running, the one that ends first in front."""
        now = self._now().timestamp()
        return sorted((t for t in self._store.get("clock/timers", []) if t["ends"] > now), key=lambda t: t["ends"])

    def _start_timer(self, arguments: Arguments) -> Row:
        timers = self._timers()
        if len(timers) >= MOST:
            return {"outcome": "failed"}
        seconds = int(arguments["duration"])
        row = {"ends": (self._now() + timedelta(seconds=seconds)).timestamp(), "duration": seconds}
        self._store.put("clock/timers", [*timers, row | {"label": arguments.get("label")}])
        return {"duration": seconds, "running": len(timers) + 1}

    def _chosen(self, arguments: Arguments, rows: list[Row], keys: tuple[str, ...]) -> list[Row]:
        return [r for r in rows if all(r.get(k) == arguments[k] for k in keys if k in arguments)]

    def _cancel_timer(self, arguments: Arguments) -> Row:
        timers = self._timers()
        chosen = self._chosen(arguments, timers, ("label", "duration"))
        self._store.put("clock/timers", [t for t in timers if t not in chosen])
        return {"outcome": "done" if chosen else "none", "cancelled": len(chosen)}

    def _timer_status(self, arguments: Arguments) -> Row:
        chosen = self._chosen(arguments, self._timers(), ("label",))
        if not chosen:
            return {"outcome": "none"}
        left = max(1, round(chosen[0]["ends"] - self._now().timestamp()))
        return {"left": write_duration(left, "en"), "left_zh": write_duration(left, "zh"), "seconds": left}

    def _alarms(self) -> list[Row]:
        return sorted(self._store.get("clock/alarms", []), key=lambda a: (a["date"] or "", a["time"]))

    def _set_alarm(self, arguments: Arguments) -> Row:
        alarms = self._alarms()
        row = {"time": arguments["time"], "date": arguments.get("date")}
        if len(alarms) >= MOST:
            return {"outcome": "failed"}
        self._store.put("clock/alarms", [*(a for a in alarms if a != row), row])
        return {"time": str(arguments["time"])}

    def _cancel_alarm(self, arguments: Arguments) -> Row:
        alarms = self._alarms()
        chosen = self._chosen(arguments, alarms, ("time", "date"))
        self._store.put("clock/alarms", [a for a in alarms if a not in chosen])
        return {"outcome": "done" if chosen else "none", "cancelled": len(chosen)}

    def _get_alarms(self, arguments: Arguments) -> Row:
        chosen = self._chosen(arguments, self._alarms(), ("date",))[:5]
        if not chosen:
            return {"outcome": "none"}
        spoken = [(write_time(a["time"], "en") + (f" {a['date']}" if a["date"] else ""), self._zh(a)) for a in chosen]
        return {"alarms": ", ".join(en for en, _ in spoken), "alarms_zh": "，".join(zh for _, zh in spoken)}

    def _zh(self, alarm: Row) -> str:
        return (write_date(alarm["date"], "zh") if alarm["date"] else "") + write_time(alarm["time"], "zh")
