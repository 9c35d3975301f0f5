"""Recipe of the speaker network: who speaks, and with it gender, age band and language, from crops of real speech.

Identity is learnt by additive angular margin softmax (Deng et al., ArcFace, 2019) over all train speakers; the other
attributes by cross-entropy over those clips that are labelled. Speed and pitch of a clip are never changed: they are
the speaker's own. Clusters of clips that only guess who speaks teach no identity.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from step_audio_mini.audio.augment import Sound, align_room, coloured_noise, in_room, mix_noise, telephone
from step_audio_mini.audio.features import HOP, WINDOW, frame_count, log_mel
from step_audio_mini.data.cache import Cache, to_float
from step_audio_mini.data.packs import Clip
from step_audio_mini.errors import UserError
from step_audio_mini.evaluate.speaker import ATTRIBUTES, Pairs, attributes_of, known, recorded
from step_audio_mini.nn.speaker import SpeakerConfig, SpeakerNet
from step_audio_mini.train.loop import LoopConfig
from step_audio_mini.train.recipes.ears import JUDGED_VOICE, added_sounds
from step_audio_mini.types import Frames, Samples

CROPS = (100, 150, 200, 300)
"""Frames of a crop, drawn for each batch: turns are short."""
BATCH_FRAMES = 19_200
SCALE, MARGIN = 30.0, 0.2
"""Of the angular softmax; the margin ..."""
EASY, RAMP = 300, 600
"""... is 0 for the first steps and then rises over so many."""
NAMELESS = 0.1
"""How often a clip whose speaker is unknown is drawn, against that of a speaker with as much speech."""
LARGEST_WEIGHT = 4.0
"""Of a rare class in an attribute's loss."""
DEV_CLIPS, DEV_FRAMES = 6, 400
"""Clips of a dev speaker that are judged, and frames of each."""


@dataclass(frozen=True)
class SpeakerBatch:
    """Crops of one length. frames (B, T, 80), speakers (B,) class or -1, classes and weights (B, attributes)."""

    ids: tuple[str, ...]
    frames: Tensor
    speakers: Tensor
    classes: Tensor
    weights: Tensor
    margin: float


@dataclass(frozen=True)
class Voice:
    """Clips of one speaker (or one clip of an unknown one), drawn with a weight."""

    clips: Sequence[Clip]
    speaker: int
    """Class of the angular softmax; -1 where unknown."""
    weight: float


def voices_of(cache: Cache) -> tuple[list[Voice], list[str]]:
    """Train voices and the names of the classes. A speaker who is tested in a pack of many voices is left out."""
    held_out = _held_out(cache.clips)
    named: dict[str, list[Clip]] = defaultdict(list)
    nameless: list[Clip] = []
    for clip in cache.clips:
        if clip.split != "train" or clip.lang not in ("en", "zh", "yue") or cache.length(clip) < HOP * CROPS[0] // 2:
            continue
        if not recorded(clip) or clip.speaker in held_out or clip.speaker == JUDGED_VOICE:
            continue
        if known(clip):
            named[clip.speaker].append(clip)
        elif set(attributes_of(clip)) - {"language"}:
            nameless.append(clip)
    names = sorted(name for name, clips in named.items() if len(clips) > 1)
    # the square root: a voice with hours of speech is worth more than one with seconds, but not by as much
    voices = [Voice(named[name], place, _seconds(named[name]) ** 0.5) for place, name in enumerate(names)]
    single = [named[name][0] for name in sorted(named) if len(named[name]) == 1]
    voices += [Voice([clip], -1, NAMELESS * clip.seconds**0.5) for clip in (*single, *nameless)]
    return voices, names


def _held_out(clips: Iterable[Clip]) -> set[str]:
    """Speakers of dev and test splits, without those of packs that have one voice (their prompts are held out)."""
    by_pack: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        by_pack[clip.pack].add(clip.speaker)
    return {c.speaker for c in clips if c.split != "train" and c.speaker and len(by_pack[c.pack]) > 1}


def _seconds(clips: Sequence[Clip]) -> float:
    return sum(clip.seconds for clip in clips)


class Trained(nn.Module):
    """The network and, for training only, a direction for each train speaker."""

    def __init__(self, net: SpeakerNet, speakers: int) -> None:
        super().__init__()
        self.net = net
        self.directions = nn.Parameter(torch.randn(speakers, net.config.embedding))


