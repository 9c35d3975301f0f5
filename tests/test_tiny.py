"""The tiny graphs are what they stand for: they load, behave as they say, and have the names of the real ones."""

from __future__ import annotations

import numpy as np
import pytest

from step_audio_mini.audio.features import log_mel
from step_audio_mini.runtime import state
from step_audio_mini.runtime.session import Graph
from step_audio_mini.text.phones import UNITS
from step_audio_mini.types import Samples
from tests import tiny

pytestmark = pytest.mark.unit


def heard(sound: Samples) -> list[str]:
    """Greedy units of the tiny ears."""
    graph, frames = Graph(tiny.ears()), log_mel(sound)
    frames = frames[: len(frames) // 4 * 4]
    out, _ = state.step(graph, {"frames": frames[None]}, state.init(graph))
    best = out["log_probs"][0].argmax(-1)
    return [UNITS[u] for u, before in zip(best, [0, *best], strict=False) if u not in (0, before)]


def test_the_ears_hear_every_whistle() -> None:
    for start in range(1, len(UNITS), 16):
        units = list(UNITS[start : start + 16])
        assert heard(tiny.whistle(units)) == units


@pytest.mark.parametrize("level", [0.0, 1e-3, 0.05, 0.3])
def test_the_ears_hear_nothing_in_noise(level: float) -> None:
    assert heard((level * np.random.default_rng(0).standard_normal(16_000)).astype(np.float32)) == []


def test_names_are_those_of_the_real_graphs() -> None:
    pytest.importorskip("torch")
    from step_audio_mini.listen.model import EarsStep
    from step_audio_mini.nn.vocoder import VocoderStep
    from step_audio_mini.train.export_mind import ENCODER_INPUTS, MADE, MEMORY

    def caches(direction: str, names: tuple[str, ...]) -> list[str]:
        return [f"{direction}_cache_{name}" for name in names]

    ears, vocoder = Graph(tiny.ears()), Graph(tiny.vocoder())
    assert [*ears.inputs] == ["frames", *caches("in", EarsStep.STATE)]
    assert [*ears.outputs] == ["log_probs", "vectors", *caches("out", EarsStep.STATE)]
    assert [*vocoder.inputs] == ["mel", "pitch", "source", *caches("in", VocoderStep.STATE)]
    assert [*vocoder.outputs] == ["spectrum", *caches("out", VocoderStep.STATE)]
    encoder, decoder = Graph(tiny.mind_encoder()), Graph(tiny.mind_decoder())
    assert (tuple(encoder.inputs), tuple(encoder.outputs)) == (ENCODER_INPUTS, MADE)
    assert [*decoder.inputs] == ["previous", "roles", "in_cache_own", *MEMORY]
    assert [*decoder.outputs] == ["scores", "out_cache_own"]
