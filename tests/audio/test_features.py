"""Log-mel frames: streamed = whole, numpy = torch, and the constants fit real speech levels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from step_audio_mini.audio.features import HOP, MELS, WINDOW, MelStream, frame_count, log_mel, mel_filters
from step_audio_mini.types import Samples

pytestmark = pytest.mark.unit


def noise(count: int, seed: int = 0) -> Samples:
    return (np.random.default_rng(seed).standard_normal(count) * 0.1).astype(np.float32)


@given(st.lists(st.integers(0, 1700), min_size=1, max_size=12))
@settings(deadline=None, max_examples=40)
def test_streamed_frames_equal_whole_frames(cuts: list[int]) -> None:
    sound = noise(sum(cuts))
    stream = MelStream()
    position, pieces = 0, []
    for cut in cuts:
        promised = stream.completed(len(sound[position : position + cut]))
        pieces.append(stream.push(sound[position : position + cut]))
        assert len(pieces[-1]) == promised
        position += cut
    assert np.abs(np.concatenate(pieces) - log_mel(sound)).max(initial=0) <= 1e-5


@pytest.mark.parametrize("count", [0, 1, WINDOW - 1, WINDOW, WINDOW + HOP - 1, WINDOW + HOP, 200_000])
def test_frame_count_is_the_number_of_frames(count: int) -> None:
    assert log_mel(noise(count)).shape == (frame_count(count), MELS)


def test_torch_twin_agrees() -> None:
    torch = pytest.importorskip("torch")
    from step_audio_mini.nn.features import log_mel as batched

    sounds = np.stack([noise(8000, 1), noise(8000, 2) * 0.001, np.zeros(8000, np.float32)])
    both = batched(torch.from_numpy(sounds)).numpy()
    assert np.abs(both - np.stack([log_mel(s) for s in sounds])).max() <= 1e-4


def test_a_tone_lights_its_own_band() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(4000) / 16000).astype(np.float32)
    band = int(log_mel(tone).mean(0).argmax())
    assert abs(int(mel_filters()[:, band].argmax()) * 16000 / 512 - 1000) < 60
