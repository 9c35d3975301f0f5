"""Log-mel frames as the acoustic model gives them for clips whose sound is known: the vocoder learns from them too.

Durations and prosody are the natural ones, so the frames stay in time with the sound; what they lose is the detail that
the acoustic model averages away.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from step_audio_mini.audio.features import MELS
from step_audio_mini.errors import UserError
from step_audio_mini.speak.model import Acoustic, Natural, Text
from step_audio_mini.train.export import load_averaged
from step_audio_mini.train.export_voice import sharpen
from step_audio_mini.train.recipes.voice import VoiceRecipe
from step_audio_mini.train.voicedata import Item, VoiceData
from step_audio_mini.types import Frames, Samples

FILE = "own-mel.f16"
"""Frames of all items one after the other, where `f0.f32` has their F0; zeros for items not trained on."""
TOGETHER = 8
"""Items rendered at once."""


class OwnMels:
    """The written frames beside the prepared voices."""

    def __init__(self, voices: Path, shortest: int) -> None:
        """Items of at least `shortest` frames are drawn."""
        self._data = VoiceData(voices)
        total = (voices / "f0.f32").stat().st_size // 4
        path = voices / FILE
        if not path.exists() or path.stat().st_size != 2 * MELS * total:
            raise UserError(f"{path} is missing or belongs to other voices; write it again with the trained voice")
        self._mel = np.memmap(path, np.float16, "r", shape=(total, MELS))
        self._items = [item for item in self._data.items if item.split == "train" and item.frames >= shortest]
        self._ends = np.cumsum([item.frames for item in self._items])

    def draw(self, random: np.random.Generator) -> Item:
        """An item, in proportion to its length."""
        return self._items[int(np.searchsorted(self._ends, random.integers(self._ends[-1]), "right"))]

    def read(self, item: Item) -> tuple[Samples, NDArray[np.float32], Frames]:
        """Sound (160 T + 240,), F0 (T,) in Hz and frames (T, 80) of an item."""
        frames = self._mel[item.frame : item.frame + item.frames].astype(np.float32)
        return self._data.samples(item), self._data.f0(item), frames


def write_own_mels(recipe: VoiceRecipe, run: Path, voices: Path) -> None:
    """Render the training items of prepared voices by the averaged weights of a run of the voice recipe."""
    model = recipe.build()
    assert isinstance(model, Acoustic)
    load_averaged(model, run)
    sharpen(model.eval(), recipe)
    items = sorted((i for i in VoiceData(voices).items if i.split == "train"), key=lambda item: item.frames)
    total = (voices / "f0.f32").stat().st_size // 4
    beside = voices / f"{FILE}.part"
    out = np.memmap(beside, np.float16, "w+", shape=(total, MELS))
    for first in range(0, len(items), TOGETHER):
        some = items[first : first + TOGETHER]
        batch = recipe.collate(some)
        mel = rendered(model, batch.text, batch.natural)
        for row, item in enumerate(some):
            out[item.frame : item.frame + item.frames] = mel[row, : item.frames]
    out.flush()
    beside.replace(voices / FILE)


@torch.no_grad()
def rendered(model: Acoustic, text: Text, natural: Natural) -> Frames:
    """Mel (B, T, 80) for natural durations and prosody, as sharp as in use."""
    pairs, mask = model.expand(model.plan(text)[0], natural.durations)
    voiced = natural.prosody[..., 1:2]
    given = torch.cat([natural.prosody[..., :1] * voiced, voiced, natural.prosody[..., 2:]], -1)
    mel, middle = model.render(pairs, mask, given), model.middle[text.voice][:, None]
    return np.asarray((middle + (mel - middle) * model.contrast[text.voice][:, None]).numpy(), np.float32)
