"""Which voice speaks which language, as the acoustic graph tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from step_audio_mini.errors import UserError
from step_audio_mini.types import Language

NAMES = {"cvf0252fe7cd27": "mandarin"}
"""What to call a voice whose speaker has no name in the data."""


@dataclass(frozen=True, slots=True)
class Voice:
    """One voice of the acoustic model."""

    name: str
    index: int
    """Its id in the graph."""
    language: Language
    """The only language it has been heard in."""


def voices_of(facts: Mapping[str, Any]) -> tuple[Voice, ...]:
    """Voices in the order of their ids, from the graph's facts: `{"voices": [{"name": ..., "language": ...}]}`."""
    told = ((NAMES.get(entry["name"], entry["name"]), entry["language"]) for entry in facts["voices"])
    return tuple(Voice(name, index, language) for index, (name, language) in enumerate(told))


def choose_voice(voices: tuple[Voice, ...], language: Language, name: str | None = None) -> Voice:
    """The named voice where it speaks the language, else the first voice that does; UserError names what there is."""
    if name is not None and all(voice.name != name for voice in voices):
        raise UserError(f"unknown voice '{name}'; voices are {', '.join(voice.name for voice in voices)}")
    able = [voice for voice in voices if voice.language == language]
    if not able:
        known = sorted({voice.language for voice in voices})
        raise UserError(f"no voice speaks '{language}'; languages are {', '.join(known)}")
    return next((voice for voice in able if voice.name == name), able[0])
