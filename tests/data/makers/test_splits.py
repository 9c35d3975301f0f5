from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from step_audio_mini.data.makers.splits import by_count, by_percent, by_prompt, by_weight

pytestmark = pytest.mark.unit

WEIGHTS = st.dictionaries(st.text("abcdef", min_size=1, max_size=4), st.floats(1, 50), min_size=1, max_size=8)


@settings(max_examples=20)
@given(WEIGHTS, st.floats(0, 0.4), st.floats(0, 0.4))
def test_by_weight_fills_shares_by_whole_keys(weights: dict[str, float], test: float, dev: float) -> None:
    split = by_weight(weights, "seed", test, dev)
    assert split.keys() == weights.keys()
    total, heaviest = sum(weights.values()), max(weights.values())
    for part, share in (("test", test), ("dev", dev)):
        held = sum(weight for key, weight in weights.items() if split[key] == part)
        assert held <= share * total + heaviest
    assert split == by_weight(dict(reversed(weights.items())), "seed", test, dev)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=5), st.integers(1, 30), min_size=1, max_size=30))
def test_by_count_keeps_great_speakers_in_train(counts: dict[str, int]) -> None:
    rows = [{"speaker": name} for name, count in counts.items() for _ in range(count)]
    split = by_count(rows, 0.2, 0.1, most=10)
    total = Counter({part: sum(counts[n] for n in counts if split[n] == part) for part in ("test", "dev")})
    assert all(split[name] == "train" for name, count in counts.items() if count > 10)
    assert total["test"] <= 0.21 * len(rows) + 1e-9
    assert total["dev"] <= 0.105 * len(rows) + 1e-9


def test_hash_splits_have_their_shares() -> None:
    rows: list[dict[str, Any]] = [{"text": f"sentence {n}"} for n in range(4000)]
    parts = Counter(by_prompt("text")(row) for row in rows)
    assert parts["test"] / 4000 == pytest.approx(0.10, abs=0.015)
    assert parts["dev"] / 4000 == pytest.approx(0.05, abs=0.012)
    percent = Counter(by_percent(row["text"]) for row in rows)
    assert percent["test"] / 4000 == pytest.approx(0.20, abs=0.02)


def test_known_speakers_stay_where_they_are() -> None:
    """Splits of shipped packs: a change here would move test clips into training."""
    split = by_weight({f"so762-{n:04d}": 60.0 for n in range(8)}, "so762", 0.2, 0.1)
    assert [split[f"so762-{n:04d}"] for n in range(8)] == [
        "train",
        "test",
        "dev",
        "train",
        "train",
        "test",
        *["train"] * 2,
    ]
    assert by_prompt("text")({"text": "挂钩"}) == "dev"
    assert by_prompt("pinyin")({"pinyin": "shan4"}) == "dev"
