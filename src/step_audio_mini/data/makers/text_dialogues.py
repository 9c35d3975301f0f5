"""Task dialogues between two people, for the wording of requests: coffee orders, travel in a city, talk about facts."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from step_audio_mini.data.makers.maker import Open
from step_audio_mini.data.makers.text_maker import TextFiles, TextMaker, place_of, split_of

CROSSWOZ, KDCONV, TASKMASTER = "thu-coai/CrossWOZ", "thu-coai/KdConv", "google-research-datasets/Taskmaster"


def _ours(part: str, key: str) -> str:
    """The source's test part stays test; its dev part is what we train and tune on (its train part is too large)."""
    return "test" if part == "test" else "dev" if place_of(key) % 5 == 0 else "train"


def _unzipped(content: bytes) -> dict[str, Any]:
    """The JSON file inside a zip file."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".json"))
        return dict(json.loads(archive.read(name)))


def _fill_crosswoz(made: TextFiles, open_: Open) -> None:
    rows = []
    for part in ("val", "test"):
        for name, dialogue in _unzipped(open_(CROSSWOZ).read(f"data/crosswoz/{part}.json.zip")).items():
            turns = [{"r": m["role"][0], "t": m["content"], "a": m["dialog_act"]} for m in dialogue["messages"]]
            goal = {"type": dialogue["type"], "goal": dialogue["goal"], "task": dialogue["task description"]}
            rows.append((_ours(part, name), {"id": name} | goal | {"turns": turns}))
    made.by_split("dialogues", rows)


def _fill_kdconv(made: TextFiles, open_: Open) -> None:
    repository, rows = open_(KDCONV), []
    for domain in ("film", "music", "travel"):
        for part in ("dev", "test"):
            for number, dialogue in enumerate(json.loads(repository.text(f"data/{domain}/{part}.json"))):
                name = f"{domain}-{part}-{number}"
                turns = [{"t": m["message"], "k": _facts(m.get("attrs", []))} for m in dialogue["messages"]]
                row = {"id": name, "domain": domain, "topic": dialogue.get("name"), "turns": turns}
                rows.append((_ours(part, name), row))
    made.by_split("dialogues", rows)


def _facts(attributes: list[dict[str, Any]]) -> list[list[Any]]:
    return [[a.get("name"), a.get("attrname"), str(a.get("attrvalue"))[:100]] for a in attributes]


def _fill_taskmaster(made: TextFiles, open_: Open) -> None:
    repository, rows = open_(TASKMASTER), []
    for path in repository.under("TM-4-2024/data"):
        for dialogue in json.loads(repository.text(path)):
            name = dialogue["conversation_id"]
            turns = [_turn(utterance) for utterance in dialogue["utterances"]]
            rows.append((split_of(name), {"id": name, "scenario": dialogue["scenario"], "turns": turns}))
    made.by_split("coffee", rows)


def _turn(utterance: dict[str, Any]) -> dict[str, Any]:
    text = utterance["text"].replace("\\r", " ").replace("\\n", " ").strip()  # written out in the source
    kept = ("api_call", "request", "response")
    acts = [[a["name"], a["value"][:300]] for a in utterance.get("annotations") or [] if a["name"] in kept]
    return {"r": utterance["speaker"][0].lower(), "t": text, "a": acts}


MAKERS = (
    TextMaker("crosswoz", "Chinese dialogues about a city", (CROSSWOZ,), "Apache-2.0", _fill_crosswoz),
    TextMaker("kdconv", "Chinese talk about films, music, travel", (KDCONV,), "Apache-2.0", _fill_kdconv),
    TextMaker("taskmaster4", "English coffee orders", (TASKMASTER,), "CC BY 4.0", _fill_taskmaster),
)
