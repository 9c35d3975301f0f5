"""Ears from checkpoint to graph: float, half-stored or INT8, with the facts a recogniser needs."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from step_audio_mini.listen.model import MELS, STRIDE, Ears, EarsStep
from step_audio_mini.train.export import Signature, export_graph


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
