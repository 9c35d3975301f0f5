"""What people really said, from public collections, as phrasings of the shipped packs: templates alone are too tidy.

The collections name intents of their own; `OURS` says which of ours they are. Their slots are not ours either: values
are found by looking for the pack's own values, times and numbers in the words.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from step_audio_mini.think.pack import Pack
from step_audio_mini.think.phrases import Utterance
from step_audio_mini.think.units import is_han, split
from step_audio_mini.think.values import Values
from step_audio_mini.types import Language, SlotValue

OURS: Mapping[str, Mapping[str, str]] = {
    "nlu_en/clinc150": {
        "time": "HassGetCurrentTime", "date": "HassGetCurrentDate", "timer": "HassStartTimer", "alarm": "SetAlarm",
        "weather": "HassGetWeather", "next_song": "HassMediaNext", "repeat": "repeat", "yes": "affirm", "no": "deny",
        "cancel": "cancel",
    },
    "nlu_en/hwu64": {
        "alarm_query": "GetAlarms", "alarm_remove": "CancelAlarm", "alarm_set": "SetAlarm",
        "weather_query": "HassGetWeather", "general_repeat": "repeat", "general_affirm": "affirm",
        "general_negate": "deny", "general_commandstop": "cancel", "iot_cleaning": "HassVacuumStart",
        "iot_hue_lightchange": "HassLightSet", "iot_hue_lightdim": "HassLightSet", "iot_hue_lightup": "HassLightSet",
        "iot_hue_lightoff": "HassTurnOff", "iot_hue_lighton": "HassTurnOn", "iot_wemo_off": "HassTurnOff",
        "iot_wemo_on": "HassTurnOn", "audio_volume_up": "HassSetVolume", "audio_volume_down": "HassSetVolume",
    },
    "msbot/intents": {
        "general Cancel": "cancel", "general Confirm": "affirm", "general Reject": "deny", "general Repeat": "repeat",
        "weather QueryWeather": "HassGetWeather", "weather CheckWeatherValue": "HassGetWeather",
        "music Pause": "HassMediaPause", "music AdjustVolume": "HassSetVolume",
    },
}  # fmt: skip
"""Collection -> its intent (msbot: domain and intent) -> an intent of the packs, or a repair act."""
ELSEWHERE = 9000
"""Sentences for other services that are taken in each language, about."""
LONGEST = 20
"""Units of a phrasing that is taken."""
_NEAR_OURS = {
    "datetime_query", "datetime_convert", "iot_coffee", "play_music", "play_radio",
    "general_confirm", "general_explain", "calendar_set", "audio_volume_mute", "music_settings", "music_likeness",
    "play_podcasts", "general_dontcare", "cooking_recipe",
}  # fmt: skip
_UNITS_AFTER = {"percent", "%", "degrees", "degree", "°", "度"}


def said_by_people(
    folder: Path, split_name: str, pack: Pack, values: Values
) -> dict[tuple[str, Language], list[Utterance]]:
    """(intent or repair act, language) -> phrasings of one split, for the intents that the pack has."""
    found: dict[tuple[str, Language], list[Utterance]] = defaultdict(list)
    for collection, intents in OURS.items():
        for text, name in _rows(folder, collection, split_name):
            ours = intents.get(name)
            units = split(text)
            if ours is None or not 0 < len(units) <= LONGEST:
                continue
            language: Language = "zh" if sum(map(is_han, units)) * 2 > len(units) else "en"
            if language not in pack.languages or (ours[0].isupper() and ours not in pack.intents):
                continue
            slots = pack.intents[ours].slots if ours in pack.intents else ()
            if _asks_for_more(ours, units, slots, values):
                continue
            found[ours, language].append(_labelled(units, slots, values, language))
    return dict(found)


def _asks_for_more(name: str, units: Sequence[str], slots: Sequence[str], values: Values) -> bool:
    """True for what our intent of that name cannot do: dates to come, times elsewhere, devices it does not take."""
    said = " ".join(units)
    if name == "HassGetCurrentDate":
        return any(word in said for word in ("from now", " be ", " in ", "tomorrow", "yesterday", "next"))
    if name == "HassGetCurrentTime":
        return " in " in said or "zone" in said
    devices = values.listed("name") if name.startswith("Hass") and "name" in values.pack.slots else None
    if devices is None or "name" in slots:
        return False
    return any(values.longest_at(units, at)[0] == "name" for at in range(len(units)))


def said_elsewhere(folder: Path, split_name: str) -> dict[Language, list[str]]:
    """What people asked of other services: none of the packs' business."""
    out: dict[Language, list[str]] = {"en": [], "zh": []}
    for text, name in _rows(folder, "nlu_en/hwu64", split_name):
        if name not in OURS["nlu_en/hwu64"] and name not in _NEAR_OURS:
            out["en"].append(text)
    for text, name in _rows(folder, "msbot/intents", split_name):
        domain = name.split()[0]
        if domain not in ("general", "weather", "music"):
            out["zh" if any(map(is_han, text)) else "en"].append(text)
    for text, name in _rows(folder, "nlu_en/snips", split_name):
        if name not in ("GetWeather", "PlayMusic"):
            out["en"].append(text)
    for text, _ in _rows(folder, "nlu_en/banking77", split_name):
        out["en"].append(text)
    for language, said in _in_dialogues(folder, split_name):
        out[language].append(said)
    return {language: said[:: max(1, len(said) // ELSEWHERE)] for language, said in out.items()}


def _in_dialogues(folder: Path, split_name: str) -> Iterator[tuple[Language, str]]:
    """Short turns of people who talk to each other, or to other assistants."""
    for collection in ("crosswoz/dialogues", "kdconv/dialogues", "smalltalk/pairs"):
        for row in _json(folder, collection, split_name):
            if row.get("lang") == "zh-tw":
                continue
            for turn in row["turns"]:
                said = turn["t"] if isinstance(turn, dict) else turn
                if 0 < len(split(said)) <= LONGEST:
                    yield ("zh" if any(map(is_han, said)) else "en"), said


def _rows(folder: Path, collection: str, split_name: str) -> Iterator[tuple[str, str]]:
    for row in _json(folder, collection, split_name):
        yield row["text"], f"{row['domain']} {row['intent']}" if collection == "msbot/intents" else row["intent"]


def _json(folder: Path, collection: str, split_name: str) -> Iterator[dict[str, Any]]:
    path = folder / f"{collection}.{split_name}.jsonl.gz"
    if path.exists():
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def _labelled(units: list[str], slots: Sequence[str], values: Values, language: Language) -> Utterance:
    """The words with every slot whose value stands in them, the longest where several do."""
    found: dict[str, SlotValue] = {}
    spans: dict[str, tuple[int, int]] = {}
    for slot in slots:
        for length in range(min(8, len(units)), 0, -1):
            for first in range(len(units) - length + 1):
                value = _exact(slot, units, first, length, values)
                if value is not None and slot not in found:
                    found[slot], spans[slot] = value, (first, first + length - 1)
    return Utterance(tuple(units), found, spans, " ".join(units), language)


def _exact(slot: str, units: Sequence[str], first: int, length: int, values: Values) -> SlotValue | None:
    said = units[first : first + length]
    kind = values.pack.type_of(slot).kind
    if listed := values.listed(slot):
        return listed.canonical.get(tuple(said))
    if kind == "number":
        after = units[first + length : first + length + 1]
        percent = first >= 3 and units[first - 3 : first] == ["百", "分", "之"]
        return values.normalise(slot, said) if percent or _UNITS_AFTER & set(after) else None
    if kind == "time":
        clear = length > 1 or re.fullmatch(r"\d{1,2}:\d\d|noon|midnight", said[0])
        return values.normalise(slot, said) if clear else None
    return values.normalise(slot, said) if kind in ("duration", "date") else None
