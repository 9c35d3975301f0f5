"""The symbols that every pack shares: user acts, calls, replies and styles, as the mind's decoder writes them."""

from __future__ import annotations

from enum import IntEnum
from typing import get_args

from step_audio_mini.think.state import SystemAct
from step_audio_mini.types import Style


class Role(IntEnum):
    """What the next choice of the decoder is about."""

    ACT = 0
    INTENT = 1
    SLOT = 2
    START = 3
    END = 4
    CALL = 5
    REPLY = 6
    STYLE = 7


ACTS = ("request", "inform", "affirm", "deny", "cancel", "repeat", "out_of_scope", "not_understood")
CALLS = ("call", "ask", "confirm", "none")
REPLIES = ("done", "ask", "confirm", "cancelled", "denied", "repeat", "out_of_scope", "not_understood")
STYLES = {"neutral": Style(), "sorry": Style(emotion="sorry"), "slow": Style(speed=0.85)}

SYMBOLS = (
    "begin",
    "end_slots",
    *(f"act:{name}" for name in ACTS),
    *(f"call:{name}" for name in CALLS),
    *(f"reply:{name}" for name in REPLIES),
    *(f"style:{name}" for name in STYLES),
    *(f"system:{name}" for name in get_args(SystemAct)),
    "segment:state",
    "segment:first",
    "segment:other",
)
"""All fixed symbols in the order of their index; written into the exported graph's facts."""
INDEX = {name: index for index, name in enumerate(SYMBOLS)}


def system_symbol(act: SystemAct) -> int:
    """Index of what the assistant did last."""
    return INDEX[f"system:{act}"]
