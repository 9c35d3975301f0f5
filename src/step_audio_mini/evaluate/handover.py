"""Measures what is handed over to a chat endpoint: open questions should be, requests never.

The score is `Plan.openness`, with the packs loaded that a server loads. Its threshold is chosen on drawn phrasings and
idle talk, and told of requests and open questions that were written by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from step_audio_mini.evaluate.intervals import Count, Figure, rate
from step_audio_mini.evaluate.mind import LANGUAGES, read_set
from step_audio_mini.evaluate.rejection import curve, operating_point
from step_audio_mini.evaluate.results import Row, row
from step_audio_mini.evaluate.talk import TalkTest
from step_audio_mini.think.mind import hearing_of
from step_audio_mini.think.plan import MEANT, Plan
from step_audio_mini.types import Hearing, Language

PACKS = ("home", "clock-weather")
MOST_FALSE = 0.0
"""Share of requests that may be handed over on the sets that the threshold is chosen on: none."""
VOICE_PACK = "coffee"
"""Real people ask for something of it in recordings."""
READ, READ_CLIPS = ("cv_zh", "libri_mini", "cv_en"), 40
"""Packs of read sentences, that ask for nothing, and most clips of each."""


class Mind(Protocol):
    """A mind with the packs."""

    def dialogue(self, language: Language | None = None) -> Any:
        """A new conversation."""

    def plan(self, hearing: Hearing, dialogue: Any) -> Plan:
        """What it would do."""


@dataclass(frozen=True)
class Judged:
    """A first turn of a conversation."""

    id: str
    language: Language
    asks: bool
    """Whether it asks for something of the packs."""
    plan: Plan


def judge(mind: Mind, name: str) -> list[Judged]:
    """The first turns of a set that the packs are meant for."""
    found = []
    for case in read_set(name):
        if case.pack in PACKS:
            first = case.turns[0]
            plan = mind.plan(hearing_of(first.text), mind.dialogue(case.language))
            found.append(Judged(case.id, case.language, first.intent is not None, plan))
    return found


def measure(mind: Mind, tell: Callable[[str], None]) -> list[Row]:
    """All rows; `tell` hears the name of each set."""
    judged: dict[str, list[Judged]] = {}
    for name in ("phrasings", "dialogues", "idle", "handwritten", "open"):
        tell(name)
        judged[name] = judge(mind, name)
    return rows_of(judged)


def measure_voices(test: TalkTest, mind: Mind, tell: Callable[[str], None]) -> list[Row]:
    """Rows of recordings, heard with the pack of the orders loaded, which pulls what is heard towards an order."""
    rows: list[Row] = []
    for pack, most, name in (
        ("sti", 1000, "orders of real people handed over falsely"),
        *((pack, READ_CLIPS, "read sentences handed over") for pack in READ),
    ):
        tell(pack)
        counts = []
        for clip in test.clips([pack], most):
            hearing = test.model.listen(test.sound(clip), VOICE_PACK)
            handed = bool(hearing.best.words) and mind.plan(hearing, mind.dialogue()).is_open
            counts.append(Count(float(handed), 1, clip.speaker))
        if counts:
            rows.append(row(name, pack, rate(counts), "real", note=f"openness above {1 - MEANT:.3g}"))
    return rows


def rows_of(judged: dict[str, list[Judged]]) -> list[Row]:
    """Rows of what was judged, by set."""
    tuned = [one for name in ("phrasings", "dialogues", "idle") for one in judged[name]]
    chosen = threshold(tuned)
    note = f"openness above {1 - MEANT:.3g}; {chosen:.3g} is what the other sets would choose"
    rows: list[Row] = []
    for language, spoken in LANGUAGES.items():
        for measure_name, name, asks in (
            ("requests handed over falsely, hand-written", "handwritten", True),
            ("requests handed over falsely, held-out phrasings", "phrasings", True),
            ("open questions handed over, hand-written", "open", False),
            ("idle talk handed over", "idle", False),
        ):
            share = _share(one for one in judged[name] if (one.language, one.asks) == (language, asks))
            if share is not None:
                rows.append(row(f"{measure_name}, {spoken}", " + ".join(PACKS), share, "text", note=note))
    return rows


def threshold(judged: Sequence[Judged]) -> float:
    """The openness above which most of what asks for nothing is handed over and few requests are (`MOST_FALSE`)."""
    wanted = [1 - one.plan.openness for one in judged if one.asks]
    unwanted = [1 - one.plan.openness for one in judged if not one.asks]
    return 1 - operating_point(curve(wanted, unwanted), MOST_FALSE).threshold


def _share(judged: Iterable[Judged]) -> Figure | None:
    counts = [Count(float(one.plan.is_open), 1, one.id) for one in judged]
    return rate(counts, groups="turns", items="turns") if counts else None
