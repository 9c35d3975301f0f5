"""Masked ConvNeXt blocks over whole sequences: the body of models that see a clause at once.

ConvNeXt: Liu et al. (2022); over time as in Siuzdak, "Vocos" (2023). Unlike the vocoder's block these look both ways.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ConvNeXt(nn.Module):
    """Depthwise convolution over time, norm, two linear layers, residual. Padding never leaks into real positions."""

    def __init__(self, dimension: int, kernel: int, expansion: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(dimension, dimension, kernel, padding=kernel // 2, groups=dimension)
        self.norm = nn.LayerNorm(dimension)
        self.widen = nn.Linear(dimension, expansion * dimension)
        self.narrow = nn.Linear(expansion * dimension, dimension)
        self.scale = nn.Parameter(torch.full((dimension,), 0.1))
        self.dropout = dropout

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x: (B, T, D); mask: (B, T, 1), 1 for real positions. Returns (B, T, D)."""
        y = self.depthwise((x * mask).transpose(1, 2)).transpose(1, 2)
        y = self.narrow(nn.functional.silu(self.widen(self.norm(y))))
        return x + self.scale * nn.functional.dropout(y, self.dropout, self.training)


class Stack(nn.Module):
    """Some ConvNeXt blocks and a last norm."""

    def __init__(self, dimension: int, blocks: int, kernel: int, expansion: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ConvNeXt(dimension, kernel, expansion, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(dimension)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x: (B, T, D); mask: (B, T, 1). Returns (B, T, D)."""
        for block in self.blocks:
            x = block(x, mask)
        normed: Tensor = self.norm(x)
        return normed
