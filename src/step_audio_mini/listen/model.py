"""The ears' network: streaming Conformer-CTC from log-mel frames to phone posteriors and vectors.

80 log-mel at 100 Hz -> two stride-2 convolutions -> Conformer blocks at 25 Hz -> CTC over the joint phone alphabet
(Graves et al., 2006), with an intermediate CTC at half depth (Lee and Watanabe, 2021).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from step_audio_mini.nn.attention import NEVER, chunk_mask
from step_audio_mini.nn.conformer import ConformerBlock

MELS = 80
STRIDE = 4
"""Feature frames an encoder frame."""


@dataclass(frozen=True)
class EarsConfig:
    """Size of the ears; `of_size` derives all from one dial."""

    units: int
    """Classes, the blank included."""
    dimension: int = 192
    layers: int = 12
    heads: int = 3
    expansion: int = 2
    """Width of the feed-forward parts, in dimensions."""
    kernel: int = 15
    """Encoder frames the causal convolution sees."""
    left: int = 64
    """Encoder frames of attention before the chunk (2.56 s)."""

    @classmethod
    def of_size(cls, units: int, size: int) -> EarsConfig:
        """The config of a width: heads of 64, so the width is a multiple of 64."""
        return cls(units, dimension=size, heads=size // 64)


class Ears(nn.Module):
    """Encoder and CTC heads. Whole clips by `forward`, streams by `step`; both give the same numbers."""

    def __init__(self, config: EarsConfig) -> None:
        super().__init__()
        self.config = config
        D = config.dimension
        self.subsample = nn.ModuleList([nn.Conv1d(MELS, D, 3, 2), nn.Conv1d(D, D, 3, 2)])
        self.project = nn.Linear(D, D)
        self.blocks = nn.ModuleList(
            ConformerBlock(D, config.heads, config.expansion, config.kernel) for _ in range(config.layers)
        )
        self.middle_head = nn.Linear(D, config.units)
        self.head = nn.Linear(D, config.units)

    def forward(self, frames: Tensor, chunk: int) -> tuple[Tensor, Tensor, Tensor]:
        """Whole clips with the context a stream of this chunk would have.

        frames: (B, T, 80), T a multiple of 4. chunk: encoder frames a chunk. Returns logits (B, T/4, V), intermediate
        logits (B, T/4, V) and vectors (B, T/4, D).
        """
        state = self.init_state(frames.shape[0], frames.device)
        x, _, _ = self._reduce(frames, state["mel"], state["half"])
        seen = chunk_mask(x.shape[1], chunk, self.config.left, x.device)
        mask = torch.zeros_like(seen, dtype=torch.float32).masked_fill(~seen, NEVER)[None, None]
        middle = x
        for number, block in enumerate(self.blocks):
            x, _, _ = block(x, mask, None, state["convolution"][:, number])
            if number == len(self.blocks) // 2 - 1:
                middle = x
        return self.head(x), self.middle_head(middle), x

    def init_state(self, batch: int, device: torch.device | None = None) -> dict[str, Tensor]:
        """State of a fresh stream; every tensor's first axis is the stream, so that states stack."""
        c = self.config
        return {
            "mel": torch.zeros(batch, 1, MELS, device=device),
            "half": torch.zeros(batch, 1, c.dimension, device=device),
            "attention": torch.zeros(batch, c.layers, c.left, 2 * c.dimension, device=device),
            "convolution": torch.zeros(batch, c.layers, c.kernel - 1, c.dimension, device=device),
            "valid": torch.zeros(batch, dtype=torch.int64, device=device),
        }

    def step(self, frames: Tensor, state: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """One chunk of streams: frames (B, 4 C, 80) -> log-posteriors (B, C, V), vectors (B, C, D), next state."""
        x, mel, half = self._reduce(frames, state["mel"], state["half"])
        T, left = x.shape[1], self.config.left
        # cache slots fill from the right: the newest `valid` of them hold frames
        slot = torch.arange(left, device=x.device)[None, :]
        unfilled = (slot < left - state["valid"][:, None]).to(torch.float32) * NEVER  # (B, left)
        mask = torch.cat([unfilled, torch.zeros_like(unfilled[:, :1]).expand(-1, T)], 1)[:, None, None, :]
        attention, convolution = [], []
        for number, block in enumerate(self.blocks):
            x, memory, gated = block(x, mask, state["attention"][:, number], state["convolution"][:, number])
            attention.append(memory[:, -left:])
            convolution.append(gated)
        following = {
            "mel": mel,
            "half": half,
            "attention": torch.stack(attention, 1),
            "convolution": torch.stack(convolution, 1),
            "valid": torch.clamp(state["valid"] + T, max=left),
        }
        return torch.log_softmax(self.head(x).float(), -1), x, following

    def _reduce(self, frames: Tensor, mel: Tensor, half: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Quarter the frame rate: (B, T, 80) -> (B, T/4, D), and one frame of cache a convolution."""
        frames = torch.cat([mel.to(frames.dtype), frames], 1)
        x = nn.functional.silu(self.subsample[0](frames.transpose(1, 2)).transpose(1, 2))
        x = torch.cat([half.to(x.dtype), x], 1)
        y = nn.functional.silu(self.subsample[1](x.transpose(1, 2)).transpose(1, 2))
        return self.project(y).float(), frames[:, -1:], x[:, -1:]  # the residual stream stays float32 under autocast


class EarsStep(nn.Module):
    """`Ears.step` with its state as separate tensors, in the order of `STATE`: what is exported."""

    STATE = ("mel", "half", "attention", "convolution", "valid")

    def __init__(self, ears: Ears) -> None:
        super().__init__()
        self.ears = ears

    def forward(self, frames: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Frames and state tensors -> log-posteriors, vectors and the next state tensors."""
        out, vectors, following = self.ears.step(frames, dict(zip(self.STATE, state, strict=True)))
        return out, vectors, *(following[name] for name in self.STATE)