class SpeakerRecipe:
    """What a step of the speaker network is."""

    name = "speaker"

    def __init__(self, cache: Cache, config: SpeakerConfig, *, batch_frames: int = BATCH_FRAMES, seed: int = 1) -> None:
        self.cache, self.config, self.batch_frames, self.seed = cache, config, batch_frames, seed
        self.voices, self.speakers = voices_of(cache)
        if len(self.speakers) < 2:
            raise UserError("the cache names fewer than two train speakers; run `step-audio prepare` for more packs")
        self.clips = [clip for voice in self.voices for clip in voice.clips]
        weights = np.array([voice.weight for voice in self.voices])
        self._chances = weights / weights.sum()
        self._weights = class_weights(self.voices, self._chances)
        noises, rooms, babble = added_sounds(cache)
        self._noises, self._babble = [n for n in noises if len(n)], [v for v in babble if len(v)]
        self._rooms = [align_room(room) for room in rooms]
        self.dev = dev_clips(cache)

    def build(self) -> nn.Module:
        """A fresh network with its directions."""
        return Trained(SpeakerNet(self.config), len(self.speakers))

    def batch(self, step: int) -> SpeakerBatch:
        """Crops of drawn voices, augmented; pure in (seed, step)."""
        rng = np.random.default_rng((self.seed, step))
        frames = int(rng.choice(CROPS))
        drawn = rng.choice(len(self.voices), max(2, self.batch_frames // frames), p=self._chances)
        picked = [self.voices[place] for place in drawn]
        clips = [voice.clips[rng.integers(len(voice.clips))] for voice in picked]
        crops = [log_mel(self._sound(clip, frames, rng)) for clip in clips]
        labels = [attributes_of(clip) for clip in clips]
        classes = [[class_of(name, label) for name in ATTRIBUTES] for label in labels]
        weights = [
            [self._weights.get((name, label.get(name, ""), clip.lang), 0.0) for name in ATTRIBUTES]
            for label, clip in zip(labels, clips, strict=True)
        ]
        return SpeakerBatch(
            tuple(clip.id for clip in clips),
            torch.from_numpy(np.stack([filled(crop, frames) for crop in crops])),
            torch.tensor([voice.speaker for voice in picked]),
            torch.tensor(classes),
            torch.tensor(weights),
            MARGIN * min(1.0, max(0.0, (step - EASY) / RAMP)),
        )

    def _sound(self, clip: Clip, frames: int, rng: np.random.Generator) -> Samples:
        whole = self.cache.samples(clip)
        need = (frames - 1) * HOP + WINDOW
        first = int(rng.integers(max(1, len(whole) - need + 1)))
        samples = to_float(whole[first : first + need])
        if rng.random() < 0.3 and self._rooms:
            samples = in_room(samples, self._rooms[rng.integers(len(self._rooms))])
        if rng.random() < 0.5:
            samples = self.in_noise(samples, rng.uniform(0, 25), rng)
        if rng.random() < 0.1:
            samples = telephone(samples, rng.uniform(50, 350), rng.uniform(3200, 3900))
        gain = np.float32(10 ** (rng.uniform(-12, 12) / 20))
        return np.asarray(np.clip(samples * gain, -1, 1), np.float32)

    def in_noise(self, samples: Samples, snr: float, rng: np.random.Generator) -> Samples:
        """Samples (n,) in some background of the train split at so many dB."""
        return mix_noise(samples, self._noise(len(samples), rng), snr)

    def _noise(self, count: int, rng: np.random.Generator) -> Samples:
        kind = rng.random()
        sounds = self._babble if kind < 0.2 else self._noises
        if kind > 0.6 or not sounds:
            return coloured_noise(count, rng.uniform(0, 2), rng)
        voices = [excerpt(sounds[rng.integers(len(sounds))], count, rng) for _ in range(3 if kind < 0.2 else 1)]
        return np.asarray(np.sum(voices, axis=0), np.float32)

    def loss(self, model: nn.Module, batch: SpeakerBatch) -> tuple[Tensor, dict[str, float]]:
        """Identity (nats a crop) and the attributes, weighted by class."""
        assert isinstance(model, Trained)
        counts = torch.full(batch.frames.shape[:1], batch.frames.shape[1], device=batch.frames.device)
        embedding, logits = model.net(batch.frames, counts)
        named = batch.speakers >= 0
        cosine = embedding[named] @ nn.functional.normalize(model.directions.float(), dim=-1).T
        identity = nn.functional.cross_entropy(
            angular(cosine, batch.speakers[named], batch.margin), batch.speakers[named]
        )
        told = {"identity": float(identity.detach())}
        total = identity
        for place, name in enumerate(ATTRIBUTES):
            losses = nn.functional.cross_entropy(logits[name], batch.classes[:, place].clamp(min=0), reduction="none")
            weight = batch.weights[:, place]
            part = (losses * weight).sum() / weight.sum().clamp(min=1.0)
            told[name] = float(part.detach())
            total = total + part
        return total, told

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Equal error over pairs within each dev pack (mean first), then the error of each attribute."""
        assert isinstance(model, Trained)
        found = [judge(model.net, self.cache, clip) for clip in self.dev]
        errors: dict[str, float] = {}
        for pack in sorted({clip.pack for clip in self.dev}):
            rows = [row for row, clip in enumerate(self.dev) if clip.pack == pack and known(clip)]
            people = [self.dev[row].speaker for row in rows]
            if len(set(people)) >= 10 and max(Counter(people).values()) > 1:
                errors[f"equal_error_{pack}"] = Pairs.of(
                    np.stack([found[row][0] for row in rows]), people
                ).equal_error()
        shown = {"equal_error": float(np.mean(list(errors.values()))) if errors else 1.0} | errors
        return shown | {name: self._wrong(name, found) for name in ATTRIBUTES}

    def _wrong(self, name: str, found: Sequence[tuple[NDArray[np.float32], Mapping[str, int]]]) -> float:
        """Error of an attribute over the labelled dev clips, mean over its classes."""
        wrong: dict[str, list[bool]] = defaultdict(list)
        for clip, (_, guess) in zip(self.dev, found, strict=True):
            label = attributes_of(clip).get(name)
            if label is not None:
                wrong[label].append(ATTRIBUTES[name][guess[name]] != label)
        return float(np.mean([np.mean(rows) for rows in wrong.values()])) if wrong else 1.0


def class_weights(voices: Sequence[Voice], chances: NDArray[np.float64]) -> dict[tuple[str, str, str], float]:
    """Weight of (attribute, class, language): each language's classes count alike, however rare, up to a limit."""
    share: dict[tuple[str, str, str], float] = defaultdict(float)
    for voice, chance in zip(voices, chances, strict=True):
        for clip in voice.clips:
            for name, label in attributes_of(clip).items():
                share[name, label, clip.lang] += float(chance) / len(voice.clips)
    usual = {name: np.median([s for (n, _, _), s in share.items() if n == name]) for name, _, _ in share}
    return {key: float(min(LARGEST_WEIGHT, usual[key[0]] / part)) for key, part in share.items()}


def angular(cosine: Tensor, speakers: Tensor, margin: float) -> Tensor:
    """Logits (B, S) of cosines (B, S): the own speaker's angle counts as larger by the margin."""
    own = cosine.gather(1, speakers[:, None]).clamp(-1 + 1e-6, 1 - 1e-6)
    harder = torch.cos(torch.clamp(torch.acos(own) + margin, max=torch.pi))
    return SCALE * cosine.scatter(1, speakers[:, None], harder)


def excerpt(sound: Sound, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(count,) of a sound from a random place on, repeated where it is shorter."""
    start = int(rng.integers(max(1, len(sound) - count + 1)))
    return np.resize(to_float(np.asarray(sound[start : start + count])), count)


def filled(frames: Frames, count: int) -> Frames:
    """(count, 80) of frames (t, 80), said again and again: padding would be part of what batch norm learns."""
    return frames[np.arange(count) % len(frames)]


def class_of(name: str, label: Mapping[str, str]) -> int:
    """Class of an attribute; -1 where it is not labelled."""
    return ATTRIBUTES[name].index(label[name]) if name in label else -1


def dev_clips(cache: Cache) -> list[Clip]:
    """Some clips of every dev speaker."""
    taken: Counter[tuple[str, str]] = Counter()
    out = []
    for clip in cache.clips:
        if clip.split == "dev" and clip.lang in ("en", "zh") and known(clip) and frame_count(cache.length(clip)) >= 50:
            taken[clip.pack, clip.speaker] += 1
            if taken[clip.pack, clip.speaker] <= DEV_CLIPS:
                out.append(clip)
    return out


def judge(net: SpeakerNet, cache: Cache, clip: Clip) -> tuple[NDArray[np.float32], dict[str, int]]:
    """Embedding (E,) and likeliest class of each attribute of a clip's first seconds."""
    frames = torch.from_numpy(log_mel(to_float(cache.samples(clip)))[:DEV_FRAMES])
    embedding, logits = net(frames[None], torch.tensor([len(frames)]))
    return embedding[0].numpy(), {name: int(row[0].argmax()) for name, row in logits.items()}


@dataclass(frozen=True)
class Options:
    """What can be set of the speaker network beside the loop."""

    size: int = 192
    """Width of the network, a multiple of 8."""
    batch_frames: int = BATCH_FRAMES
    """Feature frames of a batch."""


LOOP = LoopConfig(steps=4_000, rate=2e-3, warmup=200, decay=0.5, ema=0.995, evaluate_every=250, clip=5.0)


def make(data: Path, options: Options) -> SpeakerRecipe:
    """The recipe over a cache folder."""
    config = SpeakerConfig(dimension=options.size, attributes=ATTRIBUTES)
    return SpeakerRecipe(Cache.open(data), config, batch_frames=options.batch_frames)
