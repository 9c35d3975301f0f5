"""The acoustic model from a training run to a part of the weights: one graph from phones to mel and F0."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from step_audio_mini.data.packs import Clip
from step_audio_mini.runtime.manifest import Weights
from step_audio_mini.speak.frontend import ENDS, SYMBOLS, TONES
from step_audio_mini.speak.model import Acoustic
from step_audio_mini.speak.speaker import PART
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
from step_audio_mini.train.recipes.voice import VoiceRecipe
from step_audio_mini.train.voicedata import SOURCES

INPUTS = ("phones", "tones", "marks", "ends", "voice", "speed")
OUTPUTS = ("mel", "f0", "durations")


def acoustic_graph(model: Acoustic) -> bytes:
    """Float graph; clauses, phones and frames are free axes. Its facts name alphabets and voices."""
    free = {name: {0: "clauses"} for name in (*INPUTS, *OUTPUTS)}
    for name in ("phones", "tones", "marks", "ends", "durations"):
        free[name] |= {1: "symbols"}
    for name in ("mel", "f0"):
        free[name] |= {1: "frames"}
    languages = {source.name: source.language for source in SOURCES}
    facts = {
        "part": PART,
        "symbols": list(SYMBOLS),
        "tones": list(TONES),
        "ends": list(ENDS),
        "voices": [{"name": name, "language": languages[name]} for name in model.config.voices],
    }
    ids = torch.ones(2, 7, dtype=torch.int64)
    example = (ids, ids, ids, ids, torch.zeros(2, dtype=torch.int64), torch.ones(2))
    return export_graph(model, example, Signature(INPUTS, OUTPUTS, free), facts)


def sharpen(model: Acoustic, recipe: VoiceRecipe, clips: int = 60) -> None:
    """Give the model back half of the variance that it lost, measured on training clips with natural durations.

    A mean of many readings is smoother than each (Toda & Tokuda, "global variance", 2007). All of it would be harsh.
    """
    middles, contrasts = [], []
    for voice in model.config.voices:
        natural, made = recipe.natural_and_made(model, voice, clips)
        middles.append(made.mean(0))
        contrasts.append((1 + (natural.std(0) / made.std(0).clamp(min=1e-3)).clamp(1.0, 1.6)) / 2)
    model.sharpen(torch.stack(middles), torch.stack(contrasts))


def export_voice(recipe: VoiceRecipe, run: Path, folder: Path, clips: Sequence[Clip], command: str) -> Weights:
    """Put the averaged weights of a run into a folder of weights; `clips` are all that the cache knows."""
    model = recipe.build()
    assert isinstance(model, Acoustic)
    load_averaged(model, run)
    sharpen(model.eval(), recipe)
    heard = recipe.trained_ids
    training = provenance((clip for clip in clips if (clip.speaker, clip.id) in heard), clips, command)
    content = half_storage(acoustic_graph(model))
    return add_part(
        folder, PART, content, parameters=parameter_count(model), training=training, quality=dev_figures(run)
    )
