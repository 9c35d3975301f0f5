"""The aligner finds the true times of phones whose sounds it was never told, and pauses where there are any."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from step_audio_mini.train.aligner import SILENCE, Transcript, align, observations

pytestmark = pytest.mark.unit

PHONES, DIMENSIONS = 5, 8
Truth = list[tuple[int, int]]


def clips(count: int) -> tuple[list[tuple[np.ndarray, Transcript]], list[Truth]]:
    """Random clips of made sounds and their (phone, length) truth; a pause stands before some words."""
    rng = np.random.default_rng(5)
    sounds = rng.normal(0, 2, (PHONES + 1, 3, DIMENSIONS))
    made, truths = [], []
    for _ in range(count):
        phones = [int(p) for p in rng.integers(0, PHONES, 8)]
        truth: Truth = [(SILENCE, int(rng.integers(8, 20)))]
        for place, phone in enumerate(phones):
            if place in (3, 6) and rng.random() < 0.5:
                truth.append((SILENCE, 15))
            truth.append((phone, 3 * int(rng.integers(3, 8))))
        truth.append((SILENCE, 10))
        rows = []
        for phone, length in truth:
            state = [0] * length if phone == SILENCE else np.arange(length) * 3 // length
            rows.append(sounds[phone][state])
        x = np.concatenate(rows) + rng.normal(0, 0.5, (sum(n for _, n in truth), DIMENSIONS))
        made.append((x.astype(np.float32), Transcript(tuple(phones), (0, 3, 6))))
        truths.append(truth)
    return made, truths


def test_finds_phones_and_pauses() -> None:
    made, truths = clips(40)
    close = total = 0
    for segments, truth in zip(align(made, PHONES, rounds=8), truths, strict=True):
        assert [s.phone for s in segments if s.phone != SILENCE] == [p for p, _ in truth if p != SILENCE]
        assert segments[0].start == 0 and segments[-1].stop == sum(n for _, n in truth)
        assert all(a.stop == b.start for a, b in pairwise(segments))
        stops = np.cumsum([n for _, n in truth])
        found = [s.stop for s in segments]
        close += sum(int(np.abs(stops - stop).min() <= 2) for stop in found)
        total += len(found)
    assert close / total > 0.9


def test_observations_come_every_five_milliseconds() -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    seen = observations(sound)
    assert seen.shape == (98 + 98, 39)
    np.testing.assert_allclose(seen[:, :13].mean(0), 0, atol=1e-4)
