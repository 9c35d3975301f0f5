"""Runs one exported graph on one thread; arrays in and out by name. Knows nothing of what the graph means."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.errors import UserError

Array = NDArray[Any]

FACTS = "facts"
"""Key of the graph's metadata under which its facts stand as JSON."""


class Graph:
    """An onnxruntime session and the facts the graph carries about itself.

    A back end other than onnxruntime is any object with `facts`, `inputs`, `outputs` and `run`.
    """

    def __init__(self, content: bytes, name: str = "graph") -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = options.enable_mem_pattern = False  # steps are small; both only hold memory
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises many kinds, all mean the same to a user
            raise UserError(f"{name} is not a usable graph ({str(error)[:120]}); install the package again") from None
        self.name = name

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """What the graph says of itself."""
        stored = self._session.get_modelmeta().custom_metadata_map.get(FACTS, "{}")
        return dict(json.loads(stored))

    @cached_property
    def inputs(self) -> Mapping[str, tuple[tuple[int | str, ...], type[np.generic]]]:
        """Name to (shape with names for free axes, dtype) of each input."""
        kinds: dict[str, type[np.generic]] = {
            "tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": np.bool_,
        }  # fmt: skip
        return {i.name: (tuple(i.shape), kinds[i.type]) for i in self._session.get_inputs()}

    @cached_property
    def outputs(self) -> Sequence[str]:
        """Names of the outputs, in order."""
        return [o.name for o in self._session.get_outputs()]

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name."""
        return dict(zip(self.outputs, self._session.run(None, dict(feeds)), strict=True))
