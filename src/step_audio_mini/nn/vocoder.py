"""The vocoder's network: log-mel and pitch frames -> filters for harmonics and noise -> spectra of speech.

A source-filter model (Wang et al., 2019) on short-time spectra with an inverse transform at its end (Kaneko et al.,
iSTFTNet, 2022); the body is a causal ConvNeXt at frame rate (Siuzdak, Vocos, 2023). The filters never see the noise
that they shape: a network that sees it learns to iron it flat, which sounds like metal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from step_audio_mini.audio.features import MEAN, MELS, STD, mel_filters
from step_audio_mini.audio.features import window as mel_window
from step_audio_mini.audio.spectrum import BINS

PITCH = 2
"""Pitch features a frame: log F0 and voiced."""
SOURCES = 2
"""Harmonics and noise."""
LOUDEST = 5.0
"""Largest logarithm of a filter's gain: keeps a wrong input from overflowing."""


@dataclass(frozen=True)
class VocoderConfig:
    """Size of the vocoder; one dial is `dimension`."""

    dimension: int = 224
    layers: int = 6
    expansion: int = 3
    """Width of the hidden part of a block, in dimensions."""
    kernel: int = 7
    """Frames a convolution sees."""
    ahead: int = 3
    """Frames the first convolution looks ahead; all others look back only."""


class Filters(NamedTuple):
    """What the network decides for each frame and frequency, each (B, T, 241)."""

    real: Tensor
    """Gain and phase of the harmonics: real part."""
    imaginary: Tensor
    noise: Tensor
    """Gain of the noise."""


