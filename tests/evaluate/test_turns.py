"""The measures of turn-taking, on ears whose posteriors and words are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from step_audio_mini.converse.actions import CommitTurn, DropSound
from step_audio_mini.converse.engine import Engine
from step_audio_mini.converse.events import Heard
from step_audio_mini.data.packs import Clip
from step_audio_mini.evaluate.spoken import align, spoken_span
from step_audio_mini.evaluate.turns import (
    BEFORE_MS,
    LANGUAGES,
    PROFILES,
    Recording,
    Spoken,
    ending,
    ending_rows,
    framed,
    noise_rows,
    over,
    over_rows,
    play,
)
from step_audio_mini.types import SAMPLE_RATE, Hypothesis, Samples, Word
from tests.converse.fakes import FakeEars, Sound, noise, say

pytestmark = pytest.mark.unit

UNITS = 6


def posteriors(path: list[int]) -> NDArray[np.float32]:
    """Log posteriors that are sure of one unit a frame, (T, UNITS)."""
    probabilities = np.full((len(path), UNITS), 0.02, np.float32)
    probabilities[np.arange(len(path)), path] = 0.9
    return np.log(probabilities)


def test_alignment_finds_the_frames_of_every_unit() -> None:
    path = [0, 0, 3, 3, 0, 1, 0, 1, 2, 0, 0]
    assert align(posteriors(path), [3, 1, 1, 2]) == [(2, 3), (5, 5), (7, 7), (8, 8)]
    assert align(posteriors(path), [3, 1, 4, 1, 2]) is not None, "a unit that nobody heard has its place all the same"
    assert align(posteriors([1, 2]), [1, 1, 2]) is None


@given(
    st.lists(st.integers(0, UNITS - 1), min_size=3, max_size=20),
    st.lists(st.integers(1, UNITS - 1), min_size=1, max_size=4),
)
def test_units_are_aligned_in_their_order_within_the_clip(path: list[int], units: list[int]) -> None:
    found = align(posteriors(path), units)
    if found is None:
        assert 2 * len(units) > len(path)
        return
    edges = [edge for pair in found for edge in pair]
    assert edges == sorted(edges)
    assert len(found) == len(units)
    assert 0 <= edges[0] <= edges[-1] < len(path)


class Network:
    """Says unit 3 in the second half second, unit 2 at 1.5 s."""

    inputs: Mapping[str, tuple[tuple[int | str, ...], type[Any]]] = {"in_cache_t": ((1, 1), np.float32)}

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        time = int(feeds["in_cache_t"][0, 0])
        frames = feeds["frames"].shape[1] // 4
        path = [3 if 12 <= t < 25 else 2 if t == 37 else 0 for t in range(time, time + frames)]
        return {"log_probs": posteriors(path)[None], "out_cache_t": feeds["in_cache_t"] + frames}


def test_a_clip_is_spoken_from_its_rise_to_the_end_of_its_last_word() -> None:
    sound = np.full(2 * SAMPLE_RATE, 1e-4, np.float32)
    sound[int(0.4 * SAMPLE_RATE) : int(1.6 * SAMPLE_RATE)] = 0.1
    assert spoken_span(Network(), sound, [3, 2]) == (400, 1600)


def test_background_before_and_after_is_as_loud_as_the_clip_is_quiet() -> None:
    sound = np.concatenate([np.full(8000, 0.001), np.full(8000, 0.1)]).astype(np.float32)
    whole = framed(sound, 500)
    assert len(whole) == len(sound) + (BEFORE_MS + 500) * 16
    assert np.sqrt(np.mean(whole[:8000] ** 2)) == pytest.approx(0.001, rel=0.05)


@dataclass(frozen=True)
class Played:
    """What scripted ears tell; `begun` is where they were told to begin."""

    sounds: tuple[Sound, ...]
    until_ms: int
    begun: list[int] = field(default_factory=list)

    def since(self, start_ms: int) -> list[Heard]:
        ears = FakeEars(self.sounds)
        ears.reset(start_ms)
        self.begun.append(start_ms)
        return [ears.hear(ms) for ms in range(start_ms + 20, self.until_ms + 1, 20)]


def heard(*sounds: Sound, until_ms: int) -> Played:
    return Played(sounds, until_ms)


def clip(end_ms: int, *sounds: Sound) -> Spoken:
    known = Clip("a", "cv_en", "test", 3.0, "CC0-1.0", "", speaker="s")
    return Spoken(known, heard(*sounds, until_ms=end_ms + 5000), BEFORE_MS, end_ms)


def test_a_wait_is_counted_from_the_true_end_and_a_cut_is_negative() -> None:
    whole = clip(1960, say(1000, "turn on the light."))
    waits = [ending(whole, profile).wait_ms for profile in PROFILES]
    assert waits == sorted(wait for wait in waits if wait is not None)
    assert ending(whole, "balanced").ahead_ms
    paused = clip(4960, say(1000, "turn on the light."), say(4000, "and then off."))
    assert (ending(paused, "snappy").wait_ms or 0) < 0
    assert ending(clip(1960, noise(1000, 900)), "snappy").wait_ms is None


def test_ears_begin_afresh_where_the_engine_has_them_do_so() -> None:
    sound = heard(say(1000, "turn on the light."), say(5000, "and then off."), until_ms=9000)
    done = [(now, action) for now, actions in play(sound, Engine()) for action in actions]
    commits = [(now, action) for now, action in done if isinstance(action, CommitTurn)]
    assert sound.begun == [0, *(now for now, _ in commits)]
    assert len(commits) == 2
    kept = heard(until_ms=11_000)
    drops = [a for _, actions in play(kept, Engine()) for a in actions if isinstance(a, DropSound)]
    assert kept.begun == [0, *(drop.end_ms - drop.keep_ms for drop in drops)] == [0, 9700]


class OneWord:
    """Ears that count what they took."""

    sureness, speech, end_probability, silence = 0.7, 0.9, 0.1, 0.25

    def __init__(self) -> None:
        self.taken = 0

    def fresh(self) -> OneWord:
        return OneWord()

    def accept(self, samples: Samples) -> bool:
        self.taken += len(samples)
        return False

    def partial(self) -> Hypothesis:
        return Hypothesis((Word(str(self.taken), 0.0, 0.1, 0.5, "en"),), 0.0)

    @property
    def network(self) -> Network:
        return Network()


def test_a_recording_is_heard_from_where_the_ears_begin() -> None:
    recording = Recording(OneWord(), np.zeros(16 * 100 + 7, np.float32))
    pieces = recording.since(40)
    assert [(piece.audio_ms, piece.text) for piece in pieces] == [(60, "320"), (80, "640"), (100, "960")]
    assert (pieces[0].silence_ms, pieces[0].confidence) == (250, 0.7)
    assert recording.since(40) is pieces
    assert len(recording.since(0)) == 5


def test_speech_over_the_assistant_silences_and_stops_it_and_noise_does_not() -> None:
    spoken = over(heard(say(1000, "no stop that now"), until_ms=4000), 1000)
    assert spoken.silent_ms is not None
    assert spoken.silent_ms <= 100
    assert spoken.stopped_ms is not None
    loud = over(heard(noise(1000, 400), until_ms=4000), 1000)
    assert loud.stopped_ms is None
    assert 0 < loud.gap < 0.5
    assert over(heard(until_ms=3000), 1000).silent_ms is None


def test_rows_say_what_was_measured() -> None:
    clips = [clip(1960, say(1000, "turn on the light.")), clip(1720, say(1000, "no stop that"))]
    rows = {row.measure: row for row in ending_rows(clips, LANGUAGES["en"])}
    assert {f"turns ended before the last word, {profile}" for profile in PROFILES} <= set(rows)
    assert rows["last word to end of turn, balanced, p50"].unit == "ms"
    assert rows["turns ended before the last word, balanced"].note == "cv_en"
    assert [row.value for row in over_rows(clips)][:2] == [100.0, 100.0]
    quiet = [heard(noise(1000, 300), until_ms=4000), heard(until_ms=4000)]
    assert [row.value for row in noise_rows(quiet)][:2] == [0.0, 50.0]
    assert ending_rows([], "x") == over_rows([]) == noise_rows([]) == []
