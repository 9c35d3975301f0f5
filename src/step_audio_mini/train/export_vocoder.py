"""Vocoder from checkpoint to graph: one streaming step, with the facts its runtime needs."""

from __future__ import annotations

import torch

from step_audio_mini.audio.features import HOP, MELS
from step_audio_mini.audio.spectrum import BINS, SPAN
from step_audio_mini.nn.vocoder import PITCH, SOURCES, Vocoder, VocoderStep
from step_audio_mini.train.export import Signature, export_graph


def vocoder_graph(vocoder: Vocoder) -> bytes:
    """Float graph of one streaming step; streams and frames are free axes."""
    names = VocoderStep.STATE
    inputs = ["mel", "pitch", "source", *(f"in_cache_{name}" for name in names)]
    outputs = ["spectrum", *(f"out_cache_{name}" for name in names)]
    free = {name: {0: "streams"} for name in (*inputs, *outputs)}
    for name in ("mel", "pitch", "source", "spectrum"):
        free[name] |= {1: "frames"}
    facts = {"part": "vocoder", "ahead": vocoder.config.ahead, "hop": HOP, "span": SPAN, "sample_rate": 16_000}
    state = vocoder.init_state(2)
    example = (
        torch.zeros(2, 16, MELS),
        torch.zeros(2, 16, PITCH),
        torch.zeros(2, 16, SOURCES, BINS, 2),
        *(state[name] for name in names),
    )
    return export_graph(VocoderStep(vocoder), example, Signature(inputs, outputs, free), facts)