class Block(nn.Module):
    """Causal ConvNeXt block: depthwise convolution over time, then a two-layer part within the frame."""

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        D = config.dimension
        self.depthwise = nn.Conv1d(D, D, config.kernel, groups=D)
        self.norm = nn.LayerNorm(D)
        self.widen = nn.Linear(D, config.expansion * D)
        self.narrow = nn.Linear(config.expansion * D, D)
        self.scale = nn.Parameter(torch.full((D,), 1.0 / config.layers))

    def forward(self, x: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, T, D); past: the (B, kernel - 1, D) inputs before it. Returns output and the next past."""
        seen = torch.cat([past.to(x.dtype), x], 1)
        y = self.depthwise(seen.transpose(1, 2)).transpose(1, 2)
        y = self.narrow(nn.functional.silu(self.widen(self.norm(y))))
        return x + self.scale * y, seen[:, x.shape[1] :]


class Vocoder(nn.Module):
    """Whole utterances by `forward`, streams by `step`; both give the same numbers."""

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        self.config = config
        D = config.dimension
        self.embed = nn.Conv1d(MELS + PITCH, D, config.kernel)
        self.embed_norm = nn.LayerNorm(D)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(D)
        self.head = nn.Linear(D, 3 * BINS)
        self.register_buffer("envelope", torch.from_numpy(envelope_from_mel()), persistent=False)
        self.envelope: Tensor
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, mel: Tensor, pitch: Tensor, source: Tensor) -> Tensor:
        """Spectra (B, T, 241, 2) of mel (B, T + ahead, 80), pitch (B, T + ahead, 2), sources (B, T, 2, 241, 2)."""
        return shaped(self.filters(mel, pitch), source)

    def filters(self, mel: Tensor, pitch: Tensor) -> Filters:
        """Filters of T frames for mel (B, T + ahead, 80) and pitch (B, T + ahead, 2)."""
        found, _, _ = self._filters(mel, pitch, self.init_state(mel.shape[0], mel.device))
        ahead = self.config.ahead
        return Filters(*(part[:, ahead:] for part in found))

    def init_state(self, batch: int, device: torch.device | None = None) -> dict[str, Tensor]:
        """State of a fresh stream; every tensor's first axis is the stream, so that states stack."""
        c = self.config
        return {
            "frames": torch.zeros(batch, c.kernel - 1, MELS + PITCH, device=device),
            "source": torch.zeros(batch, c.ahead, SOURCES, BINS, 2, device=device),
            "past": torch.zeros(batch, c.layers, c.kernel - 1, c.dimension, device=device),
        }

    def step(
        self, mel: Tensor, pitch: Tensor, source: Tensor, state: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Frames of streams -> spectra (B, T, 241, 2), `ahead` frames late, and the next state."""
        T = mel.shape[1]
        filters, frames, past = self._filters(mel, pitch, state)
        sources = torch.cat([state["source"], source], 1)
        return shaped(filters, sources[:, :T]), {"frames": frames, "source": sources[:, T:], "past": past}

    def _filters(self, mel: Tensor, pitch: Tensor, state: Mapping[str, Tensor]) -> tuple[Filters, Tensor, Tensor]:
        """Filters (`ahead` frames late), the last input frames, and the pasts of the blocks."""
        T, c = mel.shape[1], self.config
        frames = torch.cat([state["frames"], torch.cat([mel, pitch], -1)], 1)
        x = self.embed_norm(self.embed(frames.transpose(1, 2)).transpose(1, 2))
        past = []
        for number, block in enumerate(self.blocks):
            x, following = block(x, state["past"][:, number])
            past.append(following)
        late = frames[:, c.kernel - 1 - c.ahead :, :MELS][:, :T]
        envelope = (late.float() * STD + MEAN) @ self.envelope[:-1] + self.envelope[-1]
        voice, phase, hiss = self.head(self.norm(x)).float().chunk(3, -1)
        loud = torch.exp(torch.clamp(envelope + voice, max=LOUDEST))
        noise = torch.exp(torch.clamp(envelope + hiss, max=LOUDEST))
        return Filters(loud * torch.cos(phase), loud * torch.sin(phase), noise), frames[:, T:], torch.stack(past, 1)


def shaped(filters: Filters, source: Tensor) -> Tensor:
    """Sources (B, T, 2, 241, 2) filtered and added: spectra (B, T, 241, 2)."""
    a, b = source[:, :, 0, :, 0], source[:, :, 0, :, 1]
    real, imaginary = a * filters.real - b * filters.imaginary, a * filters.imaginary + b * filters.real
    return torch.stack([real, imaginary], -1) + filters.noise.unsqueeze(-1) * source[:, :, 1]


class VocoderStep(nn.Module):
    """`Vocoder.step` with its state as separate tensors, in the order of `STATE`: what is exported."""

    STATE = ("frames", "source", "past")

    def __init__(self, vocoder: Vocoder) -> None:
        super().__init__()
        self.vocoder = vocoder

    def forward(self, mel: Tensor, pitch: Tensor, source: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Frames and state tensors -> spectra and the next state tensors."""
        spectra, following = self.vocoder.step(mel, pitch, source, dict(zip(self.STATE, state, strict=True)))
        return spectra, *(following[name] for name in self.STATE)


def envelope_from_mel() -> NDArray[np.float32]:
    """Matrix (81, 241), last row an offset: log-mel amplitudes (80,) -> log gain that gives white noise that mel.

    The network adds what this straight interpolation between the bands' centres misses.
    """
    filters = mel_filters().astype(np.float64)  # (257, 80)
    centres = (filters * np.arange(len(filters))[:, None]).sum(0) / filters.sum(0) / (len(filters) - 1)
    bins = np.linspace(0.0, 1.0, BINS)
    weights = np.stack([np.interp(bins, centres, row) for row in np.eye(MELS)])
    # mean amplitude of a bin of windowed white noise of variance 1 (Rayleigh), summed over a band
    rayleigh = np.sqrt(np.pi / 4 * (mel_window().astype(np.float64) ** 2).sum())
    offset = -np.log(rayleigh * filters.sum(0)) @ weights
    return np.concatenate([weights, offset[None]]).astype(np.float32)
