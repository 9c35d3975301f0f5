"""Spectra back to sound in torch, batched and differentiable: the twin of `audio.spectrum.OverlapAdd` for training."""

from __future__ import annotations

import torch
from torch import Tensor

from step_audio_mini.audio.features import HOP
from step_audio_mini.audio.spectrum import EARLY, OVERLAP, SCALE, SPAN, window


def overlap_add(spectra: Tensor) -> Tensor:
    """Sound (B, 160 T + 240) of spectra (B, T, 241, 2); equal to the numpy twin within 1e-4."""
    weight = torch.from_numpy(window()).to(spectra.device) * (2.0 * SCALE / OVERLAP)
    pieces = torch.fft.irfft(torch.view_as_complex(spectra.float().contiguous()), SPAN) * weight  # (B, T, 480)
    hops = pieces.unflatten(-1, (OVERLAP, HOP))
    late = OVERLAP - 1
    blocks = sum(
        torch.nn.functional.pad(hops[:, :, part], (0, 0, part, late - part)) for part in range(OVERLAP)
    )  # (B, T + 2, 160)
    assert isinstance(blocks, Tensor)
    return blocks.flatten(1)[:, EARLY:-EARLY]
