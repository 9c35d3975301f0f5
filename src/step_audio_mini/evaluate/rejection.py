"""Measures whether speech that asks for nothing is left alone, and what that costs those who do ask.

Read sentences stand for the one, coffee orders for the other. Both are heard with the coffee pack loaded, which pulls
what is heard towards an order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from step_audio_mini.data.packs import Clip
from step_audio_mini.evaluate.intervals import Count, rate
from step_audio_mini.evaluate.results import Row, row
from step_audio_mini.evaluate.talk import TalkTest
from step_audio_mini.think.decode import Written
from step_audio_mini.types import Decision, Hearing

PACK = "coffee"
READ = ("cv_zh", "so762", "libri", "cv_en")
READ_CLIPS = 60
"""Most read sentences of each pack."""
REJECTIONS = ("out_of_scope", "not_understood")
MOST_FALSE = 0.05
"""Share of orders that may be rejected: the threshold is chosen by it, on clips that are not of the test split."""
LEVELS = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Points of the curve that are printed: shares of orders rejected."""


class Judge(Protocol):
    """The mind with the pack."""

    def dialogue(self) -> Any:
        """A new conversation."""

    def understand(self, hearing: Hearing, dialogue: Any) -> Written:
        """What the network makes of a turn."""

    def decide(self, hearing: Hearing, dialogue: Any) -> Decision:
        """What comes of it."""


@dataclass(frozen=True, slots=True)
class Point:
    """What a threshold does: whatever scores below it is rejected."""

    threshold: float
    rejected: float
    """Share of what should be rejected."""
    falsely: float
    """Share of what should not."""


def curve(wanted: Sequence[float], unwanted: Sequence[float]) -> list[Point]:
    """The points of all thresholds that differ, from rejecting nothing to rejecting all; scores of both kinds."""
    if not (len(wanted) and len(unwanted)):
        raise ValueError("a curve needs scores of both kinds")
    low, high = np.sort(unwanted), np.sort(wanted)
    thresholds = [*np.unique(np.concatenate([low, high])), np.inf]
    return [
        Point(float(t), float(np.searchsorted(low, t) / len(low)), float(np.searchsorted(high, t) / len(high)))
        for t in thresholds
    ]


def operating_point(points: Sequence[Point], most_false: float = MOST_FALSE) -> Point:
    """The point that rejects most while at most a share of what is wanted is rejected."""
    return max((p for p in points if p.falsely <= most_false), key=lambda point: (point.rejected, -point.threshold))


def shares_below(wanted: Sequence[float], unwanted: Sequence[float]) -> list[float]:
    """For each wanted score the share of unwanted ones below it, ties half: their mean is the area under the curve."""
    low = np.sort(unwanted)
    sides = (np.searchsorted(low, wanted, "left") + np.searchsorted(low, wanted, "right")) / 2
    return [float(share) for share in sides / len(low)]


def sense(hearing: Hearing, written: Written) -> float:
    """How sure the mind is that something of the pack is asked for, 0...1."""
    if not hearing.nbest:
        return 0.0
    return 1 - written.sense if written.draft.act in REJECTIONS else written.sense


SCORES: dict[str, Callable[[Hearing, Written], float]] = {
    "sense of the mind": sense,
    "mean word confidence": lambda hearing, _: hearing.best.confidence,
}
"""What a threshold could be put on."""


@dataclass(frozen=True)
class Judged:
    """One clip and what came of it."""

    clip: Clip
    scores: Mapping[str, float]
    rejected: bool
    """As shipped: no tool was called, and the answer says that nothing was understood or can be done."""


def judge(test: TalkTest, mind: Judge, clip: Clip) -> Judged:
    """Hear a clip with the pack and see whether it is taken for a request."""
    hearing = test.model.listen(test.sound(clip), PACK)
    written = mind.understand(hearing, mind.dialogue())
    decision = mind.decide(hearing, mind.dialogue())
    scores = {name: score(hearing, written) for name, score in SCORES.items()}
    return Judged(clip, scores, decision.act in REJECTIONS and not decision.tool_calls)


def measure(test: TalkTest, mind: Judge, tell: Callable[[str], None]) -> list[Row]:
    """All rows; `tell` hears what is being listened to."""
    kinds = {
        "orders, to choose a threshold": [*test.clips(["sti"], 100, "dev"), *test.clips(["sti"], 100, "train")],
        "orders": test.clips(["sti"], 1000),
        **{pack: test.clips([pack], READ_CLIPS) for pack in READ},
    }
    judged: dict[str, list[Judged]] = {}
    for name, clips in kinds.items():
        tell(name)
        judged[name] = [judge(test, mind, clip) for clip in clips]
    return rows_of(judged.pop("orders, to choose a threshold"), judged.pop("orders"), judged)


def rows_of(tuned: list[Judged], orders: list[Judged], read: Mapping[str, list[Judged]]) -> list[Row]:
    """Rows of what was judged: `tuned` are orders not of the test split, `read` sentences by pack."""
    if not (orders and any(read.values())):
        return []
    rows = [_share("read sentences rejected", found, lambda one: one.rejected) for found in read.values()]
    rows.append(_share("orders rejected", orders, lambda one: one.rejected))
    sentences = [one for found in read.values() for one in found]
    for name in SCORES:
        rows += [*_area_rows(name, orders, sentences), *_threshold_rows(name, tuned, orders, read)]
    return [found for found in rows if found is not None]


def _area_rows(name: str, orders: list[Judged], sentences: list[Judged]) -> list[Row]:
    """Area under the curve and points on it, over the test clips."""
    wanted, unwanted = ([one.scores[name] for one in judged] for judged in (orders, sentences))
    shares = shares_below(wanted, unwanted)
    counts = [Count(share, 1, one.clip.speaker) for share, one in zip(shares, orders, strict=True)]
    data = " + ".join(["sti", *sorted({one.clip.pack for one in sentences})])
    rows = [row(f"area under the curve, {name}", data, rate(counts), "real", note="interval over the orders' speakers")]
    points, note = curve(wanted, unwanted), "a point of the curve: the threshold is that of the test clips themselves"
    for level in LEVELS:
        limit = operating_point(points, level).threshold
        counts = [Count(float(one.scores[name] < limit), 1, one.clip.speaker) for one in sentences]
        title = f"read sentences rejected where {level:.0%} of orders are, {name}"
        rows.append(row(title, data, rate(counts), "real", note=note))
    return rows


def _threshold_rows(
    name: str, tuned: list[Judged], orders: list[Judged], read: Mapping[str, list[Judged]]
) -> list[Row | None]:
    """What the threshold does that rejects `MOST_FALSE` of the orders it was chosen on."""
    if not tuned:
        return []
    scores = sorted(one.scores[name] for one in tuned)
    limit = scores[int(MOST_FALSE * len(scores))]
    note = f"{limit:.3f}; chosen on {len(tuned)} orders outside the test split, {MOST_FALSE:.0%} of which are below it"
    kinds = [("read sentences", found) for found in read.values()] + [("orders", orders)]
    return [
        _share(f"{kind} below the threshold of {name}", found, lambda one: one.scores[name] < limit, note)
        for kind, found in kinds
    ]


def _share(name: str, judged: list[Judged], check: Callable[[Judged], bool], note: str = "") -> Row | None:
    """Share of clips that pass a check; None where there are none."""
    if not judged:
        return None
    counts = [Count(float(check(one)), 1, one.clip.speaker) for one in judged]
    return row(name, judged[0].clip.pack, rate(counts), "real", note=note)
