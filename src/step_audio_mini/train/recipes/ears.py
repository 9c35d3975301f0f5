"""Recipe of the ears: CTC over phones on real speech, clean speakers first, then everything with augmentation.

All-blank is the first thing CTC learns, and with many noisy speakers at once it stays there; a few clean speakers
lead it out. So the run has stages: `clean` (few speakers, nothing added), then `all` (every pack, augmented).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from step_audio_mini.audio.augment import Augmenter, Sound, spec_augment, warp_mel
from step_audio_mini.audio.features import frame_count, log_mel
from step_audio_mini.data.buckets import Buckets
from step_audio_mini.data.cache import Cache, to_float
from step_audio_mini.data.packs import Clip
from step_audio_mini.errors import UserError
from step_audio_mini.listen.model import STRIDE, Ears, EarsConfig
from step_audio_mini.text.letters import LetterToSound
from step_audio_mini.text.lexicon import Lexicon, transcript_units
from step_audio_mini.text.phones import UNITS
from step_audio_mini.train.export import load_averaged
from step_audio_mini.train.loop import LoopConfig
from step_audio_mini.train.orders import read_transcripts

CLEAN_PACKS = ("kathleen", "aishell_sample", "libri")
"""Few speakers, good microphones: what leads off the all-blank plateau."""
JUDGED_VOICE = "cvf0252fe7cd27"
"""The Mandarin voice's speaker: never trained on, because these ears judge that voice."""
CHUNKS = (4, 8, 16, 10_000)
"""Encoder frames of context a chunk, drawn for each batch: 160, 320, 640 ms and the whole clip."""
SILENCE = -4.65
"""A normalised frame of digital silence, for padding."""
WARP = 0.2
"""Most that the frequency axis is stretched: hardly any Mandarin here is said by women, and none by children."""
MIDDLE_WEIGHT = 0.3
LONGEST_FRAMES = 2000
"""Longest clip, 20 s: readers of books speak sentences of up to 17 s."""


@dataclass(frozen=True)
class EarsBatch:
    """Clips of similar length. frames (B, T, 80); targets (sum,) unit indices; lengths in encoder frames and units."""

    ids: tuple[str, ...]
    frames: Tensor
    frame_counts: Tensor
    targets: Tensor
    target_counts: Tensor
    chunk: int


@dataclass(frozen=True)
class Stage:
    """Which speech a stretch of the run hears."""

    packs: tuple[str, ...]
    batch_frames: int
    """Feature frames of a batch, padding included."""
    strength: float
    """Of the augmentation, 0...1, reached ..."""
    ramp: int
    """... after so many steps."""
    temperature: float
    """Packs are drawn in proportion to their hours to this power: 1 is every clip once an epoch."""
    share: float = 1.0
    """Of the clips, 0...1: for a learning curve over hours."""


@dataclass(frozen=True)
class Labelled:
    """A clip with its target units."""

    clip: Clip
    targets: tuple[int, ...]


def labelled(
    cache: Cache, lexicon: Lexicon, split: str, found: Mapping[tuple[str, str], str] | None = None
) -> list[Labelled]:
    """Clips of a split that the ears can learn from: pronounceable, 0.5...20 s, fewer units than encoder frames.

    `found` gives words to clips, by pack and id, that come without.
    """
    out = []
    for clip in cache.clips:
        text = clip.text or (found or {}).get((clip.pack, clip.id), "")
        if clip.split != split or not text or clip.speaker == JUDGED_VOICE or clip.lang == "yue":
            continue
        frames = cache.length(clip) / 640
        targets = transcript_units(text, clip.pinyin or None, lexicon)
        # a repeated unit needs a blank between: count it as two
        if targets and 12.5 <= frames <= LONGEST_FRAMES / STRIDE and _least_frames(targets) < 0.9 * frames:
            out.append(Labelled(clip, targets))
    return out


def added_sounds(cache: Cache) -> tuple[list[Sound], list[Sound], list[Sound]]:
    """Noises, room responses and babble voices of the train split."""
    train = [clip for clip in cache.clips if clip.split == "train"]
    noises: list[Sound] = [cache.samples(clip) for clip in train if "noise_type" in clip.labels]
    rooms: list[Sound] = [cache.samples(clip) for clip in train if clip.labels.get("label") == "rir"]
    voices: list[Sound] = [cache.samples(clip) for clip in train if clip.pack in ("cv_zh", "libri_mini")]
    return noises, rooms, voices


def part_of(items: Sequence[Labelled], share: float) -> list[Labelled]:
    """A share of the clips of each pack, by the hash of an id; a smaller share lies inside every larger one."""
    return [item for item in items if zlib.crc32(f"{item.clip.pack}/{item.clip.id}".encode()) < share * 2**32]


