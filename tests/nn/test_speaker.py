"""The speaker network: batched = alone, padding is not heard, level does not matter, ONNX = torch, the size allowed."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from step_audio_mini.evaluate.speaker import ATTRIBUTES  # noqa: E402
from step_audio_mini.nn.speaker import SpeakerConfig, SpeakerNet  # noqa: E402
from step_audio_mini.runtime.session import Graph  # noqa: E402
from step_audio_mini.train.export import half_storage, parameter_count  # noqa: E402
from step_audio_mini.train.export_speaker import speaker_graph  # noqa: E402

pytestmark = pytest.mark.unit


def small() -> SpeakerNet:
    """A trained-looking network: norms that do something, in evaluation."""
    torch.manual_seed(3)
    net = SpeakerNet(SpeakerConfig(dimension=32, pooled=16, embedding=12, attributes=ATTRIBUTES))
    net.train()
    with torch.no_grad():
        for _ in range(3):
            net(torch.randn(4, 60, 80), torch.full((4,), 60))
    return net.eval()


def test_the_shipped_size_is_at_most_a_million() -> None:
    assert parameter_count(SpeakerNet(SpeakerConfig(attributes=ATTRIBUTES))) <= 1_000_000


@settings(max_examples=15, deadline=None)
@given(counts=st.lists(st.integers(8, 70), min_size=1, max_size=4), more=st.integers(0, 9))
def test_batched_is_alone(counts: list[int], more: int) -> None:
    net = small()
    clips = [torch.randn(count, 80) for count in counts]
    padded = torch.full((len(clips), max(counts) + more, 80), -4.65)
    for row, clip in zip(padded, clips, strict=True):
        row[: len(clip)] = clip
    with torch.no_grad():
        together, logits = net(padded, torch.tensor(counts))
        for place, clip in enumerate(clips):
            alone, own = net(clip[None], torch.tensor([len(clip)]))
            assert torch.allclose(together[place], alone[0], atol=1e-4)
            assert torch.allclose(logits["age"][place], own["age"][0], atol=1e-4)


def test_level_and_microphone_do_not_matter() -> None:
    net, clip, response = small(), torch.randn(1, 50, 80), torch.randn(80)
    with torch.no_grad():
        one, other = (net(frames, torch.tensor([50]))[0] for frames in (clip, clip + response))
        different = net(torch.randn(1, 50, 80), torch.tensor([50]))[0]
    assert torch.allclose(one, other, atol=1e-4)
    assert torch.allclose(one.norm(dim=-1), torch.ones(1), atol=1e-5)
    assert not torch.allclose(one, different, atol=1e-2)


def test_onnx_is_torch() -> None:
    net = small()
    graph = Graph(half_storage(speaker_graph(net, {"language": 1.0, "gender": 2.0, "age": 0.5})), "speaker")
    assert graph.facts["attributes"]["gender"] == ["female", "male"]
    frames, counts = np.random.default_rng(0).standard_normal((3, 77, 80), np.float32), np.array([77, 30, 9])
    out = graph.run({"frames": frames, "counts": counts})
    with torch.no_grad():
        embedding, logits = net(torch.from_numpy(frames), torch.from_numpy(counts))
    np.testing.assert_allclose(out["embedding"], embedding.numpy(), atol=2e-3)
    np.testing.assert_allclose(out["gender"], torch.softmax(logits["gender"] / 2, -1).numpy(), atol=2e-3)
    assert out["age"].sum(-1) == pytest.approx(np.ones(3), abs=1e-5)
