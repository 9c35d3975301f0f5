"""A small simulated home behind the `home` pack: its devices really change and keep their state between runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from step_audio_mini.think.store import Store
from step_audio_mini.think.tools import ToolFunction
from step_audio_mini.types import SlotValue

Arguments = Mapping[str, SlotValue]
State = dict[str, Any]
_SHOWN_ZH = {"on": "开着", "off": "关着", "open": "开着", "closed": "关着", "cleaning": "正在打扫", "docked": "在充电",
             "playing": "正在播放", "paused": "暂停了"}  # fmt: skip
_IS_ON = ("on", "open", "playing", "cleaning")


@dataclass(frozen=True)
class Device:
    """A device of the home: its kind, where it stands and what it is called."""

    domain: str
    area: str
    name: str
    start: Mapping[str, Any]


def _devices() -> list[Device]:
    lamp = {"state": "off", "brightness": 100, "color": "warm white"}
    rooms = {
        "living room": 21.0, "kitchen": 20.5, "bedroom": 19.0, "guest room": 18.5, "kids room": 20.0, "bathroom": 22.0,
        "study": 20.0, "hallway": 18.0, "dining room": 20.5,
    }  # fmt: skip
    outside = ("garage", "balcony", "garden", "basement", "attic")
    devices = [Device("light", area, "lights", lamp) for area in (*rooms, *outside)]
    devices += [Device("climate", area, "thermostat", {"current": t, "target": 20.0}) for area, t in rooms.items()]
    devices += [
        Device("cover", area, kind, {"state": "closed", "position": 0})
        for area, kind in (
            ("living room", "curtain"), ("bedroom", "curtain"), ("study", "blind"), ("kitchen", "blind"),
            ("kids room", "curtain"), ("guest room", "curtain"), ("dining room", "blind"), ("balcony", "awning"),
            ("garage", "garage door"), ("garage", "shutter"),
        )
    ]  # fmt: skip
    named_lamps = {
        "floor lamp": "living room", "bedside lamp": "bedroom", "desk lamp": "study", "ceiling light": "dining room",
        "christmas tree": "living room",
    }  # fmt: skip
    devices += [Device("light", area, name, lamp) for name, area in named_lamps.items()]
    switches = {
        "coffee machine": "kitchen", "ceiling fan": "bedroom", "heater": "bathroom", "air conditioner": "living room",
        "television": "living room", "speaker": "living room", "humidifier": "bedroom", "kettle": "kitchen",
        "water pump": "garden", "rice cooker": "kitchen", "front window": "hallway",
    }  # fmt: skip
    devices += [Device("switch", area, name, {"state": "off"}) for name, area in switches.items()]
    devices += [Device("fan", area, "fan", {"state": "off"}) for area in ("living room", "bedroom", "study", "kitchen")]
    devices += [Device("switch", area, "socket", {"state": "on"}) for area in ("kitchen", "study", "garage")]
    devices.append(Device("cover", "garage", "garage door", {"state": "closed", "position": 0}))
    devices.append(Device("vacuum", "hallway", "robot vacuum", {"state": "docked"}))
    devices.append(Device("media", "living room", "player", {"state": "paused", "volume": 30, "track": 1}))
    return list({(d.domain, d.area, d.name): d for d in devices}.values())


class SimulatedHome:
    """The home's devices over a store. Tools take and give Home Assistant's names."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._devices = _devices()

    def state(self, device: Device) -> State:
        """What a device is like now."""
        return dict(device.start) | dict(self._store.get(self._key(device), {}))

    def tools(self) -> dict[str, ToolFunction]:
        """Functions by tool name."""
        return {
            "HassTurnOn": lambda a: self._switch(a, "on"),
            "HassTurnOff": lambda a: self._switch(a, "off"),
            "HassLightSet": self._light,
            "HassGetState": self._ask,
            "HassClimateSetTemperature": self._heat,
            "HassClimateGetTemperature": self._measure,
            "HassOpenCover": lambda a: self._cover(a, 100),
            "HassCloseCover": lambda a: self._cover(a, 0),
            "HassSetPosition": lambda a: self._cover(a, int(a["position"])),
            "HassVacuumStart": lambda a: self._machine(
                "vacuum", {"state": "cleaning", "area": a.get("area", "everywhere")}
            ),
            "HassVacuumReturnToBase": lambda _: self._machine("vacuum", {"state": "docked"}),
            "HassMediaPause": lambda _: self._machine("media", {"state": "paused"}),
            "HassMediaUnpause": lambda _: self._machine("media", {"state": "playing"}),
            "HassMediaNext": self._next,
            "HassSetVolume": lambda a: self._machine("media", {"volume": a["volume_level"]}),
            "HassBroadcast": self._broadcast,
        }

    def _key(self, device: Device) -> str:
        return f"home/{device.domain}/{device.area}/{device.name}"

    def _change(self, device: Device, changes: State) -> None:
        self._store.put(self._key(device), self.state(device) | changes)

    def _find(self, arguments: Arguments, domains: tuple[str, ...] | None = None) -> list[Device]:
        """Devices meant: by name (anywhere when the room has none such), else by kind and room."""
        name, area = arguments.get("name"), arguments.get("area")
        kind = arguments.get("cover") or arguments.get("domain")
        found = [d for d in self._devices if domains is None or d.domain in domains]
        if name is not None:
            found = [d for d in found if d.name == name]
            here = [d for d in found if d.area == area]
            return here or ([] if area is not None and len(found) > 1 else found)
        if kind is not None:
            found = [d for d in found if kind in (d.domain, d.name, {"socket": "switch"}.get(d.name))]
        if kind == "switch":
            found = [d for d in found if d.name == "socket"]
        return [d for d in found if area is None or d.area == area]

    def _switch(self, arguments: Arguments, state: str) -> State:
        found = [d for d in self._find(arguments) if "state" in d.start]
        if not found:
            return {"outcome": "unknown"}
        shown = {"cover": {"on": "open", "off": "closed"}, "vacuum": {"on": "cleaning", "off": "docked"}}
        changed = 0
        for device in found:
            new = shown.get(device.domain, {}).get(state, state)
            changed += self.state(device)["state"] != new
            self._change(device, {"state": new})
        return {"outcome": "done" if changed or len(found) > 1 else "already", "devices": len(found)}

    def _light(self, arguments: Arguments) -> State:
        found = self._find(dict(arguments) | {"domain": "light"} if "name" not in arguments else arguments, ("light",))
        changes: State = {key: arguments[key] for key in ("brightness", "color") if key in arguments}
        if not found or not changes:
            return {"outcome": "unknown"}
        changes["state"] = "off" if changes.get("brightness") == 0 else "on"
        for device in found:
            self._change(device, changes)
        return {key: value for key, value in changes.items() if key != "state"} | {"devices": len(found)}

    def _ask(self, arguments: Arguments) -> State:
        found = [d for d in self._find(arguments) if "state" in d.start]
        if not found:
            return {"outcome": "unknown"}
        on = [d for d in found if self.state(d)["state"] in _IS_ON]
        state = str(self.state((on or found)[0])["state"])
        asked = arguments.get("state")
        alike = {"open": "on", "closed": "off"}
        outcome = "done"
        if asked is not None:
            now = "on" if state in _IS_ON else "off"
            outcome = "true" if alike.get(str(asked), str(asked)) == now else "false"
        return {"outcome": outcome, "state": state, "state_zh": _SHOWN_ZH.get(state, state)}

    def _heat(self, arguments: Arguments) -> State:
        target = float(arguments["temperature"])
        found = self._find({k: v for k, v in arguments.items() if k == "area"}, ("climate",))
        if not found:
            return {"outcome": "unknown"}
        for device in found:
            self._change(device, {"target": target})
        return {"temperature": target, "rooms": len(found)}

    def _measure(self, arguments: Arguments) -> State:
        found = self._find(arguments, ("climate",))
        if not found:
            return {"outcome": "unknown"}
        temperatures = [float(self.state(d)["current"]) for d in found]
        return {"temperature": round(sum(temperatures) / len(temperatures), 1)}

    def _cover(self, arguments: Arguments, position: int) -> State:
        found = self._find(arguments, ("cover",))
        if not found:
            return {"outcome": "unknown"}
        same = all(self.state(d)["position"] == position for d in found)
        for device in found:
            self._change(device, {"position": position, "state": "open" if position else "closed"})
        return {"outcome": "already" if same and position in (0, 100) else "done", "position": position}

    def _machine(self, domain: str, changes: State) -> State:
        device = next(d for d in self._devices if d.domain == domain)
        self._change(device, changes)
        return {"state": str(self.state(device)["state"])}

    def _next(self, _: Arguments) -> State:
        device = next(d for d in self._devices if d.domain == "media")
        track = int(self.state(device)["track"]) + 1
        self._change(device, {"track": track, "state": "playing"})
        return {"track": track}

    def _broadcast(self, arguments: Arguments) -> State:
        self._store.put("home/broadcast", str(arguments["message"]))
        return {"heard": "everywhere"}
