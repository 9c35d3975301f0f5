"""Torch to ONNX: graphs with named states and their own facts, weights stored in half precision or INT8."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from step_audio_mini.errors import UserError
from step_audio_mini.runtime.manifest import Part, Weights
from step_audio_mini.runtime.session import FACTS
from step_audio_mini.train.loop import read_log

OPSET = 17


@dataclass(frozen=True)
class Signature:
    """Names of a graph's inputs and outputs, and which axes are free.

    `free`: name -> {axis: label}, for inputs and outputs alike.
    """

    inputs: Sequence[str]
    outputs: Sequence[str]
    free: Mapping[str, Mapping[int, str]] = field(default_factory=dict)


def export_graph(
    module: nn.Module, example: tuple[Tensor, ...], signature: Signature, facts: Mapping[str, Any]
) -> bytes:
    """ONNX bytes of a module whose forward takes and gives tensors in the signature's order; the facts go inside."""
    import onnx

    noise = io.StringIO()
    module.eval()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "graph.onnx")
        _export(module, example, signature, target, noise)
        model = onnx.load(target)
    model.metadata_props.add(key=FACTS, value=json.dumps(dict(facts), ensure_ascii=False))
    return bytes(model.SerializeToString())


def _export(
    module: nn.Module, example: tuple[Tensor, ...], signature: Signature, target: Path, noise: io.StringIO
) -> None:
    try:
        with torch.no_grad(), contextlib.redirect_stdout(noise), contextlib.redirect_stderr(noise):
            torch.onnx.export(
                module, example, target, dynamo=False, opset_version=OPSET,
                input_names=list(signature.inputs), output_names=list(signature.outputs),
                dynamic_axes={name: dict(axes) for name, axes in signature.free.items()},
            )  # fmt: skip
    except Exception as error:  # the exporter prints the whole graph before it raises
        raise RuntimeError(f"{type(module).__name__} does not export: {str(error)[:300]}") from None


def half_storage(graph: bytes) -> bytes:
    """The same float32 graph with its large weights stored as float16 and cast when loaded: half the size."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_from_string(graph)
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) >= 256:
            name, values = tensor.name, numpy_helper.to_array(tensor)
            if np.abs(values).max() > 60_000:
                continue
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return bytes(model.SerializeToString())


def quantise(graph: bytes, operators: Sequence[str] = ("MatMul",)) -> bytes:
    """Dynamic INT8 of the constant matrices; other operators stay float."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        source.write_bytes(graph)
        level = logging.root.level
        logging.root.setLevel(logging.ERROR)  # it advises everybody to pre-process, which these graphs need not
        try:
            quantize_dynamic(
                source, target, op_types_to_quantize=list(operators), per_channel=True, weight_type=QuantType.QInt8
            )
        finally:
            logging.root.setLevel(level)
        return target.read_bytes()


def float_activations(graph: bytes) -> bytes:
    """A graph of `quantise`, also after `half_storage`, whose matrices stay INT8 in the file and are float when loaded.

    Activations that are quantised share one scale in a run: what a stream gives then depends on which others run with
    it. Here it does not, and the fact `activations` says so. Costs the memory of the float matrices.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_from_string(graph)
    maker = {name: node for node in model.graph.node for name in node.output}
    user = {name: node for node in model.graph.node for name in node.input}
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    replaced: dict[str, list[Any]] = {}
    for node in model.graph.node:
        if node.op_type != "MatMulInteger":
            continue
        inner, weight, _, zero = node.input
        if zero in constants and numpy_helper.to_array(constants[zero]).any():
            raise ValueError(f"{weight} is not quantised about 0")
        product = user[user[node.output[0]].output[0]]  # after a cast to float: times both scales
        scales = next(maker[name] for name in product.input if maker[name].op_type == "Mul")
        sound = maker[inner].input[0]
        scale = next(name for name in scales.input if name not in maker[inner].output)
        replaced[product.output[0]] = [
            helper.make_node("Cast", [weight], [f"{weight}.float"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{weight}.float", scale], [f"{weight}.scaled"]),
            helper.make_node("MatMul", [sound, f"{weight}.scaled"], list(product.output)),
        ]
    nodes = [new for node in model.graph.node for new in replaced.get(node.output[0], [node])]
    needed, kept = {output.name for output in model.graph.output}, []
    for node in reversed(nodes):  # without what nobody needs any more
        if needed & set(node.output):
            needed |= set(node.input)
            kept.append(node)
    tensors = [tensor for tensor in model.graph.initializer if tensor.name in needed]
    copies = [type(one).FromString(one.SerializeToString()) for one in (*reversed(kept), *tensors)]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(copies[: len(kept)])
    model.graph.initializer.extend(copies[len(kept) :])
    facts = next((prop for prop in model.metadata_props if prop.key == FACTS), None)
    told = json.loads(facts.value) if facts else {}
    if facts:
        model.metadata_props.remove(facts)
    model.metadata_props.add(key=FACTS, value=json.dumps(told | {"activations": "float"}, ensure_ascii=False))
    return bytes(model.SerializeToString())


def averaged(run: Path) -> dict[str, Tensor]:
    """The averaged weights of a training run, by name."""
    try:
        state = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)
    except OSError as error:
        raise UserError(
            f"no training run in {run} ({error.strerror}); give a folder made by step-audio train"
        ) from None
    weights: dict[str, Tensor] = state["averaged"]
    return weights


def load_averaged(module: nn.Module, run: Path) -> None:
    """Give a module the averaged weights of a training run."""
    module.load_state_dict(averaged(run))


def dev_figures(run: Path) -> dict[str, float]:
    """The newest dev figures in a run's log and the step they belong to; empty when there are none."""
    rows = [row for row in read_log(run) if any(name.startswith("dev_") for name in row)]
    if not rows:
        return {}
    return {name: value for name, value in rows[-1].items() if name == "step" or name.startswith("dev_")}


def parameter_count(module: nn.Module) -> int:
    """Trained numbers of a module, shared ones once."""
    return sum(p.numel() for p in module.parameters())


def add_part(folder: Path, name: str, content: bytes, *, suffix: str = "onnx", **about: Any) -> Weights:
    """Put a part into a folder of weights; `about` are the fields of `Part` (parameters, facts, training, quality)."""
    try:
        weights = Weights.open(folder) if (folder / "manifest.json").exists() else Weights(folder, {})
        part = Part(f"{name}.{suffix}", hashlib.sha256(content).hexdigest(), **about)
        return weights.with_part(name, part, content)
    except OSError as error:
        raise UserError(f"cannot write weights to {folder} ({error}); choose a folder you may write to") from None
