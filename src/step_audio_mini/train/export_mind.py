"""The mind from checkpoint to graphs: encoder and decoder with facts that their loader checks, in half precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from step_audio_mini.runtime.manifest import Weights
from step_audio_mini.think.alphabet import SYMBOLS
from step_audio_mini.think.hints import FAMILIARITY
from step_audio_mini.think.model import Memory, MindNet
from step_audio_mini.train.export import Signature, add_part, export_graph, half_storage, parameter_count

ENCODER_INPUTS = (
    "pieces",
    "symbols",
    "items",
    "segments",
    "confidences",
    "languages",
    "spots",
    "descriptions",
    "vectors",
    "snr",
    "hints",
    "familiar",
)
MADE = ("candidates", "keys", "words", "sound", "gate", "prior")
MEMORY = (*MADE, "links")


class EncoderGraph(nn.Module):
    """`MindNet.encode` with tensors in a fixed order, batch of one."""

    def __init__(self, net: MindNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Inputs as ENCODER_INPUTS, outputs as MADE."""
        named = dict(zip(ENCODER_INPUTS, inputs, strict=True))
        memory = self.net.encode(named | {"links": inputs[0]})  # which only the decoder reads
        return tuple(getattr(memory, name) for name in MADE)


class DecoderGraph(nn.Module):
    """`MindNet.decode` with its memory as tensors."""

    def __init__(self, net: MindNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, previous: Tensor, roles: Tensor, cache: Tensor, *memory: Tensor) -> tuple[Tensor, Tensor]:
        """previous, roles: (1, Q); cache: (L, 2, 1, P, D); memory as MEMORY."""
        return self.net.decode(Memory(*memory), previous, roles, cache)


def mind_graphs(net: MindNet) -> tuple[bytes, bytes]:
    """Float graphs of the encoder and the decoder; lengths, slots and items are free axes."""
    facts = {"part": "mind", "symbols": list(SYMBOLS), **net.config.facts()}
    example = _example(net)
    free: dict[str, dict[int, str]] = {name: {1: "length"} for name in ENCODER_INPUTS[:6]}
    free |= {"spots": {2: "length", 3: "slots"}, "descriptions": {0: "items", 1: "described"}, "vectors": {1: "peaks"}}
    free["hints"] = {1: "known"}
    shapes = {name: {1: "candidates"} for name in ("candidates", "keys", "prior")}
    shapes |= {"links": {1: "candidates", 2: "candidates"}, "words": {3: "length"}, "sound": {3: "peaks"}}
    encoder = export_graph(EncoderGraph(net), example, Signature(ENCODER_INPUTS, MADE, free | shapes), facts)
    with torch.no_grad():
        made = EncoderGraph(net)(*example)
        size = made[0].shape[1]
        memory = (*made, torch.zeros(1, size, size))
    steps = torch.zeros(1, 2, dtype=torch.long)
    names = ("previous", "roles", "in_cache_own", *MEMORY)
    grown = {"scores": {1: "steps", 2: "candidates"}, "out_cache_own": {3: "written"}}
    free = {"previous": {1: "steps"}, "roles": {1: "steps"}, "in_cache_own": {3: "past"}} | shapes | grown
    cache = torch.zeros(net.config.decoder_layers, 2, 1, 3, net.config.width)
    signature = Signature(names, ("scores", "out_cache_own"), free)
    return encoder, export_graph(DecoderGraph(net), (steps, steps, cache, *memory), signature, facts)


def _example(net: MindNet) -> tuple[Tensor, ...]:
    numbers = [torch.ones(1, 7, dtype=torch.long) for _ in ENCODER_INPUTS[:6]]
    numbers[2] = torch.zeros(1, 7, dtype=torch.long)
    return (
        *numbers, torch.zeros(1, 2, 7, 3), torch.ones(5, 4, dtype=torch.long), torch.zeros(1, 2, net.config.ears),
        torch.zeros(1, 2), torch.zeros(1, len(SYMBOLS) + 5), torch.zeros(1, FAMILIARITY),
    )  # fmt: skip


TEXTS: Mapping[str, Mapping[str, str]] = {
    "lm_text": {
        "licence": "CC0-1.0; lines of Universal Dependencies CC BY-SA 4.0",
        "use": "sentences nobody commands with",
    },
    "msbot": {"licence": "MIT", "use": "chit-chat; requests and repair acts, Mandarin and English"},
    "clinc150": {"licence": "CC BY 3.0", "use": "requests and repair acts, English"},
    "hwu64": {"licence": "CC BY 4.0", "use": "requests and repair acts, English"},
    "snips": {"licence": "CC0-1.0", "use": "requests to other services, English"},
    "banking77": {"licence": "CC BY 4.0", "use": "requests to other services, English"},
    "crosswoz, kdconv": {"licence": "Apache-2.0", "use": "talk that asks for nothing, Mandarin"},
    "smalltalk": {"licence": "BSD-3-Clause; MIT", "use": "talk that asks for nothing, both"},
    "lex_en, lex_zh": {"licence": "BSD-2-Clause; MIT; CC BY-SA 4.0", "use": "what sounds alike"},
}
"""Text packs that the recipe `mind` reads, with their licences, for the manifest."""


def mind_training(command: str, packs: Sequence[str]) -> dict[str, Any]:
    """The `training` field of the mind's parts."""
    return {"command": command, "hours": 0.0, "packs": {}, "scenario_packs": list(packs), "texts": dict(TEXTS)}


def shut_gate(net: MindNet) -> None:
    """Never listen to the ears' vectors: for a network that learnt from words alone, whose gate means nothing."""
    last = net.gate[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.weight.zero_()
        last.bias.fill_(-30.0)


def add_mind(folder: Path, net: MindNet, pieces: bytes, about: Mapping[str, Any]) -> Weights:
    """Put the mind's three parts into a folder of weights; `about`: training and quality of the manifest."""
    encoder, decoder = mind_graphs(net)
    shared = sum(p.numel() for p in net.decoder.parameters())
    counts = {"mind_encoder": parameter_count(net) - shared, "mind_decoder": shared}
    for name, graph in (("mind_encoder", encoder), ("mind_decoder", decoder)):
        add_part(folder, name, half_storage(graph), parameters=counts[name], facts=net.config.facts(), **about)
    return add_part(folder, "mind_pieces", pieces, suffix="model", training=about.get("training", {}))
