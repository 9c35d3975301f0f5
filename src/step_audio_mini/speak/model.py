"""The acoustic model's network: phones -> durations, F0 and energy -> log-mel frames, all at once.

After FastSpeech 2 (Ren et al., 2021) and FastPitch (Lancucki, 2021), with convolutional blocks. Frames are handled in
pairs (`PAIR`) after expansion, which halves the cost; F0 and energy are predicted frame by frame, because Mandarin
tones move within a phone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from step_audio_mini.audio.features import MELS
from step_audio_mini.nn.attention import NEVER, ChunkAttention
from step_audio_mini.nn.convnext import Stack
from step_audio_mini.speak.frontend import ENDS, MARKS, SYMBOLS, TONES

PAIR = 2
"""Frames that the decoder handles as one."""
PLACES = 5
"""Numbers that tell a frame where in its phone it lies."""
PROSODY = 3
"""Per frame: normalised log F0, voiced, energy."""
PITCH_SPREAD = 0.25
"""Log F0 is divided by this after the voice's mean is taken away."""
LIVELINESS = 1.3
"""Predicted F0 keeps to the middle of what could be said; its moves are made this much larger in use."""


@dataclass(frozen=True)
class AcousticConfig:
    """Size of the acoustic model."""

    voices: tuple[str, ...] = ("kathleen", "cvf0252fe7cd27")
    """Names in the order of their ids."""
    width: int = 192
    """Of encoder and predictors."""
    blocks: int = 4
    decoder_width: int = 256
    decoder_blocks: int = 6
    expansion: int = 3
    dropout: float = 0.1


@dataclass(frozen=True)
class Text:
    """What is to be said: ids (B, N) int64, padded with phone 0; voice (B,) int64."""

    phones: Tensor
    tones: Tensor
    marks: Tensor
    ends: Tensor
    voice: Tensor


