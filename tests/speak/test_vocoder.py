"""The vocoder's runtime on a tiny exported graph with the real names and states."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from step_audio_mini.audio.features import log_mel
from step_audio_mini.nn import vocoder as network
from step_audio_mini.nn.istft import overlap_add
from step_audio_mini.runtime import state
from step_audio_mini.runtime.session import Graph
from step_audio_mini.speak.source import SourceStream, pitch_features
from step_audio_mini.speak.vocoder import BLOCK, Vocoder
from step_audio_mini.train.export_vocoder import vocoder_graph

pytestmark = pytest.mark.unit

CONFIG = network.VocoderConfig(dimension=16, layers=2, expansion=2)


@pytest.fixture(scope="module")
def net() -> network.Vocoder:
    torch.manual_seed(0)
    made = network.Vocoder(CONFIG).eval()
    torch.nn.init.normal_(made.head.weight, std=0.05)
    return made


@pytest.fixture(scope="module")
def vocoder(net: network.Vocoder) -> Vocoder:
    return Vocoder(Graph(vocoder_graph(net)))


def frames(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Log-mel frames and F0 with voiced and voiceless stretches."""
    random = np.random.default_rng(seed)
    voiced = np.repeat(random.random(count // 5 + 1) < 0.6, 5)[:count]
    return random.standard_normal((count, 80)).astype(np.float32) - 1, np.where(
        voiced, random.uniform(80, 300, count), 0
    ).astype(np.float32)


def whole(vocoder: Vocoder, mel: np.ndarray, f0: np.ndarray, seed: int = 0) -> np.ndarray:
    stream = vocoder.start(seed)
    return np.concatenate([stream.push(mel, f0), stream.finish()])


@pytest.mark.parametrize("count", [1, 2, 5, 6, 97, BLOCK + 13])
def test_frames_give_the_samples_that_they_cover(vocoder: Vocoder, count: int) -> None:
    sound = whole(vocoder, *frames(count))
    assert sound.shape == (160 * count + 240,)
    assert sound.dtype == np.float32
    assert len(log_mel(sound)) == count


@settings(deadline=None, max_examples=25)
@given(cuts=st.lists(st.integers(0, 60), max_size=8), seed=st.integers(0, 5))
def test_pieces_equal_the_whole(vocoder: Vocoder, cuts: list[int], seed: int) -> None:
    mel, f0 = frames(60, seed)
    stream, edges = vocoder.start(seed), [0, *sorted(cuts), 60]
    pieces = [stream.push(mel[a:b], f0[a:b]) for a, b in pairwise(edges)]
    made = np.concatenate([*pieces, stream.finish()])
    np.testing.assert_allclose(made, whole(vocoder, mel, f0, seed), atol=1e-4)


def test_latency_is_what_is_said(vocoder: Vocoder) -> None:
    mel, f0 = frames(50)
    stream = vocoder.start()
    made = stream.push(mel[:20], f0[:20])
    assert len(made) == (20 - vocoder.latency) * 160 - 40
    np.testing.assert_allclose(made, whole(vocoder, mel, f0)[: len(made)], atol=1e-4)


def test_graph_equals_torch(vocoder: Vocoder, net: network.Vocoder) -> None:
    mel, f0 = frames(40)
    stream = SourceStream()
    source = np.concatenate([stream.push(f0), stream.finish()])
    padded = [np.concatenate([part, np.repeat(part[-1:], CONFIG.ahead, 0)]) for part in (mel, pitch_features(f0))]
    with torch.no_grad():
        made = overlap_add(net(*(torch.from_numpy(part)[None] for part in (*padded, source))))[0].clamp(-1, 1)
    np.testing.assert_allclose(whole(vocoder, mel, f0), made.numpy(), atol=1e-3)


def test_streams_may_share_a_run(vocoder: Vocoder) -> None:
    random = np.random.default_rng(1)
    feeds = [
        [random.standard_normal((2, 8, *shape)).astype(np.float32) for shape in ((80,), (2,), (2, 241, 2))]
        for _ in range(2)
    ]
    states = [state.init(vocoder.graph), state.init(vocoder.graph)]
    together = state.stack(states)
    for mel, pitch, source in feeds:
        spectra, together = vocoder.step(mel, pitch, source, together)
        for row in range(2):
            one = slice(row, row + 1)
            alone, states[row] = vocoder.step(mel[one], pitch[one], source[one], states[row])
            np.testing.assert_allclose(spectra[one], alone, atol=1e-4)
    for row, single in enumerate(state.unstack(together)):
        for name, tensor in single.items():
            np.testing.assert_allclose(tensor, states[row][name], atol=1e-4)


def test_same_call_same_bytes_other_seed_other_noise(vocoder: Vocoder) -> None:
    mel, f0 = frames(30)
    first = whole(vocoder, mel, f0, seed=5)
    assert first.tobytes() == whole(vocoder, mel, f0, seed=5).tobytes()
    assert first.tobytes() != whole(vocoder, mel, f0, seed=6).tobytes()


def test_a_burst_stays_where_it_was() -> None:
    torch.manual_seed(0)
    flat = network.Vocoder(CONFIG).eval()
    torch.nn.init.zeros_(flat.head.weight)
    plain = Vocoder(Graph(vocoder_graph(flat)))
    sound = np.zeros(100 * 160 + 240, np.float32)
    begin, end = 8000, 8800
    sound[begin:end] = np.random.default_rng(0).standard_normal(end - begin) * 0.1
    mel = log_mel(sound)
    made = whole(plain, mel, np.zeros(len(mel), np.float32))
    power = np.convolve(made**2, np.ones(80) / 80, "same")
    centre = float((np.arange(len(made)) * made**2).sum() / (made**2).sum())
    assert centre == pytest.approx((begin + end) / 2, abs=40)
    assert power[: begin - 400].max() < 1e-3 * power.max()
    assert power[end + 400 :].max() < 1e-3 * power.max()


def test_an_empty_sound_is_empty_and_shapes_are_checked(vocoder: Vocoder) -> None:
    stream = vocoder.start()
    assert stream.push(np.zeros((0, 80), np.float32), np.zeros(0, np.float32)).shape == (0,)
    assert stream.finish().shape == (0,)
    with pytest.raises(ValueError, match="do not go with"):
        vocoder.start().push(np.zeros((3, 80), np.float32), np.zeros(2, np.float32))


def test_sound_stays_within_full_scale(vocoder: Vocoder) -> None:
    loud = whole(vocoder, np.full((30, 80), 5.0, np.float32), np.full(30, 100.0, np.float32))
    assert np.abs(loud).max() <= 1.0
