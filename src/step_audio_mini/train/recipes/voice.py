"""Recipe of the acoustic model: natural durations, F0 and energy in, mel out, on whole clips and on their clauses.

`step-audio train voice --set lexicon=FILE` over a cache that holds the packs of the voices.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from step_audio_mini.audio.features import log_mel
from step_audio_mini.data.buckets import Buckets
from step_audio_mini.data.cache import Cache
from step_audio_mini.speak.frontend import Frontend
from step_audio_mini.speak.model import PAIR, PITCH_SPREAD, Acoustic, AcousticConfig, Natural, Text, acoustic_loss
from step_audio_mini.text.lexicon import Lexicon
from step_audio_mini.train.loop import LoopConfig
from step_audio_mini.train.voicedata import SOURCES, Item, VoiceData, pieces, prepare

BATCH_FRAMES = 3000
"""Frames in a batch, padding included: 30 s."""
LONGEST = 1200
"""Frames of the longest item trained on."""


@dataclass(frozen=True)
class Options:
    """What can be set of the acoustic model beside the loop."""

    size: int = 256
    """Width of the decoder, a multiple of 256: the one dial. The encoder is three quarters of it."""
    lexicon: str = ""
    """English pronunciations, a file of word TAB phones."""


LOOP = LoopConfig(steps=20_000, rate=1.5e-3, warmup=300, ema=0.998)


def make(data: Path, options: Options) -> VoiceRecipe:
    """The recipe over a cache folder; its voices are aligned and tracked first, where that was not done before."""
    folder = data / "voices"
    if not (folder / "items.jsonl").exists():
        cache = Cache.open(data, [source.pack for source in SOURCES])
        prepare(cache, Frontend(Lexicon.load(Path(options.lexicon))), folder)
    return VoiceRecipe(folder, AcousticConfig(width=options.size * 3 // 4, decoder_width=options.size))


@dataclass(frozen=True)
class VoiceBatch:
    """Items of like length."""

    ids: tuple[str, ...]
    text: Text
    natural: Natural


class VoiceRecipe:
    """What the training loop needs to know of the acoustic model."""

    name = "voice"

    def __init__(self, folder: Path, config: AcousticConfig | None = None, *, seed: int = 0) -> None:
        """`folder` holds prepared voices; those named in the config are used."""
        self.config = config or AcousticConfig()
        self._data = VoiceData(folder)
        items = [item for item in self._data.items if item.voice in self.config.voices]
        self._train = [
            piece
            for item in items
            if item.split == "train"
            for piece in (item, *pieces(item))
            if piece.frames <= LONGEST
        ]
        self._dev = [item for item in items if item.split == "dev"]
        lengths = [item.frames for item in self._train]
        voices = [item.voice for item in self._train]
        self._buckets = Buckets(lengths, voices, BATCH_FRAMES, longest=LONGEST, seed=seed)
        self._mels: dict[str, NDArray[np.float16]] = {}

    @property
    def trained_ids(self) -> frozenset[tuple[str, str]]:
        """(speaker, id) of the clips trained on."""
        return frozenset((item.voice, item.id.partition("@")[0]) for item in self._train)

    def build(self) -> nn.Module:
        """A fresh model that knows the mean pitch of its voices."""
        model = Acoustic(self.config)
        model.pitch_mean.copy_(torch.tensor(self._pitch_means))
        return model

    def batch(self, step: int) -> VoiceBatch:
        """The items of a step: whole clips and clauses as they are."""
        return self.collate([self._train[index] for index in self._buckets.batch(step)])

    def loss(self, model: nn.Module, batch: VoiceBatch) -> tuple[Tensor, dict[str, float]]:
        """Scalar loss and its parts."""
        assert isinstance(model, Acoustic)
        return acoustic_loss(model, batch.text, batch.natural)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Mean loss and its parts over the dev clips."""
        sums: dict[str, float] = {}
        order = sorted(self._dev, key=lambda item: item.frames)
        batches = [order[first : first + 12] for first in range(0, len(order), 12)]
        for items in batches:
            loss, parts = self.loss(model, self.collate(items))
            for name, value in ({"loss": float(loss)} | parts).items():
                sums[name] = sums.get(name, 0.0) + value / len(batches)
        return sums

    def natural_and_made(self, model: Acoustic, voice: str, clips: int) -> tuple[Tensor, Tensor]:
        """Mel frames (T, 80) of training clips of a voice, natural and as the model makes them at the same times."""
        natural, made = [], []
        for item in [item for item in self._train if item.voice == voice][:clips]:
            batch = self.collate([item])
            with torch.no_grad():
                hidden, _ = model.plan(batch.text)
                pairs, mask = model.expand(hidden, batch.natural.durations)
                told = model.melody(pairs, mask)
                voiced = (told[..., 1:2] > 0).to(told.dtype)
                mel = model.render(pairs, mask, torch.cat([told[..., :1] * voiced, voiced, told[..., 2:]], -1))
            natural.append(batch.natural.mel[0, : item.frames])
            made.append(mel[0, : item.frames])
        return torch.cat(natural), torch.cat(made)

    @cached_property
    def _pitch_means(self) -> list[float]:
        means = []
        for voice in self.config.voices:
            voiced = np.concatenate([self._data.f0(item) for item in self._train if item.voice == voice])
            means.append(float(np.log(voiced[voiced > 0]).mean()))
        return means

    def collate(self, items: list[Item]) -> VoiceBatch:
        """Pad items to one batch; T is even."""
        longest = max(item.frames for item in items)
        T, N = longest + -longest % PAIR, max(len(item.phones) for item in items)
        ids = np.zeros((5, len(items), N), np.int64)
        mel = np.zeros((len(items), T, 80), np.float32)
        prosody = np.zeros((len(items), T, 3), np.float32)
        for row, item in enumerate(items):
            parts = (item.phones, item.tones, item.marks, item.ends, item.durations)
            ids[:, row, : len(item.phones)] = parts
            mel[row, : item.frames] = self._mel(item)
            mean = self._pitch_means[self.config.voices.index(item.voice)]
            prosody[row, : item.frames] = natural_prosody(self._data.f0(item), mel[row, : item.frames], mean)
        voice = [self.config.voices.index(item.voice) for item in items]
        phones, tones, marks, ends, durations = torch.from_numpy(ids)
        return VoiceBatch(
            tuple(item.id for item in items),
            Text(phones, tones, marks, ends, torch.tensor(voice)),
            Natural(durations, torch.from_numpy(mel), torch.from_numpy(prosody)),
        )

    def _mel(self, item: Item) -> NDArray[np.float16]:
        if item.id not in self._mels:
            self._mels[item.id] = log_mel(self._data.samples(item)).astype(np.float16)
        return self._mels[item.id]


def natural_prosody(f0: NDArray[np.float32], mel: NDArray[np.float32], mean: float) -> NDArray[np.float32]:
    """(T, 3) of F0 (T,) in Hz and mel (T, 80): normalised log F0, bridged where voiceless; voiced; mean level."""
    voiced = f0 > 0
    level = mel.mean(1)
    if not voiced.any():
        return np.stack([np.zeros_like(level), voiced, level], 1).astype(np.float32)
    known = np.flatnonzero(voiced)
    bridged = np.interp(np.arange(len(f0)), known, np.log(f0[known]))
    return np.stack([(bridged - mean) / PITCH_SPREAD, voiced, level], 1).astype(np.float32)
