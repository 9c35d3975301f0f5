"""Vocoder from checkpoint to graph: one streaming step, with the facts its runtime needs."""

from __future__ import annotations

from pathlib import Path

import torch

from step_audio_mini.audio.features import HOP, MELS
from step_audio_mini.audio.spectrum import BINS, SPAN
from step_audio_mini.nn.vocoder import PITCH, SOURCES, Vocoder, VocoderStep
from step_audio_mini.runtime.manifest import Weights
from step_audio_mini.speak.vocoder import PART
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
from step_audio_mini.train.recipes.vocoder import VocoderRecipe


def vocoder_graph(vocoder: Vocoder) -> bytes:
    """Float graph of one streaming step; streams and frames are free axes."""
    names = VocoderStep.STATE
    inputs = ["mel", "pitch", "source", *(f"in_cache_{name}" for name in names)]
    outputs = ["spectrum", *(f"out_cache_{name}" for name in names)]
    free = {name: {0: "streams"} for name in (*inputs, *outputs)}
    for name in ("mel", "pitch", "source", "spectrum"):
        free[name] |= {1: "frames"}
    facts = {"part": PART, "ahead": vocoder.config.ahead, "hop": HOP, "span": SPAN, "sample_rate": 16_000}
    state = vocoder.init_state(2)
    example = (
        torch.zeros(2, 16, MELS),
        torch.zeros(2, 16, PITCH),
        torch.zeros(2, 16, SOURCES, BINS, 2),
        *(state[name] for name in names),
    )
    return export_graph(VocoderStep(vocoder), example, Signature(inputs, outputs, free), facts)


def export_vocoder(recipe: VocoderRecipe, run: Path, folder: Path, command: str) -> Weights:
    """Put the averaged weights of a run into a folder of weights."""
    model = recipe.build()
    assert isinstance(model, Vocoder)
    load_averaged(model, run)
    training = provenance(recipe.trained, recipe.cached, command)
    content = half_storage(vocoder_graph(model))
    return add_part(
        folder, PART, content, parameters=parameter_count(model), training=training, quality=dev_figures(run)
    )
