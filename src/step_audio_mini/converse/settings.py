"""How a call takes turns: one set of numbers, the three profiles, and the protocol's two detectors mapped onto it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Profile = Literal["snappy", "balanced", "patient"]
Eagerness = Literal["low", "medium", "high", "auto"]


@dataclass(frozen=True, slots=True)
class TurnRules:
    """When somebody speaks and when he has finished."""

    threshold: float = 0.5
    """Probability of speech from which a moment counts as spoken."""
    prefix_padding_ms: int = 300
    """Sound before the onset that belongs to the turn."""
    end: float = 0.5
    """Probability that the turn is over, from which it is."""
    least_silence_ms: int = 240
    """No turn ends sooner after the last spoken moment."""
    most_silence_ms: int = 4000
    """Every turn ends this long after it, whatever the words say."""


PROFILES: dict[Profile, TurnRules] = {
    "snappy": TurnRules(end=0.4, least_silence_ms=160, most_silence_ms=2000),
    "balanced": TurnRules(end=0.65, least_silence_ms=240, most_silence_ms=4000),
    "patient": TurnRules(end=0.8, least_silence_ms=400, most_silence_ms=8000),
}
"""From quick to answer to slow to cut off, chosen on dev clips. The longest silences are the protocol's."""

EAGERNESS: dict[Eagerness, Profile] = {"high": "snappy", "medium": "balanced", "auto": "balanced", "low": "patient"}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a session may set of the engine. The default is a call with semantic turn detection, balanced."""

    turns: TurnRules | None = PROFILES["balanced"]
    """None: the client says when a turn ends (`turn_detection: null`); speech then starts and stops nothing."""
    create_response: bool = True
    """Answer when a turn ends. Without it turns are committed, and the client asks for the answer."""
    interrupt_response: bool = True
    """Speech over the assistant may stop it."""
    idle_timeout_ms: int | None = None
    """After the assistant was heard to its end, this long without speech makes it speak again; None: never."""


def of_profile(name: Profile, *, create_response: bool = True, interrupt_response: bool = True) -> Settings:
    """Settings of a profile by its name."""
    return Settings(PROFILES[name], create_response, interrupt_response)


def server_vad(
    *,
    threshold: float = 0.5,
    prefix_padding_ms: int = 300,
    silence_duration_ms: int = 500,
    create_response: bool = True,
    interrupt_response: bool = True,
    idle_timeout_ms: int | None = None,
) -> Settings:
    """The protocol's `server_vad`: silence alone ends a turn, after exactly as long as the client says."""
    rules = TurnRules(threshold, prefix_padding_ms, 0.5, silence_duration_ms, silence_duration_ms)
    return Settings(rules, create_response, interrupt_response, idle_timeout_ms)


def semantic_vad(
    *, eagerness: Eagerness = "auto", create_response: bool = True, interrupt_response: bool = True
) -> Settings:
    """The protocol's `semantic_vad`: what was said decides how long to wait; `eagerness` picks the profile."""
    return of_profile(EAGERNESS[eagerness], create_response=create_response, interrupt_response=interrupt_response)


MANUAL = Settings(turns=None)
"""`turn_detection: null`."""
