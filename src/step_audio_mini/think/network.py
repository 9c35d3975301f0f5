"""The mind's two exported graphs as one network: encoder once a turn, decoder once a choice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.errors import UserError
from step_audio_mini.runtime.manifest import Weights
from step_audio_mini.runtime.session import Graph
from step_audio_mini.think.alphabet import SYMBOLS
from step_audio_mini.think.reading import SentencePieces

Array = NDArray[Any]


class ExportedNet:
    """`mind_encoder` and `mind_decoder` of the weights. Their facts must name the symbols this version writes."""

    def __init__(self, encoder: Graph, decoder: Graph) -> None:
        self._encoder, self._decoder = encoder, decoder
        if list(encoder.facts.get("symbols", [])) != list(SYMBOLS):
            raise UserError("the mind's weights speak another alphabet than this version; install the package again")
        self._layers, self._width = int(encoder.facts["decoder_layers"]), int(encoder.facts["width"])

    @property
    def ears_width(self) -> int:
        """Width of the ears' vectors that the mind was trained with."""
        return int(self._encoder.facts["ears"])

    def encode(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        """Memory of one turn from a reading, by name."""
        links = {"links": inputs["links"]}
        return self._encoder.run({k: v for k, v in inputs.items() if k not in links}) | links

    def step(self, memory: Mapping[str, Array], previous: Array, roles: Array, cache: Array) -> tuple[Array, Array]:
        """Scores (1, Q, C) of the choices after `previous` (1, Q) for `roles` (1, Q), and the grown cache."""
        feeds = {**memory, "previous": previous, "roles": roles, "in_cache_own": cache}
        out = self._decoder.run(feeds)
        return out["scores"], out["out_cache_own"]

    def empty_cache(self) -> Array:
        """The cache before the first choice: (L, 2, 1, 0, D)."""
        return np.zeros((self._layers, 2, 1, 0, self._width), np.float32)


def load_network(weights: Weights) -> tuple[ExportedNet, SentencePieces]:
    """The mind's network and its sub-word model from a folder of weights."""
    net = ExportedNet(
        Graph(weights.read("mind_encoder"), "mind_encoder"), Graph(weights.read("mind_decoder"), "mind_decoder")
    )
    return net, SentencePieces(weights.read("mind_pieces"))
