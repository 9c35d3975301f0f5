"""Distance of two sounds by their short-time spectra at several resolutions (Yamamoto et al., Parallel WaveGAN, 2020).

Phase is left free: a vocoder cannot know it. Float32 throughout, whatever the network ran in.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from step_audio_mini.nn.features import log_mel

SIZES = (128, 256, 400, 512, 1024, 2048)
"""Points of the windows (8 to 128 ms), a quarter of a window apart."""
SILENCE = 1e-4
"""Amplitude (of white noise, full scale 1) under which differences count for nothing."""


def magnitude(sound: Tensor, size: int) -> Tensor:
    """Magnitudes (B, size / 2 + 1, T) of sounds (B, n): 1 for white noise of variance 1."""
    window = torch.hann_window(size, device=sound.device)
    spectra = torch.view_as_real(torch.stft(sound, size, size // 4, window=window, return_complex=True))
    power: Tensor = spectra.square().sum(-1) / window.square().sum()
    return torch.sqrt(power + SILENCE**2)


def stft_distance(made: Tensor, natural: Tensor, sizes: Sequence[int] = SIZES) -> Tensor:
    """Scalar distance of sounds (B, n): relative linear plus logarithmic L1, mean over the resolutions."""
    total = made.new_zeros(())
    for size in sizes:
        a, b = magnitude(made.float(), size), magnitude(natural.float(), size)
        linear = (a - b).abs().sum((1, 2)) / b.sum((1, 2))
        total = total + linear.mean() + (torch.log(a) - torch.log(b)).abs().mean()
    return total / len(sizes)


def mel_distance(made: Tensor, natural: Tensor) -> Tensor:
    """Scalar mean L1 between the normalised log-mel frames of sounds (B, n)."""
    return (log_mel(made) - log_mel(natural)).abs().mean()
