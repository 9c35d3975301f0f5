"""Exported graphs: ONNX = torch over a stream, states stack, stored halves load, damage is named."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from step_audio_mini.errors import UserError  # noqa: E402
from step_audio_mini.listen.model import Ears, EarsConfig  # noqa: E402
from step_audio_mini.runtime import state as streaming  # noqa: E402
from step_audio_mini.runtime.manifest import Weights  # noqa: E402
from step_audio_mini.runtime.session import Graph  # noqa: E402
from step_audio_mini.train.export import add_part, float_activations, half_storage, quantise  # noqa: E402
from step_audio_mini.train.export_ears import ears_graph  # noqa: E402

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def ears() -> Ears:
    torch.manual_seed(0)
    return Ears(EarsConfig(units=5, dimension=32, layers=2, heads=2, kernel=5, left=12)).eval()


@pytest.fixture(scope="module")
def content(ears: Ears) -> bytes:
    return ears_graph(ears, ["<blank>", "a", "b", "c", "d"])


@pytest.mark.parametrize("chunk", [1, 4, 8])
def test_streamed_graph_equals_offline_torch(ears: Ears, content: bytes, chunk: int) -> None:
    graph = Graph(content)
    frames = np.random.default_rng(0).standard_normal((1, 4 * chunk * 6, 80)).astype(np.float32)
    with torch.no_grad():
        whole = ears(torch.from_numpy(frames), chunk)[0].log_softmax(-1).numpy()
    state, out = streaming.init(graph), []
    for piece in np.split(frames, 6, 1):
        got, state = streaming.step(graph, {"frames": piece}, state)
        out.append(got["log_probs"])
    assert np.abs(np.concatenate(out, 1) - whole).max() <= 1e-3


def test_many_streams_in_one_run_equal_each_alone(content: bytes) -> None:
    graph = Graph(content)
    frames = np.random.default_rng(1).standard_normal((3, 16, 80)).astype(np.float32)
    states = [streaming.init(graph) for _ in range(3)]
    _, states[1] = streaming.step(graph, {"frames": frames[:1]}, states[1])  # one stream is older
    together, stacked = streaming.step(graph, {"frames": frames}, streaming.stack(states))
    for i, after in enumerate(streaming.unstack(stacked)):
        alone, expected = streaming.step(graph, {"frames": frames[i : i + 1]}, states[i])
        assert np.abs(together["vectors"][i] - alone["vectors"][0]).max() <= 1e-4
        assert all(np.abs(after[name] - expected[name]).max() <= 1e-4 for name in after)


def test_facts_travel_in_the_graph(content: bytes) -> None:
    assert Graph(content).facts["units"] == ["<blank>", "a", "b", "c", "d"]


def test_smaller_storage_stays_close(content: bytes) -> None:
    frames = np.random.default_rng(2).standard_normal((1, 32, 80)).astype(np.float32)

    def posteriors(stored: bytes) -> np.ndarray:
        graph = Graph(stored)
        return streaming.step(graph, {"frames": frames}, streaming.init(graph))[0]["log_probs"]

    exact = posteriors(content)
    assert len(half_storage(content)) < 0.75 * len(content)
    assert np.abs(posteriors(half_storage(content)) - exact).max() < 0.02
    assert np.abs(posteriors(quantise(content)) - exact).max() < 0.2


def test_streams_of_float_activations_may_share_a_run(content: bytes) -> None:
    quantised = half_storage(quantise(content))
    graph = Graph(float_activations(quantised))
    assert graph.facts == {**Graph(content).facts, "activations": "float"}
    frames = np.random.default_rng(3).standard_normal((3, 16, 80)).astype(np.float32)
    frames[1] *= 30  # one loud stream would set the scale of all
    together = graph.run({"frames": frames, **streaming.init(graph, 3)})["log_probs"]
    for i in range(3):
        alone = graph.run({"frames": frames[i : i + 1], **streaming.init(graph)})["log_probs"][0]
        assert np.abs(together[i] - alone).max() <= 1e-4
    exact = Graph(content).run({"frames": frames, **streaming.init(graph, 3)})["log_probs"]
    assert np.abs(together - exact).max() < 0.2
    assert b"MatMulInteger" not in float_activations(quantised)
    assert len(float_activations(quantised)) < 1.1 * len(quantised)


def test_weights_folder_names_what_is_missing_or_damaged(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UserError, match=r"no weights at .*give"):
        Weights.open(tmp_path)
    add_part(tmp_path, "ears", content, parameters=7)
    weights = add_part(tmp_path, "extra", b"1,2", suffix="csv", parameters=5)
    assert weights.parameters == 12 and Weights.open(tmp_path).read("ears") == content
    with pytest.raises(UserError, match="no part 'mind'; they hold ears, extra"):
        weights.read("mind")
    (tmp_path / "ears.onnx").write_bytes(content[:-1])
    with pytest.raises(UserError, match=r"ears.onnx is damaged.*install"):
        Weights.open(tmp_path).read("ears")
    (tmp_path / "ears.onnx").unlink()
    with pytest.raises(UserError, match=r"ears.onnx is missing"):
        Weights.open(tmp_path).read("ears")
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        Weights.open(tmp_path)


def test_garbage_is_no_graph() -> None:
    with pytest.raises(UserError, match=r"ears.onnx is not a usable graph"):
        Graph(b"not a graph", "ears.onnx")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 1, "parts": {"ears": {"files": 1}}}'])
def test_a_damaged_manifest_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(UserError, match=r"manifest\.json cannot be read"):
        Weights.open(tmp_path)


def test_running_a_graph_leaves_the_callers_arithmetic_alone(content: bytes) -> None:
    """Flushing denormal numbers to zero would be set for the whole thread, and for good."""
    graph = Graph(content)
    streaming.step(graph, {"frames": np.zeros((1, 4, 80), np.float32)}, streaming.init(graph))
    assert np.float32(1e-40) * np.float32(0.5) > 0
