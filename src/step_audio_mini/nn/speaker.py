"""The speaker network: who a voice is and what it is like, from the log-mel frames of one turn.

A small ECAPA-TDNN (Desplanques et al., 2020): dilated convolutions with squeeze-and-excitation (Hu et al., 2018), the
outputs of all blocks together, attentive statistics pooling (Okabe et al., 2018). It runs at a quarter of the frame
rate, because voices change slower than sounds do, and has no part of the ears: those may change without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from step_audio_mini.audio.features import MELS

STRIDE = 4
"""Feature frames a frame of the network."""


@dataclass(frozen=True)
class SpeakerConfig:
    """Size of the network and what its heads tell apart."""

    dimension: int = 192
    dilations: tuple[int, ...] = (1, 2, 3, 4)
    """One block each."""
    pooled: int = 256
    """Channels that are pooled."""
    embedding: int = 128
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Name of an attribute to its classes."""


class Squeeze(nn.Module):
    """Squeeze-and-excitation: each channel is scaled by what the whole turn shows."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(dimension, dimension // 4), nn.Linear(dimension // 4, dimension)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x: (B, D, T); mask: (B, 1, T), 1 for real frames. Returns (B, D, T)."""
        mean = (x * mask).sum(-1) / mask.sum(-1)
        return x * torch.sigmoid(self.up(torch.relu(self.down(mean)))).unsqueeze(-1)


class Block(nn.Module):
    """Pointwise, dilated, pointwise; squeeze-and-excitation; residual. Padding never leaks into real frames."""

    def __init__(self, dimension: int, dilation: int, groups: int = 4) -> None:
        super().__init__()
        self.first = nn.Conv1d(dimension, dimension, 1)
        self.wide = nn.Conv1d(dimension, dimension, 3, padding=dilation, dilation=dilation, groups=groups)
        self.last = nn.Conv1d(dimension, dimension, 1)
        self.norms = nn.ModuleList(nn.BatchNorm1d(dimension) for _ in range(3))
        self.squeeze = Squeeze(dimension)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x: (B, D, T), mask: (B, 1, T). Returns (B, D, T)."""
        y = self.norms[0](torch.relu(self.first(x)))
        y = self.norms[1](torch.relu(self.wide(y * mask)))
        y = self.norms[2](torch.relu(self.last(y)))
        scaled: Tensor = self.squeeze(y, mask)
        return x + scaled


class Pooling(nn.Module):
    """Attentive statistics: weighted mean and deviation of each channel, the weights seeing the whole turn."""

    def __init__(self, dimension: int, hidden: int = 64) -> None:
        super().__init__()
        self.own, self.whole = nn.Conv1d(dimension, hidden, 1), nn.Linear(2 * dimension, hidden)
        self.score = nn.Conv1d(hidden, dimension, 1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x: (B, D, T), mask: (B, 1, T). Returns (B, 2 D)."""
        context = self.whole(_statistics(x, mask / mask.sum(-1, keepdim=True))).unsqueeze(-1)
        scores = self.score(torch.tanh(self.own(x) + context)).float()
        return _statistics(x, torch.softmax(scores + (mask - 1) * 1e4, -1))


class SpeakerNet(nn.Module):
    """Frames of turns to embeddings of length 1 and to logits of the attributes."""

    def __init__(self, config: SpeakerConfig) -> None:
        super().__init__()
        self.config = config
        D, P = config.dimension, config.pooled
        self.enter = nn.ModuleList([nn.Conv1d(MELS, D, 5, 2), nn.Conv1d(D, D, 3, 2, groups=2)])
        self.enter_norms = nn.ModuleList(nn.BatchNorm1d(D) for _ in range(2))
        self.blocks = nn.ModuleList(Block(D, dilation) for dilation in config.dilations)
        self.gather = nn.Conv1d(D * len(config.dilations), P, 1)
        self.pool = Pooling(P)
        self.pool_norm = nn.BatchNorm1d(2 * P)
        self.embed = nn.Linear(2 * P, config.embedding)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(2 * P, len(classes)) for name, classes in config.attributes.items()}
        )

    def forward(self, frames: Tensor, counts: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """frames: (B, T, 80), T >= 8; counts: (B,) real frames of each, >= 8. Returns (B, E) and logits (B, C)."""
        real = (torch.arange(frames.shape[1], device=frames.device) < counts[:, None]).to(frames.dtype)[..., None]
        # the mean over the turn is level and microphone, not the voice
        x = (frames - (frames * real).sum(1, keepdim=True) / counts[:, None, None]) * real
        x = self.enter_norms[0](torch.relu(self.enter[0](nn.functional.pad(x.transpose(1, 2), (2, 2)))))
        x = x * real[:, ::2, 0].unsqueeze(1)
        x = self.enter_norms[1](torch.relu(self.enter[1](nn.functional.pad(x, (1, 1)))))
        mask = real[:, ::STRIDE, 0].unsqueeze(1)
        seen = []
        for block in self.blocks:
            x = block(x * mask, mask)
            seen.append(x)
        pooled = self.pool_norm(self.pool(torch.relu(self.gather(torch.cat(seen, 1))), mask).float())
        embedding = nn.functional.normalize(self.embed(pooled).float(), dim=-1)
        return embedding, {name: head(pooled).float() for name, head in self.heads.items()}


def _statistics(x: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean and standard deviation over time: x (B, D, T), weights (B, 1 or D, T) of sum 1 -> (B, 2 D)."""
    x = x.float()
    mean = (x * weights).sum(-1)
    variance = (x.square() * weights).sum(-1) - mean.square()
    return torch.cat([mean, torch.sqrt(variance.clamp(min=1e-5))], -1)
