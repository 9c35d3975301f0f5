"""Recipe of the vocoder: cuts of natural speech, made again from their own log-mel frames and F0.

Two voices are to be spoken, so most cuts are theirs; a share of other speakers keeps the network from leaning on them.
The frames that a voice model will give are smoother than natural ones: some inputs are smoothed and shaken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from step_audio_mini.audio.features import FLOOR, HOP, MEAN, STD, WINDOW, frame_count, log_mel
from step_audio_mini.data.cache import Cache, to_float
from step_audio_mini.data.packs import Clip
from step_audio_mini.errors import UserError
from step_audio_mini.nn.istft import overlap_add
from step_audio_mini.nn.spectral_loss import SIZES, energy_distance, mel_distance, stft_distance
from step_audio_mini.nn.vocoder import Vocoder, VocoderConfig, shaped
from step_audio_mini.speak.source import SourceStream, pitch_features
from step_audio_mini.train.loop import LoopConfig
from step_audio_mini.train.ownmels import OwnMels, write_own_mels
from step_audio_mini.train.pitch import PitchCache
from step_audio_mini.train.recipes.voice import VoiceRecipe
from step_audio_mini.train.voicedata import LEVEL, Item, held_out
from step_audio_mini.types import Frames, Samples

ENGLISH, MANDARIN = "kathleen", "cvf0252fe7cd27"
"""Speakers whose voices are spoken."""
OTHERS = ("lj_part1", "libri", "libri_mini", "aishell_sample")
"""Packs of clean speech by other speakers."""
VOICE_SHARE = 0.8
"""Share of the cuts that are theirs, half each."""
GAIN_DB = 8.0
"""Cuts are made louder or quieter by up to this much, after every clip was brought to `LEVEL`."""

REPULSION = 0.45
"""Weight of the distance between two draws. One half makes the score proper; it is a little less because where F0 is
not quite right the network would cover the error with noise (low harmonics came out less periodic than natural)."""
OWN_SHARE = 0.4
"""Share of the cuts whose frames are the acoustic model's, where they are at hand."""

Cut = tuple[Frames, NDArray[np.float32], NDArray[np.float32], Samples]
"""Frames, pitch features, two draws of sources, and sound."""
Track = Callable[[Clip], NDArray[np.float32]]
"""F0 (T,) of a clip, Hz, 0 where voiceless."""


@dataclass(frozen=True)
class VocoderData:
    """One cut a row; `ahead` more frames of input than of sound."""

    mel: Tensor
    """(B, T + ahead, 80)"""
    pitch: Tensor
    """(B, T + ahead, 2)"""
    source: Tensor
    """Two draws, (B, 2, T, 2, 241, 2)"""
    sound: Tensor
    """(B, 160 T + 240)"""
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Options:
    """What can be set of the vocoder beside the loop."""

    size: int = 224
    """Width of the network: the one dial."""
    cuts: int = 16
    """Cuts a batch."""
    frames: int = 80
    """Frames a cut (0.8 s)."""
    mel_weight: float = 2.0
    """Weight of the log-mel distance beside the short-time spectra."""
    dev_cuts: int = 24
    """Held-out cuts measured."""
    own: str = ""
    """Folder of a run of the voice recipe: its frames are learnt from too. Empty: natural frames only."""


LOOP = LoopConfig(steps=20_000, rate=1e-3, warmup=200, decay=0.3)


def make(data: Path, options: Options) -> VocoderRecipe:
    """The recipe over a cache folder; F0 is kept beside the packs, the acoustic model's frames beside the voices."""
    cache = Cache.open(data)
    network = VocoderConfig(options.size)
    own = None
    if options.own:
        voices = data / "voices"
        write_own_mels(VoiceRecipe(voices), Path(options.own), voices)
        own = OwnMels(voices, options.frames + network.ahead)
    return VocoderRecipe(cache, PitchCache(cache, data / ".f0"), network, options, own=own)


