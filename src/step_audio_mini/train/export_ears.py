"""Ears from a training run to a part of the weights: float graph, INT8 matrices, the facts a recogniser needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from step_audio_mini.listen.model import MELS, STRIDE, Ears, EarsStep
from step_audio_mini.runtime.manifest import Weights
from step_audio_mini.text.phones import UNITS
from step_audio_mini.train.export import (
    Signature,
    add_part,
    dev_figures,
    export_graph,
    float_activations,
    half_storage,
    load_averaged,
    parameter_count,
    quantise,
)
from step_audio_mini.train.provenance import provenance
from step_audio_mini.train.recipes.ears import EarsRecipe

STORAGE: Mapping[str, Callable[[bytes], bytes]] = {
    "float": bytes,
    "half": half_storage,
    "int8": lambda graph: half_storage(quantise(graph)),
    "int8-weights": lambda graph: float_activations(half_storage(quantise(graph))),
}
"""How the matrices are stored: what dev error each costs is measured before one is chosen."""


def ears_graph(ears: Ears, units: Sequence[str]) -> bytes:
    """Float graph of one streaming step; streams and chunk length are free axes."""
    names = EarsStep.STATE
    inputs = ["frames", *(f"in_cache_{name}" for name in names)]
    outputs = ["log_probs", "vectors", *(f"out_cache_{name}" for name in names)]
    free = {name: {0: "streams"} for name in (*inputs, *outputs)}
    free["frames"] |= {1: "frames"}
    free["log_probs"] |= {1: "chunk"}
    free["vectors"] |= {1: "chunk"}
    facts = {
        "part": "ears",
        "units": list(units),
        "dimension": ears.config.dimension,
        "stride": STRIDE,
        "left": ears.config.left,
        "chunk": [4, 8, 16],
    }
    example = (torch.zeros(2, 8 * STRIDE, MELS), *(ears.init_state(2)[name] for name in names))
    return export_graph(EarsStep(ears), example, Signature(inputs, outputs, free), facts)


def export_ears(recipe: EarsRecipe, run: Path, folder: Path, storage: str, command: str) -> Weights:
    """Put the averaged weights of a run into a folder of weights."""
    ears = recipe.build()
    assert isinstance(ears, Ears)
    load_averaged(ears, run)
    training = provenance((item.clip for item in recipe.clips), recipe.cache.clips, command)
    content = STORAGE[storage](ears_graph(ears, UNITS))
    return add_part(
        folder, "ears", content, parameters=parameter_count(ears), training=training, quality=dev_figures(run)
    )
