"""The simulated home really changes, and remembers."""

from pathlib import Path

import pytest

from step_audio_mini.errors import UserError
from step_audio_mini.think.home import SimulatedHome
from step_audio_mini.think.pack_file import load_pack
from step_audio_mini.think.store import Store
from step_audio_mini.types import SlotValue

pytestmark = pytest.mark.unit


def test_what_was_turned_on_stays_on_in_the_next_run(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "state.sqlite"
    store = Store(file)
    tools = SimulatedHome(store).tools()
    assert tools["HassTurnOn"]({"name": "floor lamp"})["outcome"] == "done"
    store.close()
    again = SimulatedHome(Store(file)).tools()
    assert again["HassGetState"]({"name": "floor lamp", "state": "on"})["outcome"] == "true"
    assert again["HassTurnOn"]({"name": "floor lamp"})["outcome"] == "already"
    assert again["HassTurnOff"]({"name": "floor lamp"})["outcome"] == "done"
    assert again["HassGetState"]({"name": "floor lamp", "state": "on"})["outcome"] == "false"


def test_every_tool_of_the_pack_is_there_and_answers() -> None:
    tools = SimulatedHome(Store(None)).tools()
    pack = load_pack("home")
    assert set(pack.tools) == set(tools)
    arguments: dict[str, SlotValue] = {
        "name": "floor lamp", "area": "living room", "domain": "light", "brightness": 40, "temperature": 21.5,
        "message": "hi", "cover": "curtain", "position": 30, "volume_level": 20,
    }  # fmt: skip
    for name, intent in pack.intents.items():
        given = {s: arguments[s] for s in intent.slots if s in arguments}
        assert isinstance(dict(tools[name](given)), dict)


def test_lights_of_a_room_and_what_is_not_there() -> None:
    tools = SimulatedHome(Store(None)).tools()
    assert tools["HassLightSet"]({"area": "kitchen", "brightness": 40})["brightness"] == 40
    assert tools["HassGetState"]({"area": "kitchen", "domain": "light"})["state"] == "on"
    assert tools["HassTurnOn"]({"name": "floor lamp", "area": "garage"})["outcome"] == "done"
    assert tools["HassOpenCover"]({"cover": "curtain", "area": "garage"})["outcome"] == "unknown"
    assert tools["HassOpenCover"]({"cover": "curtain", "area": "bedroom"})["outcome"] == "done"
    assert tools["HassOpenCover"]({"cover": "curtain", "area": "bedroom"})["outcome"] == "already"
    assert tools["HassClimateGetTemperature"]({"area": "bathroom"})["temperature"] == 22.0


def test_a_state_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="STEP_AUDIO_STATE"):
        Store(tmp_path / "file" / "state.sqlite")
