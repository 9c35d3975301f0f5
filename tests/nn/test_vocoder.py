"""The vocoder's network: causal up to its look-ahead, streamed = whole, its envelope right before any training."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from step_audio_mini.audio.features import HOP, WINDOW, log_mel
from step_audio_mini.audio.spectrum import BINS, OverlapAdd
from step_audio_mini.nn.istft import overlap_add
from step_audio_mini.nn.spectral_loss import SIZES, energy_distance, mel_distance, stft_distance
from step_audio_mini.nn.vocoder import LOUDEST, Vocoder, VocoderConfig
from step_audio_mini.speak.source import SourceStream, pitch_features

pytestmark = pytest.mark.unit

SMALL = VocoderConfig(dimension=16, layers=3, expansion=2)


def model(config: VocoderConfig = SMALL, spread: float = 0.1) -> Vocoder:
    """An untrained network whose filters are far from flat."""
    torch.manual_seed(0)
    net = Vocoder(config).eval()
    torch.nn.init.normal_(net.head.weight, std=spread)
    return net


def inputs(frames: int, batch: int = 1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(frames)
    return torch.randn(batch, frames, 80), torch.randn(batch, frames, 2), torch.randn(batch, frames, 2, BINS, 2)


def test_torch_overlap_add_equals_numpy() -> None:
    spectra = torch.randn(2, 7, BINS, 2)
    made = overlap_add(spectra)
    for row in range(2):
        adder = OverlapAdd()
        expected = np.concatenate([adder.push(spectra[row].numpy()), adder.finish()])
        np.testing.assert_allclose(made[row].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("cuts", [[1], [2, 3], [5, 6, 20], [10, 11, 12, 13], list(range(1, 30))])
def test_streamed_equals_whole(cuts: list[int]) -> None:
    net, (mel, pitch, source) = model(), inputs(30)
    with torch.no_grad():
        whole = net(mel, pitch, source[:, : -SMALL.ahead])
        state, pieces, edges = net.init_state(1), [], [0, *cuts, 30]
        for a, b in pairwise(edges):
            piece, state = net.step(mel[:, a:b], pitch[:, a:b], source[:, a:b], state)
            pieces.append(piece)
    torch.testing.assert_close(torch.cat(pieces, 1)[:, SMALL.ahead :], whole, atol=1e-4, rtol=1e-4)


def test_batched_equals_alone() -> None:
    net, (mel, pitch, source) = model(), inputs(20, batch=3)
    source = source[:, : -SMALL.ahead]
    with torch.no_grad():
        together = net(mel, pitch, source)
        for row in range(3):
            one = slice(row, row + 1)
            torch.testing.assert_close(together[one], net(mel[one], pitch[one], source[one]), atol=1e-4, rtol=1e-4)


def test_looks_ahead_just_so_far() -> None:
    net, (mel, pitch, source) = model(), inputs(30)
    source = source[:, : -SMALL.ahead]
    changed = mel.clone()
    changed[:, 20] += 1.0
    with torch.no_grad():
        first = int((net(mel, pitch, source) != net(changed, pitch, source)).any(-1).any(-1)[0].nonzero()[0])
    assert first == 20 - SMALL.ahead


def test_envelope_alone_gives_noise_its_level_and_colour_back() -> None:
    random = np.random.default_rng(0)
    white = random.standard_normal(200 * HOP + WINDOW - HOP) * 0.05
    sound = np.convolve(white, [1.0, 0.9, 0.4], "same").astype(np.float32)
    mel, f0 = log_mel(sound), np.zeros(200, np.float32)
    stream = SourceStream(1)
    source = np.concatenate([stream.push(f0), stream.finish()])
    net = model(spread=0.0)
    padded = [np.concatenate([part, part[-SMALL.ahead :]]) for part in (mel, pitch_features(f0))]
    with torch.no_grad():
        made = overlap_add(net(*(torch.from_numpy(part)[None] for part in (*padded, source))))
    bands = (log_mel(made[0].numpy()) - mel).mean(0)
    assert np.abs(bands).max() < 0.15


def test_a_wrong_input_does_not_overflow() -> None:
    net, (_, pitch, source) = model(), inputs(10)
    source = source[:, : -SMALL.ahead]
    with torch.no_grad():
        made = net(torch.full((1, 10, 80), 1e4), pitch, source)
    assert torch.isfinite(made).all()
    assert made.abs().max() <= np.exp(LOUDEST) * 4 * source.abs().max()


def test_size() -> None:
    parameters = sum(p.numel() for p in Vocoder(VocoderConfig()).parameters())
    assert 1_500_000 < parameters <= 3_000_000


def test_distances_are_zero_for_equal_sound_and_grow() -> None:
    sound = torch.randn(2, 8000) * 0.1
    assert float(stft_distance(sound, sound)) == 0.0
    assert float(mel_distance(sound, sound)) == 0.0
    near, far = sound * 1.1, sound * 2.0
    assert 0 < float(stft_distance(near, sound)) < float(stft_distance(far, sound))
    assert 0 < float(mel_distance(near, sound)) < float(mel_distance(far, sound))


def test_energy_distance_asks_for_noise_where_nature_is_noise() -> None:
    """Of sounds between noise and a buzz of the same power, noise scores best where nature is noise."""
    torch.manual_seed(0)
    natural, first, second = (torch.randn(16, 8000) * 0.1 for _ in range(3))
    buzz = torch.zeros(16, 8000)
    buzz[:, ::100] = 1.0  # the same power
    scores = []
    for share in (0.0, 0.5, 0.9):
        draws = [share**0.5 * buzz + (1 - share) ** 0.5 * noise for noise in (first, second)]
        near, apart = energy_distance(draws[0], draws[1], natural, SIZES, 1.0)
        scores.append(float(near - apart / 2))
    assert scores[0] < scores[1] < scores[2]
    assert float(energy_distance(natural, natural, natural, SIZES, 1.0)[1]) == 0.0
