"""The mind's network: an encoder over what was said and remembered, a decoder that chooses symbols, items and words.

The decoder has no fixed vocabulary of intents, slots or values: intents and slots are vectors made from their
descriptions, values are pointers into the input (pointer networks, Vinyals et al. 2015), so a pack needs no training.
Beside the words it attends to the ears' vectors through a gate that the measured signal-to-noise ratio drives.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from step_audio_mini.think.alphabet import SYMBOLS, Role
from step_audio_mini.think.hints import FAMILIARITY
from step_audio_mini.think.reading import CONFIDENCE_BINS


@dataclass(frozen=True)
class MindConfig:
    """Size of the network; `width` is the dial."""

    pieces: int
    """Sub-word ids, 0 included."""
    width: int = 192
    heads: int = 3
    encoder_layers: int = 3
    decoder_layers: int = 2
    hidden: int = 4
    """Width of the feed-forward layers, as a multiple of `width`."""
    ears: int = 192
    """Width of the ears' vectors."""
    dropout: float = 0.0

    def facts(self) -> dict[str, Any]:
        """What the exported graph says about itself."""
        return asdict(self)


def rotate(x: Tensor, start: int = 0) -> Tensor:
    """Rotary position embedding (Su et al. 2021) of x: (B, H, T, hd), positions from `start`."""
    half = x.shape[-1] // 2
    rate = torch.exp(torch.arange(half, dtype=torch.float32, device=x.device) * (-math.log(1000.0) / half))
    position = torch.arange(x.shape[2], dtype=torch.float32, device=x.device) + start
    angle = position[:, None] * rate[None, :]
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    one, two = x[..., :half], x[..., half:]
    return torch.cat([one * cos - two * sin, two * cos + one * sin], dim=-1)


class Attention(nn.Module):
    """Multi-head attention as matmul + softmax; keys and values may come from a cache or another stream."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.pair = nn.Linear(width, 2 * width)

    def split(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, H, T, hd)."""
        return x.reshape(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)

    def keys_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of a stream: each (B, T, D)."""
        keys, values = self.pair(x).chunk(2, dim=-1)
        return keys, values

    def attend(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """Query (B, H, Q, hd), keys (B, H, T, hd), values (B, T, D); mask to (B, H, Q, T), True = visible."""
        scores = (query @ keys.transpose(-1, -2)).float() / math.sqrt(query.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask, -1e4)
        mixed = scores.softmax(-1).to(values.dtype) @ self.split(values)
        return self.out(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class EncoderLayer(nn.Module):
    """Pre-norm self-attention and feed-forward."""

    def __init__(self, config: MindConfig) -> None:
        super().__init__()
        width = config.width
        self.norm, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, config.heads)
        self.feed = _feed(config)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """x: (B, T, D), mask: (B, 1, 1, T)."""
        y = self.norm(x)
        attention = self.attention
        keys, values = attention.keys_values(y)
        query = rotate(attention.split(attention.query(y)))
        x = x + self.drop(attention.attend(query, rotate(attention.split(keys)), values, mask))
        return x + self.drop(self.feed(self.norm2(x)))  # type: ignore[no-any-return]


def _feed(config: MindConfig) -> nn.Module:
    width, inner = config.width, config.hidden * config.width
    return nn.Sequential(nn.Linear(width, inner), nn.SiLU(), nn.Linear(inner, width))


class DecoderLayer(nn.Module):
    """Causal self-attention, cross-attention to the words, gated cross-attention to the sound, feed-forward."""

    def __init__(self, config: MindConfig) -> None:
        super().__init__()
        width, heads = config.width, config.heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))
        self.own = Attention(width, heads)
        self.words = Attention(width, heads)
        self.sound = Attention(width, heads)
        self.feed = _feed(config)
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, memory: Memory, layer: int, cache: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, Q, D) after `cache` (2, B, P, D); returns x and the cache grown by Q (keys before rotation)."""
        y = self.norms[0](x)
        keys, values = self.own.keys_values(y)
        keys, values = torch.cat([cache[0], keys], dim=1), torch.cat([cache[1], values], dim=1)
        past = cache.shape[2]
        length = x.shape[1]
        seen = (
            torch.arange(past + length, device=x.device)[None, :]
            <= (torch.arange(length, device=x.device) + past)[:, None]
        )
        query = rotate(self.own.split(self.own.query(y)), past)
        x = x + self.drop(self.own.attend(query, rotate(self.own.split(keys)), values, seen))
        y = self.words.split(self.words.query(self.norms[1](x)))
        x = x + self.drop(
            self.words.attend(y, self.words.split(memory.words[layer, 0]), memory.words[layer, 1], memory.mask)
        )
        y = self.sound.split(self.sound.query(self.norms[2](x)))
        heard = self.sound.attend(
            y, self.sound.split(memory.sound[layer, 0]), memory.sound[layer, 1], memory.sound_mask
        )
        x = x + memory.gate[:, layer, None, None] * self.drop(heard)
        return x + self.drop(self.feed(self.norms[3](x))), torch.stack([keys, values])