class Acoustic(nn.Module):
    """`plan` and `render` are the two halves that training joins with natural durations; `forward` is for use."""

    def __init__(self, config: AcousticConfig) -> None:
        super().__init__()
        self.config = config
        D, W = config.width, config.decoder_width
        self.phone = nn.Embedding(len(SYMBOLS), D)
        self.tone = nn.Embedding(len(TONES), D)
        self.mark = nn.Embedding(MARKS, D)
        self.end = nn.Embedding(len(ENDS), D)
        self.voice = nn.Embedding(len(config.voices), D)
        for table in (self.phone, self.tone, self.mark, self.end, self.voice):
            nn.init.normal_(table.weight, std=0.5)
        self.near = Stack(D, config.blocks // 2, 5, config.expansion, config.dropout)
        self.attention = ChunkAttention(D, D // 64 if D >= 64 else 1)
        self.far = Stack(D, config.blocks - config.blocks // 2, 5, config.expansion, config.dropout)
        self.duration = nn.Sequential(nn.Linear(D, D), nn.SiLU(), nn.Linear(D, 1))
        self.timing = Stack(D, 2, 3, 2, 2 * config.dropout)
        self.pair = nn.Linear(PAIR * (D + PLACES), W)
        self.prosody_in = nn.Linear(W, D)
        self.prosody = Stack(D, 4, 9, 2, config.dropout)
        self.prosody_out = nn.Linear(D, PAIR * PROSODY)
        self.prosody_back = nn.Linear(PAIR * PROSODY, W)
        self.decoder = Stack(W, config.decoder_blocks, 7, config.expansion)
        self.mel = nn.Linear(W, PAIR * MELS)
        self.register_buffer("pitch_mean", torch.full((len(config.voices),), 5.0))
        """Mean log F0 of each voice."""
        self.pitch_mean: Tensor
        self.register_buffer("middle", torch.zeros(len(config.voices), MELS), persistent=False)
        self.middle: Tensor
        self.register_buffer("contrast", torch.ones(len(config.voices), MELS), persistent=False)
        self.contrast: Tensor

    def sharpen(self, middle: Tensor, contrast: Tensor) -> None:
        """In use, move each band of the mel away from its `middle` by the factor `contrast`, both (voices, 80)."""
        self.middle.copy_(middle)
        self.contrast.copy_(contrast)

    def plan(self, text: Text) -> tuple[Tensor, Tensor]:
        """Hidden phones (B, N, D) and log durations (B, N), in frames."""
        real = text.phones > 0
        mask = real[..., None].to(self.phone.weight.dtype)
        x = self.phone(text.phones) + self.tone(text.tones) + self.mark(text.marks) + self.end(text.ends)
        x = self.near(x + self.voice(text.voice)[:, None], mask)
        barred = torch.where(real, 0.0, NEVER)[:, None, None, :]
        x = x + self.attention(x, barred)[0]
        hidden = self.far(x, mask)
        return hidden, self.duration(self.timing(hidden, mask))[..., 0].float()

    def expand(self, hidden: Tensor, durations: Tensor) -> tuple[Tensor, Tensor]:
        """Repeat phones (B, N, D) by their durations (B, N) in frames: pairs (B, P, W), and their mask (B, P, 1).

        An odd last frame gets an empty partner.
        """
        stop = durations.cumsum(1)
        start = stop - durations
        pairs = (stop[:, -1].max() + PAIR - 1) // PAIR
        time = torch.arange(pairs * PAIR, device=hidden.device)[None, :, None]  # type: ignore[call-overload]
        inside = ((time >= start[:, None]) & (time < stop[:, None])).float()  # (B, T, N), one 1 in a real frame
        begun = inside @ start[..., None].float()  # (B, T, 1)
        length = (inside @ durations[..., None].float()).clamp(min=1.0)
        spoken = inside.sum(-1, keepdim=True)
        since = time.float() + 0.5 - begun
        share = since / length
        places = [share, torch.sin(torch.pi * share), length.log(), since.clamp(min=0).log1p(),
                  (length - since).clamp(min=0).log1p()]  # fmt: skip
        frames = torch.cat([inside @ hidden.float(), *(place * spoken for place in places)], -1)  # (B, T, D + 5)
        B, T, D = frames.shape
        mask = spoken.view(B, T // PAIR, PAIR)[..., :1]
        joined: Tensor = self.pair(frames.view(B, T // PAIR, PAIR * D)) * mask
        return joined, mask

    def melody(self, pairs: Tensor, mask: Tensor) -> Tensor:
        """Prosody (B, T, 3) of pairs (B, P, W): normalised log F0, voicing logit, energy."""
        x: Tensor = self.prosody_out(self.prosody(self.prosody_in(pairs), mask))
        return (x * mask).view(x.shape[0], -1, PROSODY).float()

    def render(self, pairs: Tensor, mask: Tensor, prosody: Tensor) -> Tensor:
        """Mel (B, T, 80) of pairs (B, P, W) and prosody (B, T, 3): log F0 (0 where voiceless), voiced 0/1, energy."""
        x: Tensor = pairs + self.prosody_back(prosody.view(prosody.shape[0], -1, PAIR * PROSODY).to(pairs.dtype))
        x = self.mel(self.decoder(x, mask))
        return x.view(x.shape[0], -1, MELS).float()

    def forward(
        self, phones: Tensor, tones: Tensor, marks: Tensor, ends: Tensor, voice: Tensor, speed: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Ids (B, N), voice (B,), speed (B,) -> mel (B, T, 80), F0 (B, T) in Hz, durations (B, N) in frames.

        Speed 2 is twice as fast; F0 is 0 where voiceless. T is even and covers the longest of the batch: a row's own
        frames are as many as its durations add up to.
        """
        hidden, log_durations = self.plan(Text(phones, tones, marks, ends, voice))
        frames = torch.exp(log_durations.clamp(max=5.5)) / speed[:, None]
        durations = torch.where(phones > 0, torch.round(frames).clamp(min=1.0), 0.0).long()
        pairs, mask = self.expand(hidden, durations)
        told = self.melody(pairs, mask)
        voiced = (told[..., 1] > 0).to(told.dtype)
        pitch = (LIVELINESS * told[..., 0]).clamp(-4.0, 4.0)
        mel = self.render(pairs, mask, torch.stack([pitch * voiced, voiced, told[..., 2]], -1))
        middle = self.middle[voice][:, None]
        mel = middle + (mel - middle) * self.contrast[voice][:, None]
        f0 = torch.exp(self.pitch_mean[voice][:, None] + pitch * PITCH_SPREAD) * voiced
        return mel, f0, durations


@dataclass(frozen=True)
class Natural:
    """What was really said: durations (B, N) int64; mel (B, T, 80); prosody (B, T, 3), F0 bridged where voiceless.

    T is even; frames past a row's own are 0.
    """

    durations: Tensor
    mel: Tensor
    prosody: Tensor


def acoustic_loss(model: Acoustic, text: Text, natural: Natural) -> tuple[Tensor, dict[str, float]]:
    """Errors of mel, its structure, log duration, F0, voicing and energy, with natural durations and prosody given."""
    hidden, log_durations = model.plan(text)
    pairs, mask = model.expand(hidden, natural.durations)
    told = model.melody(pairs, mask)
    voiced = natural.prosody[..., 1:2]
    given = torch.cat([natural.prosody[..., :1] * voiced, voiced, natural.prosody[..., 2:]], -1)
    mel = model.render(pairs, mask, given)
    real = (torch.arange(mel.shape[1], device=mel.device)[None] < natural.durations.sum(1)[:, None]).float()[..., None]
    count = real.sum()
    phones = (text.phones > 0).float()
    wanted = torch.log(natural.durations.clamp(min=1).float())
    duration = ((log_durations - wanted).abs() * phones).sum() / phones.sum()
    heard = (0.1 + 0.9 * voiced[..., 0]) * real[..., 0]
    away = (told[..., 0] - natural.prosody[..., 0]).abs()
    bend = (told[:, 1:, 0] - told[:, :-1, 0] - natural.prosody[:, 1:, 0] + natural.prosody[:, :-1, 0]).abs()
    pitch = (away * heard).sum() / heard.sum() + 2.0 * (bend * heard[:, 1:]).sum() / heard[:, 1:].sum()
    voicing = functional.binary_cross_entropy_with_logits(told[..., 1:2], voiced, real, reduction="sum") / count
    energy = ((told[..., 2:] - natural.prosody[..., 2:]).abs() * real).sum() / count
    spectral = ((mel - natural.mel).abs() * real).sum() / (count * mel.shape[-1])
    shape = 1.0 - structural_similarity(mel * real, natural.mel * real, real)
    loss = spectral + 0.5 * shape + 0.3 * duration + 0.3 * pitch + 0.2 * voicing + 0.2 * energy
    names = ("mel", "shape", "duration", "pitch", "voicing", "energy")
    parts = (spectral, shape, duration, pitch, voicing, energy)
    return loss, {name: float(value.detach()) for name, value in zip(names, parts, strict=True)}


def structural_similarity(x: Tensor, y: Tensor, real: Tensor) -> Tensor:
    """Similarity of structure (Wang et al., 2004) of mel pictures (B, T, 80), 1 where equal; real: (B, T, 1).

    Windows are 7 x 7, every third one in both directions: all of them would cost a fifth of a training step.
    """

    def blur(z: Tensor) -> Tensor:
        return functional.avg_pool2d(z[:, None], 7, 3, 3)[:, 0]

    mean_x, mean_y = blur(x), blur(y)
    var_x, var_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    both = blur(x * y) - mean_x * mean_y
    likeness = (2 * mean_x * mean_y + 0.1) * (2 * both + 0.1)
    likeness = likeness / ((mean_x**2 + mean_y**2 + 0.1) * (var_x.clamp(min=0) + var_y.clamp(min=0) + 0.1))
    kept = real[:, ::3]
    return (likeness * kept).sum() / (kept.sum() * likeness.shape[-1])