def _least_frames(targets: Sequence[int]) -> int:
    return len(targets) + sum(a == b for a, b in pairwise(targets))


class EarsRecipe:
    """What a step of the ears is."""

    name = "ears"

    def __init__(
        self,
        cache: Cache,
        lexicon: Lexicon,
        stage: Stage,
        *,
        letters: LetterToSound | None = None,
        found: Mapping[tuple[str, str], str] | None = None,
        consistency: float = 0.0,
        size: int = 192,
        seed: int = 1,
    ) -> None:
        """`letters` guess how words that the lexicon lacks are spoken; dev clips with such words are left out.

        `found` are words of train clips that have no transcript, by pack and id (`train.orders`). With a weight of
        `consistency` every clip is shown twice, masked differently.
        """
        self.cache, self.stage, self.consistency, self.size, self.seed = cache, stage, consistency, size, seed
        self.lexicon = lexicon
        spoken = lexicon.merged(Lexicon({}, letters)) if letters else lexicon
        heard = [item for item in labelled(cache, spoken, "train", found) if item.clip.pack in stage.packs]
        self.clips = part_of(heard, stage.share)
        if not self.clips:
            raise UserError(f"the cache holds no labelled clip of {', '.join(stage.packs)}; run `step-audio prepare`")
        self.dev = labelled(cache, lexicon, "dev")
        lengths = [frame_count(cache.length(item.clip)) for item in self.clips]
        packs = [item.clip.pack for item in self.clips]
        budget = stage.batch_frames // (2 if consistency else 1)
        self.buckets = Buckets(lengths, packs, budget, longest=LONGEST_FRAMES, temperature=stage.temperature, seed=seed)
        self.augment = Augmenter(*added_sounds(cache))

    def build(self) -> nn.Module:
        """Ears of the chosen width."""
        return Ears(EarsConfig.of_size(len(UNITS), self.size))

    def batch(self, step: int) -> EarsBatch:
        """Clips of one bucket, augmented; pure in (seed, step)."""
        rng = np.random.default_rng((self.seed, step))
        strength = self.stage.strength * min(1.0, step / max(1, self.stage.ramp))
        picked = [self.clips[i] for i in self.buckets.batch(step)]
        heard = [(item, self._frames(item.clip, rng, strength)) for item in picked]
        views = [
            (item, spec_augment(frames, rng, strength))
            for _ in range(2 if self.consistency else 1)
            for item, frames in heard
        ]
        return collate(views, int(rng.choice(CHUNKS)))

    def _frames(self, clip: Clip, rng: np.random.Generator, strength: float) -> NDArray[np.float32]:
        samples = to_float(self.cache.samples(clip))
        if strength == 0:
            return log_mel(samples)
        return warp_mel(log_mel(self.augment(samples, rng, strength)), 1 + WARP * strength * rng.uniform(-1, 1))

    def loss(self, model: nn.Module, batch: EarsBatch) -> tuple[Tensor, dict[str, float]]:
        """Nats a target unit: CTC of the head and, weighted, of the middle head and of what two views disagree in."""
        logits, middle, _ = model(batch.frames, batch.chunk)
        total = batch.target_counts.sum()
        final = ctc(logits, batch) / total
        half = ctc(middle, batch) / total
        blank = float((logits.detach().argmax(-1) == 0).float().mean())
        told = {"ctc": float(final.detach()), "blank": blank}
        loss = final + MIDDLE_WEIGHT * half
        if self.consistency:
            apart = disagreement(logits, batch.frame_counts) / total
            loss, told["apart"] = loss + self.consistency * apart, float(apart.detach())
        return loss, told

    def listener(self, run: Path) -> Callable[[Clip], Tensor]:
        """The ears of a run as a function from a clip to log-posteriors (T, V), with the whole clip as context."""
        model = self.build()
        load_averaged(model, run)
        model.eval()

        def hear(clip: Clip) -> Tensor:
            frames = padded(log_mel(to_float(self.cache.samples(clip))))
            with torch.no_grad():
                logits: Tensor = model(torch.from_numpy(frames)[None], CHUNKS[-1])[0][0]
            return logits.log_softmax(-1)

        return hear

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Greedy unit error at 320 ms chunks: mean over packs first, then each pack of the dev split."""
        errors: dict[str, list[tuple[int, int]]] = {}
        for item in self.dev:
            rows = errors.setdefault(item.clip.pack, [])
            if len(rows) < 40:
                frames = log_mel(to_float(self.cache.samples(item.clip)))
                rows.append((edits(greedy(model, frames), item.targets), len(item.targets)))
        shown = {pack: sum(e for e, _ in rows) / sum(n for _, n in rows) for pack, rows in errors.items()}
        return {"error": float(np.mean(list(shown.values())))} | {f"error_{pack}": e for pack, e in shown.items()}


def collate(items: Sequence[tuple[Labelled, NDArray[np.float32]]], chunk: int) -> EarsBatch:
    """Pad frames to the longest clip (a multiple of the stride)."""
    longest = max(-(-len(frames) // STRIDE) * STRIDE for _, frames in items)
    filled = np.full((len(items), longest, 80), SILENCE, np.float32)
    for row, (_, frames) in enumerate(items):
        filled[row, : len(frames)] = frames
    return EarsBatch(
        ids=tuple(item.clip.id for item, _ in items),
        frames=torch.from_numpy(filled),
        frame_counts=torch.tensor([-(-len(frames) // STRIDE) for _, frames in items]),
        targets=torch.tensor([unit for item, _ in items for unit in item.targets]),
        target_counts=torch.tensor([len(item.targets) for item, _ in items]),
        chunk=chunk,
    )


def ctc(logits: Tensor, batch: EarsBatch) -> Tensor:
    """Summed CTC loss in float32; clips too short for their units (sped up) count nothing."""
    posteriors = logits.float().log_softmax(-1).transpose(0, 1)  # (T, B, V)
    return nn.functional.ctc_loss(
        posteriors, batch.targets, batch.frame_counts, batch.target_counts, reduction="sum", zero_infinity=True
    )


def disagreement(logits: Tensor, frame_counts: Tensor) -> Tensor:
    """Summed divergence of the posteriors of two views, each the other's fixed target. logits (2 B, T, V).

    Consistency-regularised CTC (Yao et al., 2024).
    """
    posteriors = logits.float().log_softmax(-1)
    here = torch.arange(logits.shape[1], device=logits.device)[None, :] < frame_counts[:, None]
    other = posteriors.detach().roll(len(posteriors) // 2, 0)  # views lie in halves of the batch
    return nn.functional.kl_div(posteriors[here], other[here], reduction="sum", log_target=True)


def padded(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Frames (T, 80) with silence up to a multiple of the stride."""
    return np.pad(frames, ((0, -len(frames) % STRIDE), (0, 0)), constant_values=SILENCE)


