"""Distance of two sounds by their short-time spectra, and the energy distance that is built on it.

Several resolutions (Yamamoto et al., Parallel WaveGAN, 2020); phase is left free: a vocoder cannot know it. Float32
throughout, whatever the network ran in.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from step_audio_mini.nn.features import log_mel

SIZES = (64, 128, 256, 512, 1024, 2048)
"""Points of the windows (4 to 128 ms), a quarter of a window apart."""
SILENCE = 1e-4
"""Amplitude (of white noise, full scale 1) under which differences count for nothing."""


def magnitude(sound: Tensor, size: int) -> Tensor:
    """Magnitudes (B, size / 2 + 1, T) of sounds (B, n): 1 for white noise of variance 1."""
    window = torch.hann_window(size, device=sound.device)
    spectra = torch.view_as_real(torch.stft(sound.float(), size, size // 4, window=window, return_complex=True))
    power: Tensor = spectra.square().sum(-1) / window.square().sum()
    return torch.sqrt(power + SILENCE**2)


def stft_distance(made: Tensor, natural: Tensor, sizes: Sequence[int] = SIZES) -> Tensor:
    """Scalar distance of sounds (B, n): relative linear plus logarithmic L1, mean over the resolutions."""
    total = made.new_zeros(())
    for size in sizes:
        a, b = magnitude(made, size), magnitude(natural, size)
        total = total + _apart(a, b, b.sum((1, 2)))
    return total / len(sizes)


def mel_distance(made: Tensor, natural: Tensor) -> Tensor:
    """Scalar mean L1 between the normalised log-mel frames of sounds (B, n)."""
    return (log_mel(made) - log_mel(natural)).abs().mean()


def energy_distance(
    first: Tensor, second: Tensor, natural: Tensor, sizes: Sequence[int], mel_weight: float
) -> tuple[Tensor, Tensor]:
    """How far two independent draws of a model are from nature, and how far from each other; all sounds are (B, n).

    The first less half the second is the energy distance (Gritsenko et al., 2020): a proper score, least when the
    draws are spread as nature is. Without the second part the best sound for breath and hiss is a buzz, because its
    spectrum, always the same, lies halfway between all noises.
    """
    near = first.new_zeros(())
    apart = first.new_zeros(())
    for size in sizes:
        a, b, c = (magnitude(sound, size) for sound in (first, second, natural))
        scale = c.sum((1, 2))
        near = near + (_apart(a, c, scale) + _apart(b, c, scale)) / 2
        apart = apart + _apart(a, b, scale)
    a, b, c = (log_mel(sound) for sound in (first, second, natural))
    mel_near = ((a - c).abs().mean() + (b - c).abs().mean()) / 2
    mel_apart = (a - b).abs().mean()
    return near / len(sizes) + mel_weight * mel_near, apart / len(sizes) + mel_weight * mel_apart


def _apart(a: Tensor, b: Tensor, scale: Tensor) -> Tensor:
    linear = (a - b).abs().sum((1, 2)) / scale
    return linear.mean() + (torch.log(a) - torch.log(b)).abs().mean()
