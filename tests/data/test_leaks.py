"""The shipped weights, by their own record, have learnt from nobody whom they are tested on."""

from __future__ import annotations

import pytest

from step_audio_mini.evaluate.voice import MANDARIN_SPEAKER
from step_audio_mini.runtime.manifest import Weights, built_in_folder

pytestmark = [
    pytest.mark.golden,
    pytest.mark.skipif(not (built_in_folder() / "manifest.json").exists(), reason="no weights in this checkout"),
]


def person(speaker: str) -> str:
    """Common Voice ids are written in two ways, with and without a hyphen."""
    return speaker.replace("cv-", "cv")


def records() -> dict[str, dict[str, object]]:
    """Training records of the parts that learnt from recordings."""
    parts = Weights.open().parts.items()
    return {name: dict(part.training) for name, part in parts if part.training.get("held_out_speakers")}


def test_no_test_speaker_was_trained_on() -> None:
    found = records()
    assert found
    for name, training in found.items():
        packs, held = training["packs"], training["held_out_speakers"]
        assert isinstance(packs, dict) and isinstance(held, dict)
        one_voice = training["one_voice_packs"]
        assert isinstance(one_voice, list)
        tested = {person(s) for pack, speakers in held.items() if pack not in one_voice for s in speakers}
        for pack, facts in packs.items():
            both = tested & {person(speaker) for speaker in facts["speakers"]}
            assert not both, f"{name} learnt from {sorted(both)[:3]} of {pack}, whom it is tested on"


def test_the_ears_that_judge_the_mandarin_voice_never_heard_its_reader() -> None:
    training = records().get("ears")
    if training is None:
        pytest.skip("no ears in these weights")
    packs = training["packs"]
    assert isinstance(packs, dict)
    assert MANDARIN_SPEAKER not in {speaker for facts in packs.values() for speaker in facts["speakers"]}


def test_every_source_of_the_weights_has_a_licence() -> None:
    for name, training in records().items():
        packs = training["packs"]
        assert isinstance(packs, dict)
        for pack, facts in packs.items():
            assert facts["licences"] and all(facts["licences"]), f"{name}: {pack} names no licence"
            assert facts["sources"], f"{name}: {pack} names no source"
