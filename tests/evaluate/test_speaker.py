"""Figures of the speaker network: equal error by known scores, labels of packs, rows of a scripted network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from step_audio_mini.data.cache import Cache, build_cache
from step_audio_mini.data.packs import Clip, clip_from_row
from step_audio_mini.evaluate.conditions import World
from step_audio_mini.evaluate.speaker import Pairs, SpeakerTest, attributes_of, known, measure
from step_audio_mini.listen.speaker_attributes import SpeakerModel
from tests.data.conftest import MakePack, make_pack  # noqa: F401 - a fixture

pytestmark = pytest.mark.unit


def clip(**fields: Any) -> Clip:
    row = {"id": "a", "split": "test", "seconds": 1.0, "licence": "", "source": "", "lang": "en"}
    return clip_from_row(row | fields, "pack")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"gender": "f", "age": 7}, {"language": "en", "gender": "female", "age": "child"}),
        ({"gender": "male", "age": "thirties"}, {"language": "en", "gender": "male", "age": "adult"}),
        ({"gender": "other", "age": "teens"}, {"language": "en"}),
        ({"age": 15, "lang": "yue"}, {}),
        ({"age": 18, "lang": "zh"}, {"language": "zh", "age": "adult"}),
    ],
)
def test_labels(fields: dict[str, Any], expected: dict[str, str]) -> None:
    assert attributes_of(clip(**fields)) == expected


def test_guessed_speakers_and_synthesisers_are_nobody() -> None:
    assert known(clip(speaker="libri-26"))
    assert not known(clip(speaker="sti-guess15"))
    assert not known(clip())
    assert not known(clip(speaker="flite slt", source="synthetic:flite slt"))


def test_equal_error_of_known_scores() -> None:
    people = [f"p{number // 2}" for number in range(24)]
    perfect = np.repeat(np.eye(12, dtype=np.float32), 2, axis=0)
    assert Pairs.of(perfect, people).equal_error() == 0.0
    opposite = perfect * np.tile(np.array([[1], [-1]], np.float32), (12, 1))  # everybody is least like himself
    assert Pairs.of(opposite, people).equal_error() == pytest.approx(1.0)
    assert Pairs.of(np.ones_like(perfect), people).equal_error() == pytest.approx(0.5)
    figure = Pairs.of(perfect, people).figure()
    assert (figure.value, figure.low, figure.high, figure.n, figure.over) == (0.0, 0.0, 0.0, 24 * 23 // 2, "speakers")


@given(st.integers(0, 1000))
def test_equal_error_is_a_share_and_chance_is_a_half(seed: int) -> None:
    rng = np.random.default_rng(seed)
    embeddings = rng.standard_normal((60, 3)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    assert Pairs.of(embeddings, [str(n % 12) for n in range(60)]).equal_error() == pytest.approx(0.5, abs=0.15)


class Pitchwise:
    """Knows a voice by its loudest mel band: a pitch a person."""

    facts: Mapping[str, Any] = MappingProxyType(
        {"attributes": {"language": ["en", "zh"], "gender": ["female", "male"]}}
    )

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        band = int(feeds["frames"][0].mean(0).argmax())
        sure = np.array([[0.9, 0.1]], np.float32)
        return {"embedding": np.eye(80, dtype=np.float32)[[band]], "language": sure, "gender": sure}


def test_rows(make_pack: MakePack, tmp_path: Path) -> None:  # noqa: F811
    row = {"split": "test", "seconds": 0.8, "lang": "en"}
    clips = [
        row | {"id": f"{who}-{n}", "speaker": f"s{who}", "gender": "fm"[who % 2], "pitch": 300.0 + 150 * who}
        for who in range(12)
        for n in range(2)
    ]
    clips.append(row | {"id": "known", "speaker": "trained", "gender": "m", "pitch": 200.0})
    noise = [{"id": "hum", "split": "test", "seconds": 1.0, "noise_type": "fan", "pitch": 60.0}]
    room = [{"id": "room", "split": "test", "seconds": 0.2, "label": "rir"}]
    packs = [make_pack("people", clips), make_pack("ambient", noise), make_pack("rir_real", room)]
    build_cache(packs, tmp_path / "cache")
    cache = Cache.open(tmp_path / "cache")
    test = SpeakerTest(cache, SpeakerModel(Pitchwise()), World.of(cache), frozenset({"trained"}))
    rows = {(one.measure, one.data): one for one in measure(test, lambda _: None)}
    assert rows["language right", "people"].value == 100.0
    assert (rows["gender right", "people"].value, rows["gender right", "people"].n) == (50.0, 24)
    assert rows["gender right, en female", "people"].value == 100.0
    assert rows["gender told", "all packs"].value == 100.0
    assert rows["gender right where told, female", "all packs"].value == 100.0
    assert rows["gender right where told, male", "all packs"].value == 0.0
    assert rows["equal error, same or other speaker", "people"].value == 0.0
    assert ("language right, 10 dB SNR", "people") in rows
