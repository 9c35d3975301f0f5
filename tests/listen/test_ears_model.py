"""The ears' network: streamed = offline, batched = alone, and a prefix does not change with what follows."""

import pytest

torch = pytest.importorskip("torch")
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from step_audio_mini.listen.model import Ears, EarsConfig  # noqa: E402

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def ears() -> Ears:
    torch.manual_seed(0)
    return Ears(EarsConfig(units=11, dimension=32, layers=3, heads=2, kernel=5, left=12)).eval()


@given(chunk=st.integers(1, 9), chunks=st.integers(1, 9), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=25)
def test_streamed_equals_offline(ears: Ears, chunk: int, chunks: int, seed: int) -> None:
    frames = torch.randn(2, 4 * chunk * chunks, 80, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        logits, _, vectors = ears(frames, chunk)
        state, posteriors, streamed = ears.init_state(2), [], []
        for piece in frames.split(4 * chunk, 1):
            out, vector, state = ears.step(piece, state)
            posteriors.append(out)
            streamed.append(vector)
    assert torch.allclose(torch.cat(posteriors, 1), logits.log_softmax(-1), atol=1e-4)
    assert torch.allclose(torch.cat(streamed, 1), vectors, atol=1e-4)


def test_batched_equals_alone(ears: Ears) -> None:
    frames = torch.randn(3, 32, 80)
    with torch.no_grad():
        together, _, _ = ears.step(frames, ears.init_state(3))
        alone = [ears.step(frames[i : i + 1], ears.init_state(1))[0] for i in range(3)]
    assert torch.allclose(together, torch.cat(alone), atol=1e-4)


def test_streams_of_different_age_share_a_batch(ears: Ears) -> None:
    old, young = torch.randn(1, 64, 80), torch.randn(1, 16, 80)
    with torch.no_grad():
        _, _, aged = ears.step(old[:, :48], ears.init_state(1))
        fresh = ears.init_state(1)
        stacked = {name: torch.cat([aged[name], fresh[name]]) for name in aged}
        together, _, _ = ears.step(torch.cat([old[:, 48:], young]), stacked)
        first, _, _ = ears.step(old[:, 48:], aged)
        second, _, _ = ears.step(young, fresh)
    assert torch.allclose(together, torch.cat([first, second]), atol=1e-4)


def test_real_size_is_within_its_budget() -> None:
    with torch.device("meta"):
        count = sum(p.numel() for p in Ears(EarsConfig(units=220)).parameters())
    assert count <= 12_000_000
