"""What people really said is taken where a pack can do it, and is none of its business where it cannot."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from step_audio_mini.think.pack import join
from step_audio_mini.think.pack_file import load_pack
from step_audio_mini.think.values import Values
from step_audio_mini.train.people import said_by_people, said_elsewhere

pytestmark = pytest.mark.unit
ROWS: dict[str, list[dict[str, Any]]] = {
    "nlu_en/clinc150": [
        {"text": "what is the date", "intent": "date"},
        {"text": "what date is it in six days from now", "intent": "date"},
        {"text": "what time is it in london", "intent": "time"},
        {"text": "tell me the time", "intent": "time"},
    ],
    "nlu_en/hwu64": [
        {"text": "clean the kitchen", "intent": "iot_cleaning"},
        {"text": "turn the robot vacuum on", "intent": "iot_cleaning"},
        {"text": "book me a taxi", "intent": "transport_taxi"},
    ],
    "nlu_en/snips": [
        {"text": "is it foggy in oslo", "intent": "GetWeather"},
        {"text": "rate this novel four stars", "intent": "RateBook"},
    ],
    "crosswoz/dialogues": [{"turns": [{"r": "u", "t": "帮我找一家酒店"}, {"r": "s", "t": "好的"}]}],
    "smalltalk/pairs": [{"lang": "zh-tw", "turns": ["你喜歡我嗎"]}, {"lang": "en", "turns": ["do you dream", "never"]}],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, rows in ROWS.items():
        path = tmp_path / f"{name}.train.jsonl.gz"
        path.parent.mkdir(exist_ok=True)
        with gzip.open(path, "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return tmp_path


def test_what_a_pack_cannot_do_is_not_taken_for_its_intent(folder: Path) -> None:
    pack = join([load_pack("home"), load_pack("clock-weather")])
    found = said_by_people(folder, "train", pack, Values(pack))
    said = {key: [" ".join(u.units) for u in told] for key, told in found.items()}
    assert said == {
        ("HassGetCurrentDate", "en"): ["what is the date"],
        ("HassGetCurrentTime", "en"): ["tell me the time"],
        ("HassVacuumStart", "en"): ["clean the kitchen"],
    }
    assert found["HassVacuumStart", "en"][0].values == {"area": "kitchen"}


def test_requests_to_others_and_small_talk_are_elsewhere(folder: Path) -> None:
    found = said_elsewhere(folder, "train")
    assert found["en"] == ["book me a taxi", "rate this novel four stars", "do you dream", "never"]
    assert found["zh"] == ["帮我找一家酒店", "好的"]
    assert said_elsewhere(folder, "dev") == {"en": [], "zh": []}
