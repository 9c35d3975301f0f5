"""Conformer block with its whole past in two cache tensors, causal in its convolution (Gulati et al., 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from step_audio_mini.nn.attention import ChunkAttention


class FeedForward(nn.Sequential):
    """Pre-norm, Swish, no dropout inside: it costs a fifth of a step on a CPU."""

    def __init__(self, dimension: int, expansion: int) -> None:
        super().__init__(
            nn.LayerNorm(dimension),
            nn.Linear(dimension, expansion * dimension),
            nn.SiLU(),
            nn.Linear(expansion * dimension, dimension),
        )


class CausalConvolution(nn.Module):
    """Pointwise, gate, causal depthwise, norm, Swish, pointwise. Cache: the last kernel - 1 gated frames."""

    def __init__(self, dimension: int, kernel: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dimension)
        self.rise = nn.Linear(dimension, 2 * dimension)
        self.depthwise = nn.Conv2d(dimension, dimension, (kernel, 1), groups=dimension)  # 2-D view: 8 % faster on CPU
        self.middle = nn.LayerNorm(dimension)
        self.fall = nn.Linear(dimension, dimension)
        self.past = kernel - 1

    def forward(self, x: Tensor, cache: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, T, D), cache: (B, kernel - 1, D). Returns (B, T, D) and the next cache."""
        gated = nn.functional.glu(self.rise(self.norm(x)), -1)
        gated = torch.cat([cache.to(gated.dtype), gated], 1)
        mixed = self.depthwise(gated.transpose(1, 2).unsqueeze(-1)).squeeze(-1).transpose(1, 2)
        return self.fall(nn.functional.silu(self.middle(mixed))), gated[:, -self.past :]


class ConformerBlock(nn.Module):
    """Half feed-forward, attention, convolution, half feed-forward, norm."""

    def __init__(self, dimension: int, heads: int, expansion: int, kernel: int) -> None:
        super().__init__()
        self.first = FeedForward(dimension, expansion)
        self.norm = nn.LayerNorm(dimension)
        self.attention = ChunkAttention(dimension, heads)
        self.convolution = CausalConvolution(dimension, kernel)
        self.second = FeedForward(dimension, expansion)
        self.final = nn.LayerNorm(dimension)

    def forward(
        self, x: Tensor, mask: Tensor, attention_cache: Tensor | None, convolution_cache: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """x: (B, T, D); mask, caches as in the parts. Returns x, keys and values (B, P + T, 2 D), convolution cache."""
        x = x + 0.5 * self.first(x)
        attended, memory = self.attention(self.norm(x), mask, attention_cache)
        x = x + attended
        convolved, convolution_cache = self.convolution(x, convolution_cache)
        x = x + convolved
        x = x + 0.5 * self.second(x)
        return self.final(x), memory, convolution_cache
