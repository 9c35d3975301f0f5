"""The speaker network from a training run to a part of the weights: chances that dev speakers bear out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from step_audio_mini.audio.features import MELS, log_mel
from step_audio_mini.data.cache import to_float
from step_audio_mini.data.packs import Clip
from step_audio_mini.evaluate.speaker import attributes_of
from step_audio_mini.listen.speaker_attributes import PART, SHORTEST, spoken
from step_audio_mini.nn.speaker import SpeakerNet
from step_audio_mini.runtime.manifest import Weights
from step_audio_mini.train.export import (
    Signature,
    add_part,
    dev_figures,
    export_graph,
    half_storage,
    load_averaged,
    parameter_count,
)
from step_audio_mini.train.provenance import provenance
from step_audio_mini.train.recipes.speaker import SpeakerRecipe, Trained, class_of

TEMPERATURES = np.geomspace(0.5, 8.0, 60)
"""What is tried: logits are divided by it."""


class SpeakerStep(nn.Module):
    """The network with chances instead of logits: what is exported."""

    def __init__(self, net: SpeakerNet, temperatures: Mapping[str, float]) -> None:
        super().__init__()
        self.net, self.temperatures = net, dict(temperatures)

    def forward(self, frames: Tensor, counts: Tensor) -> tuple[Tensor, ...]:
        """Frames (B, T, 80) and counts (B,) -> embedding (B, E), chances (B, C) of each attribute in its order."""
        embedding, logits = self.net(frames, counts)
        names = self.net.config.attributes
        return embedding, *(torch.softmax(logits[name] / self.temperatures[name], -1) for name in names)


def speaker_graph(net: SpeakerNet, temperatures: Mapping[str, float]) -> bytes:
    """Float graph; turns and frames are free axes."""
    classes = net.config.attributes
    outputs = ["embedding", *classes]
    free = {name: {0: "turns"} for name in ("frames", "counts", *outputs)}
    free["frames"] |= {1: "frames"}
    facts = {"part": PART, "attributes": {name: list(names) for name, names in classes.items()}}
    example = (torch.zeros(2, 101, MELS), torch.tensor([101, 80]))
    step = SpeakerStep(net, temperatures)
    return export_graph(step, example, Signature(("frames", "counts"), outputs, free), facts)


def fitted_temperatures(net: SpeakerNet, recipe: SpeakerRecipe) -> dict[str, float]:
    """Temperature of each attribute (Guo et al., 2017) on dev clips, each clean and at 10 dB; classes count alike."""
    rows: dict[str, list[tuple[str, Tensor]]] = {name: [] for name in net.config.attributes}
    for number, clip in enumerate(recipe.dev):
        samples = to_float(recipe.cache.samples(clip))
        for sound in (samples, recipe.in_noise(samples, 10.0, np.random.default_rng(number))):
            frames = torch.from_numpy(spoken(log_mel(sound)))
            if len(frames) >= SHORTEST:
                _add(rows, clip, net(frames[None], torch.tensor([len(frames)]))[1])
    return {name: _temperature(name, found) for name, found in rows.items()}


def _add(rows: dict[str, list[tuple[str, Tensor]]], clip: Clip, logits: Mapping[str, Tensor]) -> None:
    label = attributes_of(clip)
    for name, found in rows.items():
        if name in label:
            found.append((label[name], logits[name][0]))


def _temperature(name: str, rows: list[tuple[str, Tensor]]) -> float:
    if not rows:
        return 1.0
    logits = torch.stack([row for _, row in rows])
    target = torch.tensor([class_of(name, {name: label}) for label, _ in rows])
    weight = 1.0 / target.bincount(minlength=logits.shape[1]).clamp(min=1)
    losses = [float(nn.functional.cross_entropy(logits / t, target, weight)) for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


def export_speaker(recipe: SpeakerRecipe, run: Path, folder: Path, command: str) -> Weights:
    """Put the averaged weights of a run into a folder of weights."""
    model = recipe.build()
    assert isinstance(model, Trained)
    load_averaged(model, run)
    model.eval()
    with torch.no_grad():
        temperatures = fitted_temperatures(model.net, recipe)
    content = half_storage(speaker_graph(model.net, temperatures))
    training = provenance(recipe.clips, recipe.cache.clips, command)
    return add_part(
        folder,
        PART,
        content,
        parameters=parameter_count(model.net),
        facts={"temperatures": {name: round(value, 3) for name, value in temperatures.items()}},
        training=training,
        quality=dev_figures(run),
    )