class VocoderRecipe:
    """Tells the training loop what a step of the vocoder is."""

    name = "vocoder"

    def __init__(
        self,
        cache: Cache,
        track: Track,
        network: VocoderConfig,
        config: Options | None = None,
        *,
        own: OwnMels | None = None,
        seed: int = 1,
    ) -> None:
        self._cache, self._track, self._network, self._own, self._seed = cache, track, network, own, seed
        self.config = config or Options()
        length = self.config.frames + network.ahead
        usable = [c for c in cache.clips if c.split != "test" and frame_count(cache.length(c)) >= length]
        splits = [held_out([c for c in cache.clips if c.speaker == voice]) for voice in (ENGLISH, MANDARIN)]
        voices = [[c for c in usable if split.get(c.id) == "train"] for split in splits]
        others = [c for c in usable if c.split == "train" and c.pack in OTHERS]
        self.cached = cache.clips
        self.trained = [clip for clips in [*voices, others] for clip in clips]
        self._groups = [_Group(clips, cache) for clips in [*voices, others] if clips]
        if not self._groups:
            raise UserError("no training clip is long enough for the vocoder; cache packs of speech first")
        shares = [VOICE_SHARE / 2] * 2 + [1 - VOICE_SHARE]
        kept = [share for share, clips in zip(shares, [*voices, others], strict=True) if clips]
        self._shares = np.array(kept) / sum(kept)
        dev = [[c for c in usable if split.get(c.id) == "dev"] for split in splits]
        self._dev = [clip for clips in dev if clips for clip in _spread(clips, self.config.dev_cuts // 2)]
        if not self._dev:
            raise UserError("no held-out clip is long enough for the vocoder; cache a whole voice first")

    def build(self) -> nn.Module:
        """A fresh vocoder."""
        return Vocoder(self._network)

    def batch(self, step: int) -> VocoderData:
        """Random cuts: a pure function of the seed and the step."""
        random = np.random.default_rng((self._seed, step))
        cuts, ids = [], []
        for group in random.choice(len(self._groups), self.config.cuts, p=self._shares):
            if self._own is not None and random.random() < OWN_SHARE:
                item = self._own.draw(random)
                cuts.append(self._own_cut(item, random))
                ids.append(item.id)
            else:
                clip = self._groups[group].draw(random)
                cuts.append(self._cut(clip, random))
                ids.append(clip.id)
        return _stack(cuts, ids)

    def loss(self, model: nn.Module, batch: VocoderData) -> tuple[Tensor, dict[str, float]]:
        """Energy distance of two draws, which share their filters but not their noise and phase, from nature."""
        assert isinstance(model, Vocoder)
        filters = model.filters(batch.mel, batch.pitch)
        with torch.autocast(batch.sound.device.type, enabled=False):
            # half of the resolutions a step: the same on average, and the transforms are most of the work
            sizes = [SIZES[place] for place in torch.randperm(len(SIZES))[: len(SIZES) // 2].tolist()]
            draws = [overlap_add(shaped(filters, source)) for source in batch.source.unbind(1)]
            near, apart = energy_distance(draws[0], draws[1], batch.sound, sizes, self.config.mel_weight)
            return near - REPULSION * apart, {"near": float(near.detach()), "apart": float(apart.detach())}

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """On held-out cuts of both voices: energy distance; then distances of one draw, log-mel in nats and spectra."""
        assert isinstance(model, Vocoder)
        device = next(model.parameters()).device
        random = np.random.default_rng(0)
        data = _stack([self._cut(clip, random, natural=True) for clip in self._dev], [clip.id for clip in self._dev])
        filters, sound = model.filters(data.mel.to(device), data.pitch.to(device)), data.sound.to(device)
        draws = [overlap_add(shaped(filters, source.to(device))) for source in data.source.unbind(1)]
        near, apart = energy_distance(draws[0], draws[1], sound, SIZES, self.config.mel_weight)
        mel, stft = mel_distance(draws[0], sound), stft_distance(draws[0], sound)
        return {"energy": float(near - REPULSION * apart), "mel": float(mel) * STD, "stft": float(stft)}

    def _cut(self, clip: Clip, random: np.random.Generator, natural: bool = False) -> Cut:
        """A random cut of a clip; `natural` leaves its level and frames as they are."""
        count = self.config.frames + self._network.ahead
        start = int(random.integers(frame_count(self._cache.length(clip)) - count + 1))
        sound = to_float(self._cache.samples(clip)[_samples(start, count)])
        gain = LEVEL / max(1e-4, float(np.sqrt(np.mean(to_float(self._cache.samples(clip)) ** 2))))
        if not natural:
            gain *= 10 ** (random.uniform(-GAIN_DB, GAIN_DB) / 20)
        sound *= np.float32(min(gain, 0.95 / max(1e-4, float(np.abs(sound).max()))))
        mel = log_mel(sound)
        return self._whole(
            mel if natural else blur(mel, random), self._track(clip)[start : start + count], sound, random
        )

    def _own_cut(self, item: Item, random: np.random.Generator) -> Cut:
        """A random cut of an item with the acoustic model's frames."""
        assert self._own is not None
        sound, f0, mel = self._own.read(item)
        count = self.config.frames + self._network.ahead
        start = int(random.integers(item.frames - count + 1))
        sound, mel = sound[_samples(start, count)], mel[start : start + count]
        gain = min(10 ** (random.uniform(-GAIN_DB, GAIN_DB) / 20), 0.95 / max(1e-4, float(np.abs(sound).max())))
        louder = np.maximum(mel + np.float32(np.log(gain) / STD), np.float32((np.log(FLOOR) - MEAN) / STD))
        return self._whole(louder, f0[start : start + count], sound * np.float32(gain), random)

    def _whole(self, mel: Frames, f0: NDArray[np.float32], sound: Samples, random: np.random.Generator) -> Cut:
        """The cut with two draws of its sources, which end with its sound, `ahead` frames before the rest."""
        seed = int(random.integers(2**32 - 1))
        sources = []
        for draw in range(2):
            stream = SourceStream(seed + draw)
            sources.append(np.concatenate([stream.push(f0), stream.finish()])[: self.config.frames])
        return mel, pitch_features(f0), np.stack(sources), sound[_samples(0, self.config.frames)]


def _samples(start: int, count: int) -> slice:
    """The samples that `count` frames from `start` cover."""
    return slice(start * HOP, (start + count - 1) * HOP + WINDOW)


def _stack(cuts: Sequence[Cut], ids: Iterable[str]) -> VocoderData:
    mel, pitch, source, sound = (torch.from_numpy(np.stack(part)) for part in zip(*cuts, strict=True))
    return VocoderData(mel, pitch, source, sound, tuple(ids))


class _Group:
    """Clips drawn in proportion to their length."""

    def __init__(self, clips: list[Clip], cache: Cache) -> None:
        self._clips = clips
        self._ends = np.cumsum([cache.length(clip) for clip in clips])

    def draw(self, random: np.random.Generator) -> Clip:
        return self._clips[int(np.searchsorted(self._ends, random.integers(self._ends[-1]), "right"))]


def blur(mel: Frames, random: np.random.Generator) -> Frames:
    """Frames (T, 80) as a voice model may give them: often smoothed over bands or time, always a little shaken."""
    smooth = mel
    for axis, chance in ((1, 0.4), (0, 0.3)):
        if random.random() < chance:
            share = np.float32(random.uniform(0.0, 0.6))
            around = np.pad(smooth, [(1, 1) if a == axis else (0, 0) for a in (0, 1)], "edge")
            sides = np.take(around, np.arange(2, around.shape[axis]), axis) + np.take(
                around, np.arange(around.shape[axis] - 2), axis
            )
            smooth = (1 - share) * smooth + share / 2 * sides
    shaken = smooth + np.float32(random.uniform(0.0, 0.1)) * random.standard_normal(mel.shape, np.float32)
    return shaken.astype(np.float32)


def _spread(clips: Sequence[Clip], count: int) -> list[Clip]:
    """So many clips, evenly spaced over a list."""
    places = np.unique(np.linspace(0, len(clips) - 1, count).astype(int))
    return [clips[place] for place in places]
