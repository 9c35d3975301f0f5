"""All packs that can be made, by name."""

from __future__ import annotations

from step_audio_mini.data.makers import (
    backgrounds,
    commands,
    common_voice,
    mandarin,
    read_english,
    simulated_rooms,
    text_books,
    text_chinese,
    text_dialogues,
    text_home,
    text_lexicons,
    text_requests,
    text_sentences,
)
from step_audio_mini.data.makers.maker import Maker
from step_audio_mini.data.makers.text_maker import TextMaker
from step_audio_mini.errors import UserError

_SOUND = (common_voice, mandarin, read_english, commands, backgrounds, simulated_rooms)
_TEXT = (text_lexicons, text_sentences, text_books, text_chinese, text_requests, text_dialogues, text_home)
MAKERS: dict[str, Maker] = {maker.name: maker for family in _SOUND for maker in family.MAKERS}
"""Packs of recordings."""
TEXT_MAKERS: dict[str, TextMaker] = {maker.name: maker for family in _TEXT for maker in family.MAKERS}
"""Packs of text."""


def find(names: list[str]) -> list[Maker | TextMaker]:
    """The makers of these packs, recordings before text; UserError for an unknown name."""
    known = MAKERS | TEXT_MAKERS
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UserError(f"unknown pack {', '.join(unknown)}; there are {', '.join(known)}")
    return sorted((known[name] for name in names), key=lambda maker: isinstance(maker, TextMaker))
