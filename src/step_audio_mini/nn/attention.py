"""Chunked self-attention with rotary positions and an explicit cache: training, streaming and export in one module.

Attention is written as matmul + softmax: masked fused attention is slower to train on a CPU and does not export well.
Rotary embedding: Su et al., "RoFormer" (2021). Chunk masks: Zhang et al., "Unified streaming and non-streaming
two-pass end-to-end model" (2020).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

NEVER = -1e4
"""Added to masked scores: finite, so that a row without keys stays finite in every precision."""


def chunk_mask(frames: int, chunk: int, left: int, device: torch.device | None = None) -> Tensor:
    """Which keys a query sees, (T, T) bool: its own chunk and `left` frames before that chunk."""
    position = torch.arange(frames, device=device)
    start = position // chunk * chunk
    keys = position[None, :]
    return (keys < (start + chunk)[:, None]) & (keys >= (start - left)[:, None])


def rotary(frames: int, size: int, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Cosines and sines (T, size) of positions 0..T-1."""
    rates = 10000.0 ** (-torch.arange(0, size, 2, device=device, dtype=torch.float32) / size)
    angles = torch.arange(frames, device=device, dtype=torch.float32)[:, None] * rates
    angles = torch.cat([angles, angles], -1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate halves of the last axis: x (..., T, size)."""
    first, second = x.chunk(2, -1)
    return x * cos.to(x.dtype) + torch.cat([-second, first], -1) * sin.to(x.dtype)


class ChunkAttention(nn.Module):
    """Multi-head self-attention over (cached frames + new frames); scores depend on relative positions only."""

    def __init__(self, dimension: int, heads: int) -> None:
        super().__init__()
        self.heads, self.size = heads, dimension // heads
        self.qkv = nn.Linear(dimension, 3 * dimension)
        self.out = nn.Linear(dimension, dimension)

    def forward(self, x: Tensor, mask: Tensor, cache: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Attend.

        x: (B, T, D) new frames. mask: (B or 1, 1, T or 1, P + T) additive float scores. cache: (B, P, 2 D) keys and
        values of past frames before rotation, or None for P = 0. Returns (B, T, D) and (B, P + T, 2 D).
        """
        B, T, D = x.shape
        query, new = self.qkv(x).split([D, 2 * D], -1)
        memory = new if cache is None else torch.cat([cache.to(new.dtype), new], 1)
        S = memory.shape[1]
        key, value = memory.view(B, S, 2, self.heads, self.size).permute(2, 0, 3, 1, 4)  # (B, H, S, d)
        query = query.view(B, T, self.heads, self.size).transpose(1, 2)
        cos, sin = rotary(S, self.size, x.device)
        query = rotate(query, cos[S - T :], sin[S - T :])
        scores = query @ rotate(key, cos, sin).transpose(-1, -2) * self.size**-0.5
        weights = torch.softmax(scores.float() + mask, -1).to(value.dtype)  # float32: bf16 softmax went non-finite
        return self.out((weights @ value).transpose(1, 2).reshape(B, T, D)), memory