def greedy(model: nn.Module, frames: NDArray[np.float32], chunk: int = 8) -> list[int]:
    """Best unit a frame, repeats and blanks dropped. frames (T, 80)."""
    best = model(torch.from_numpy(padded(frames))[None], chunk)[0].argmax(-1)[0].tolist()
    return [unit for before, unit in zip([0, *best], best, strict=False) if unit not in (0, before)]


def edits(said: Sequence[int], meant: Sequence[int]) -> int:
    """Levenshtein distance."""
    row = list(range(len(meant) + 1))
    for i, a in enumerate(said, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(meant, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]


STAGES = ("clean", "all")


def stage_of(name: str, cache: Cache) -> Stage:
    """The stage of a name."""
    if name == "clean":
        return Stage(CLEAN_PACKS, 4_000, strength=0.0, ramp=1, temperature=0.5)
    if name == "all":
        packs = tuple(sorted({clip.pack for clip in cache.clips}))
        # at 0.5 half of the time went to words and wake words that are heard rightly long since
        return Stage(packs, 10_000, strength=0.6, ramp=2_000, temperature=1.0)
    raise UserError(f"unknown stage '{name}'; use {' or '.join(STAGES)}")


@dataclass(frozen=True)
class Options:
    """What can be set of the ears beside the loop."""

    stage: str = "all"
    """`clean` first (some 1,300 steps), then `all`, started from it."""
    size: int = 192
    """Width of the encoder, a multiple of 64: the one dial."""
    transcripts: str = ""
    """Words found for clips that have none, a file of `step-audio export transcripts`."""
    share: float = 1.0
    """Of the clips of each pack that are learnt from: 0.25, 0.5 and 1 make a learning curve."""
    consistency: float = 0.0
    """Weight of consistency-regularised CTC (0.2 in the paper): half as many clips a step, each in two views."""
    lexicon: str = ""
    """English pronunciations, a file of word TAB phones."""
    letters: str = ""
    """Letter-to-sound, `letters.zip` of `step-audio export words`; without it unlisted words drop their clips."""


LOOP = LoopConfig(steps=40_000, rate=1e-3, warmup=300, clip=2.0, ema=0.998)


def make(data: Path, options: Options) -> EarsRecipe:
    """The recipe over a cache folder."""
    cache = Cache.open(data)
    lexicon = Lexicon.load(Path(options.lexicon))
    letters = LetterToSound.load(Path(options.letters)) if options.letters else None
    stage = replace(stage_of(options.stage, cache), share=options.share)
    found = read_transcripts(Path(options.transcripts)) if options.transcripts else None
    return EarsRecipe(
        cache, lexicon, stage, letters=letters, found=found, consistency=options.consistency, size=options.size
    )
