"""Sentences that training the mind needs beside the packs: talk that no pack is for, messages, names, sub-word text."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from step_audio_mini.think.units import is_han, split
from step_audio_mini.train.people import said_elsewhere
from step_audio_mini.types import Language

# CLINC150 intents that a shipped pack or a repair act is for: not elsewhere
_OURS = {
    "timer", "time", "date", "alarm", "weather", "smart_home", "change_volume", "play_music", "next_song", "repeat",
    "yes", "no", "cancel", "timezone", "reminder", "reminder_update", "order", "maybe", "cook_time", "current_location",
}  # fmt: skip


@dataclass(frozen=True)
class MindTexts:
    """Reads one split (`train`, `dev`, `test`) of the text packs under `folder`."""

    folder: Path
    split: str = "train"
    most: int = 15_000
    """Lines read of each source."""

    @cached_property
    def read_sentences(self) -> dict[Language, list[str]]:
        """Read sentences as in Common Voice: nobody speaks to an assistant in them."""
        names: dict[Language, str] = {"en": "en", "zh": "zh_hans"}
        return {language: list(self._lm_text(name)) for language, name in names.items()}

    @cached_property
    def elsewhere(self) -> dict[Language, list[str]]:
        """What no pack is for: read sentences, chit-chat, questions for other services."""
        english, chinese = list(self._chitchat("en-us")), list(self._chitchat("zh-cn"))
        for row in self._json("nlu_en/clinc150"):
            if row["intent"] not in _OURS:
                english.append(row["text"])
        asked = said_elsewhere(self.folder, self.split)
        # every source counts about the same, so short sources are read twice
        return {
            "en": _even(self.read_sentences["en"], english) + asked["en"],
            "zh": _even(self.read_sentences["zh"], chinese) + asked["zh"],
        }

    @cached_property
    def messages(self) -> dict[Language, list[str]]:
        """Sentences short enough to be a message that is passed on."""
        return {
            language: [s for s in found[:4000] if 2 <= len(split(s)) <= 12]
            for language, found in self.read_sentences.items()
        }

    def names(self, language: Language, rng: random.Random, count: int) -> list[str]:
        """Invented names of rooms and devices, made of words of real sentences."""
        pool = self.read_sentences[language]
        found: list[str] = []
        while len(found) < count:
            units = [u for u in split(rng.choice(pool)) if is_han(u) == (language == "zh") and not u.isdigit()]
            length = rng.choice([2, 2, 3] if language == "zh" else [1, 1, 2])
            if len(units) > length + 1:
                at = rng.randrange(len(units) - length)
                found.append(("" if language == "zh" else " ").join(units[at : at + length]))
        return found

    def _lm_text(self, name: str) -> Iterator[str]:
        path = self.folder / "lm_text" / f"{name}.{self.split}.tsv.gz"
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines):
                if number >= self.most:
                    return
                yield line.rstrip("\n").split("\t", 1)[-1]

    def _chitchat(self, language: str) -> Iterator[str]:
        for row in self._json("msbot/chitchat"):
            if row["lang"] == language:
                yield str(row["q"])

    def _json(self, name: str) -> Iterator[dict[str, Any]]:
        with gzip.open(self.folder / f"{name}.{self.split}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines):
                if number >= self.most:
                    return
                yield json.loads(line)


def _even(one: list[str], other: list[str]) -> list[str]:
    if not other:
        return one
    times = max(1, round(len(one) / len(other)))
    return one + other * min(times, 3)