@dataclass
class Memory:
    """What the decoder looks at, made once a turn. L decoder layers, C = symbols + items + positions."""

    candidates: Tensor
    """(B, C, D) what a chosen candidate looks like as the next input."""
    keys: Tensor
    """(B, C, D) what a candidate is scored by."""
    words: Tensor
    """(L, 2, B, T, D) keys and values of the encoded words."""
    sound: Tensor
    """(L, 2, B, N, D) keys and values of the ears' vectors."""
    gate: Tensor
    """(B, L) weight of the sound."""
    prior: Tensor
    """(B, C) what the pack's own sentences say of a candidate; 0 but for acts, intents and slots."""
    links: Tensor
    """(B, C, C) 1 where the second candidate is likely after the first."""
    mask: Tensor | None = None
    sound_mask: Tensor | None = None


class MindNet(nn.Module):
    """Encoder and decoder. Knows ids and vectors, nothing of packs or grammar."""

    def __init__(self, config: MindConfig) -> None:
        super().__init__()
        self.config, width = config, config.width
        self.piece = nn.Embedding(config.pieces, width, padding_idx=0)
        self.symbol = nn.Embedding(len(SYMBOLS) + 1, width, padding_idx=0)
        self.segment = nn.Embedding(3, width)
        self.confidence = nn.Embedding(len(CONFIDENCE_BINS) + 1, width)
        self.language = nn.Embedding(2, width)
        self.describer = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.familiar = nn.Linear(FAMILIARITY, width)
        self.spot = nn.Linear(width, 2 * width, bias=False)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))
        self.norm = nn.LayerNorm(width)
        self.ears = nn.Sequential(nn.LayerNorm(config.ears), nn.Linear(config.ears, width))
        self.gate = nn.Sequential(nn.Linear(2, 16), nn.SiLU(), nn.Linear(16, config.decoder_layers))
        self.as_input, self.as_key = nn.Linear(width, width), nn.Linear(width, width)
        self.role = nn.Embedding(len(Role), width)
        self.trust = nn.Embedding(len(Role), 1)
        self.follow = nn.Embedding(len(Role), 1)
        self.decoder = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.last = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.drop = nn.Dropout(config.dropout)
        for table in (self.piece, self.symbol, self.segment, self.confidence, self.language, self.role):
            nn.init.normal_(table.weight, std=0.3 if table is self.piece else 0.1)
        with torch.no_grad():
            self.trust.weight.zero_()
            self.trust.weight[[Role.ACT, Role.INTENT, Role.SLOT]] = 1.0
            self.follow.weight.zero_()
            self.follow.weight[[Role.START, Role.END]] = 2.0

    def describe(self, descriptions: Tensor) -> Tensor:
        """Vectors of the pack's items from the pieces that describe them: (M, L) -> (M, D)."""
        there = (descriptions > 0).unsqueeze(-1).float()
        mean = (self.piece(descriptions) * there).sum(1) / there.sum(1).clamp(min=1)
        return self.describer(mean)  # type: ignore[no-any-return]

    def encode(self, inputs: dict[str, Tensor]) -> Memory:
        """What the decoder looks at.

        pieces, symbols, items, segments, confidences, languages (B, T) int64; spots (B, 2, T, S);
        hints (B, symbols + M); familiar (B, 3); links (B, C, C);
        descriptions (M, L) int64, slots last; vectors (B, N, ears); snr (B, 2): dB / 20 and 1 where there are vectors;
        mask (B, T) and sound_mask (B, N) bool where rows are padded.
        """
        described = self.describe(inputs["descriptions"])
        slots = inputs["spots"].shape[-1]
        table = torch.cat([torch.zeros_like(described[:1]), described])
        x = self.piece(inputs["pieces"]) + self.symbol(inputs["symbols"]) + functional.embedding(inputs["items"], table)
        x = (
            x
            + self.segment(inputs["segments"])
            + self.confidence(inputs["confidences"])
            + self.language(inputs["languages"])
        )
        begin, inside = self.spot(described[described.shape[0] - slots :]).chunk(2, dim=-1)
        x = x + inputs["spots"][:, 0] @ begin + inputs["spots"][:, 1] @ inside
        mask = inputs["mask"][:, None, None, :] if "mask" in inputs else None
        x = self.drop(x + self.familiar(inputs["familiar"]).unsqueeze(1))
        for layer in self.layers:
            x = layer(x, mask)
        return self._remember(self.norm(x), described, inputs, mask)

    def _remember(self, x: Tensor, described: Tensor, inputs: dict[str, Tensor], mask: Tensor | None) -> Memory:
        batch = x.shape[0]
        fixed = torch.cat([self.symbol.weight[1:], described]).unsqueeze(0).expand(batch, -1, -1)
        candidates = torch.cat([fixed, x], dim=1)
        sound = self.ears(inputs["vectors"])
        words = torch.stack([torch.stack(layer.words.keys_values(x)) for layer in self.decoder])  # type: ignore[operator, union-attr]
        sounds = torch.stack([torch.stack(layer.sound.keys_values(sound)) for layer in self.decoder])  # type: ignore[operator, union-attr]
        gate = torch.sigmoid(self.gate(inputs["snr"])) * inputs["snr"][:, 1:]
        sound_mask = inputs["sound_mask"][:, None, None, :] if "sound_mask" in inputs else None
        prior = functional.pad(inputs["hints"], (0, x.shape[1]))
        keys = self.as_key(candidates)
        return Memory(self.as_input(candidates), keys, words, sounds, gate, prior, inputs["links"], mask, sound_mask)

    def decode(self, memory: Memory, previous: Tensor, roles: Tensor, cache: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of the next choices (B, Q, C) and the grown cache.

        previous, roles: (B, Q) int64; cache: (L, 2, B, P, D).
        """
        width = memory.candidates.shape[-1]
        x = memory.candidates.gather(1, previous.unsqueeze(-1).expand(-1, -1, width)) + self.role(roles)
        caches = []
        for index, layer in enumerate(self.decoder):
            x, grown = layer(x, memory, index, cache[index])
            caches.append(grown)
        query = self.query(self.last(x))
        scores = (query @ memory.keys.transpose(1, 2)).float() / math.sqrt(width)
        scores = scores + self.trust(roles) * memory.prior.unsqueeze(1)
        likely = memory.links.gather(1, previous.unsqueeze(-1).expand(-1, -1, scores.shape[-1]))
        return scores + self.follow(roles) * likely, torch.stack(caches)

    def empty_cache(self, batch: int) -> Tensor:
        """The decoder's cache before the first choice: (L, 2, B, 0, D)."""
        return torch.zeros(self.config.decoder_layers, 2, batch, 0, self.config.width)
