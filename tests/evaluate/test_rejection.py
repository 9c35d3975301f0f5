from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini import StepAudio2Mini
from step_audio_mini.data.cache import Cache, build_cache
from step_audio_mini.data.packs import Clip
from step_audio_mini.evaluate.rejection import (
    Judged,
    Point,
    curve,
    measure,
    operating_point,
    rows_of,
    sense,
    shares_below,
)
from step_audio_mini.evaluate.talk import TalkTest
from step_audio_mini.think.alphabet import Role
from step_audio_mini.think.decode import Written
from step_audio_mini.think.grammar import Draft
from step_audio_mini.types import Attributes, Hearing
from tests.data.conftest import MakePack, make_pack  # noqa: F401 - a fixture
from tests.fakes import FakeMind, FakeRooms, hypothesis

pytestmark = pytest.mark.unit

SCORE = st.lists(st.sampled_from([0.0, 0.1, 0.4, 0.5, 0.9, 1.0]), min_size=1, max_size=12)


def test_curve_of_four_scores() -> None:
    points = curve(wanted=[0.9, 0.4], unwanted=[0.1, 0.5])
    assert points == [
        Point(0.1, 0.0, 0.0),
        Point(0.4, 0.5, 0.0),
        Point(0.5, 0.5, 0.5),
        Point(0.9, 1.0, 0.5),
        Point(np.inf, 1.0, 1.0),
    ]
    assert operating_point(points, 0.05) == Point(0.4, 0.5, 0.0)
    assert operating_point(points, 0.5) == Point(0.9, 1.0, 0.5)


@given(SCORE, SCORE)
def test_curve_rises_from_nothing_to_everything(wanted: list[float], unwanted: list[float]) -> None:
    points = curve(wanted, unwanted)
    shares = [(point.rejected, point.falsely) for point in points]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == ((0, 0), (1, 1))
    assert all(point.rejected == np.mean(np.array(unwanted) < point.threshold) for point in points)
    assert operating_point(points, 0.0).falsely == 0


@given(SCORE, SCORE)
def test_area_is_the_chance_that_what_is_wanted_scores_higher(wanted: list[float], unwanted: list[float]) -> None:
    pairs = [(w > u) + 0.5 * (w == u) for w in wanted for u in unwanted]
    assert np.mean(shares_below(wanted, unwanted)) == pytest.approx(np.mean(pairs))


def test_a_curve_of_nothing() -> None:
    with pytest.raises(ValueError, match="both kinds"):
        curve([], [0.1])


@pytest.mark.parametrize(
    ("act", "sure", "score"), [("request", 0.8, 0.72), ("out_of_scope", 0.8, 0.2), ("not_understood", 0.6, 0.4)]
)
def test_sense_counts_a_rejection_against(act: str, sure: float, score: float) -> None:
    certainties = {Role.ACT: sure} | ({Role.INTENT: 0.9} if act == "request" else {})
    written = Written(Draft(act=act, reply="", style="neutral", role=None), certainties)
    heard = Hearing((hypothesis("a mocha"),), Attributes(20, 4, None), np.zeros((0, 4), np.float32))
    assert sense(heard, written) == pytest.approx(score)
    silence = Hearing((), heard.attributes, heard.vectors)
    assert sense(silence, written) == 0


def judged(pack: str, scores: list[float]) -> list[Judged]:
    clips = [Clip(str(n), pack, "test", 1.0, "CC0", "a", speaker=f"s{n}") for n in range(len(scores))]
    return [
        Judged(clip, {"sense of the mind": score, "mean word confidence": 0.5}, rejected=score < 0.5)
        for clip, score in zip(clips, scores, strict=True)
    ]


def test_rows() -> None:
    tuned = judged("sti", [n / 20 for n in range(20)])
    orders = judged("sti", [0.02, 0.6, 0.7, 0.8])
    rows = rows_of(tuned, orders, {"cv_zh": judged("cv_zh", [0.0, 0.01, 0.3, 0.9]), "libri": []})
    table = {(row.measure, row.data): row for row in rows}
    assert table["read sentences rejected", "cv_zh"].value == 75
    assert table["orders rejected", "sti"].value == 25
    below = "below the threshold of sense of the mind"
    assert table[f"read sentences {below}", "cv_zh"].value == 50
    assert table[f"orders {below}", "sti"].value == 25
    assert table[f"orders {below}", "sti"].note.startswith("0.050; chosen on 20 orders outside the test split")
    both = "sti + cv_zh"
    assert table["area under the curve, sense of the mind", both].value == pytest.approx(100 * (2 + 3 * 3) / 16)
    assert table["area under the curve, mean word confidence", both].value == 50
    assert table["read sentences rejected where 5% of orders are, sense of the mind", both].value == 50
    assert rows_of(tuned, [], {"cv_zh": []}) == []


class Eager(FakeMind):
    """Takes everything for a request."""

    def dialogue(self, language: Any = None) -> list[Hearing]:
        return []

    def understand(self, hearing: Hearing, dialogue: Any) -> Written:
        return Written(Draft(act="request", reply="", style="neutral", role=None), {Role.ACT: 0.9})


def test_what_is_heard_is_judged(make_pack: MakePack, tmp_path: Path) -> None:  # noqa: F811
    order = {"seconds": 1.0, "speaker": "s", "lang": "en", "intent": "x", "slots": {}}
    sti = [order | {"id": split, "split": split} for split in ("train", "dev", "test")]
    build_cache([make_pack("sti", sti), make_pack("libri", [sti[2] | {"text": "hi"}])], tmp_path / "cache")
    heard: list[str] = []
    rows = measure(TalkTest(StepAudio2Mini(FakeRooms()), Cache.open(tmp_path / "cache")), Eager(), heard.append)
    assert heard[:2] == ["orders, to choose a threshold", "orders"]
    table = {(row.measure, row.data): row for row in rows}
    assert table["read sentences rejected", "libri"].value == 0
    assert "on 2 orders" in table["orders below the threshold of sense of the mind", "sti"].note
