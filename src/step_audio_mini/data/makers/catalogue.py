"""All packs that can be made, by name."""

from __future__ import annotations

from step_audio_mini.data.makers import backgrounds, commands, common_voice, mandarin, read_english, simulated_rooms
from step_audio_mini.data.makers.maker import Maker
from step_audio_mini.errors import UserError

_FAMILIES = (common_voice, mandarin, read_english, commands, backgrounds, simulated_rooms)
MAKERS: dict[str, Maker] = {maker.name: maker for family in _FAMILIES for maker in family.MAKERS}


def find(names: list[str]) -> list[Maker]:
    """The makers of these packs; UserError for an unknown name."""
    unknown = [name for name in names if name not in MAKERS]
    if unknown:
        raise UserError(f"unknown pack {', '.join(unknown)}; there are {', '.join(MAKERS)}")
    return [MAKERS[name] for name in names]
