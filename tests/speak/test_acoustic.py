"""The acoustic network and its graph: exported = torch, batched = alone, durations rule the length, training works."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from step_audio_mini.errors import UserError
from step_audio_mini.runtime.session import Graph
from step_audio_mini.speak.acoustic import AcousticVoice
from step_audio_mini.speak.frontend import ENDS, MARKS, SYMBOLS, TONES, Clause
from step_audio_mini.speak.model import Acoustic, AcousticConfig, Natural, Text, acoustic_loss, structural_similarity
from step_audio_mini.train.export_voice import acoustic_graph

pytestmark = pytest.mark.unit

CONFIG = AcousticConfig(width=32, blocks=2, decoder_width=48, decoder_blocks=2, expansion=2)


@pytest.fixture(scope="module")
def model() -> Acoustic:
    torch.manual_seed(3)
    model = Acoustic(CONFIG).eval()
    last = model.duration[-1]
    assert isinstance(last, torch.nn.Linear)
    torch.nn.init.constant_(last.bias, 1.2)
    return model


@pytest.fixture(scope="module")
def voice(model: Acoustic) -> AcousticVoice:
    return AcousticVoice(Graph(acoustic_graph(model)))


def clause_of(size: int, seed: int) -> Clause:
    rng = np.random.default_rng(seed)

    def ids(count: int) -> tuple[int, ...]:
        return tuple(int(n) for n in rng.integers(0, count, size))

    phones = tuple(1 + phone for phone in ids(len(SYMBOLS) - 1))
    return Clause(phones, ids(len(TONES)), ids(MARKS), ids(len(ENDS)), "en", 0.0)


@settings(max_examples=12)
@given(st.integers(1, 30), st.integers(0, 99), st.sampled_from([0.7, 1.0, 1.6]))
def test_graph_equals_torch(model: Acoustic, voice: AcousticVoice, size: int, seed: int, speed: float) -> None:
    clause = clause_of(size, seed)
    spoken = voice.speak(clause, voice.voices[seed % 2], speed)
    ids = [torch.tensor([getattr(clause, name)]) for name in ("phones", "tones", "marks", "ends")]
    with torch.no_grad():
        mel, f0, durations = model(*ids, torch.tensor([seed % 2]), torch.tensor([speed]))
    assert spoken.durations == tuple(durations[0].tolist())
    assert spoken.mel.shape == (sum(spoken.durations), 80)
    np.testing.assert_allclose(spoken.mel, mel[0, : len(spoken.mel)].numpy(), atol=1e-3)
    np.testing.assert_allclose(spoken.f0, f0[0, : len(spoken.f0)].numpy(), rtol=1e-3, atol=1e-3)


def test_batched_equals_alone(voice: AcousticVoice) -> None:
    clauses = [clause_of(size, size) for size in (1, 7, 19)]
    voices = [voice.voices[0], voice.voices[1], voice.voices[0]]
    for together, clause, chosen in zip(voice.speak_batch(clauses, voices), clauses, voices, strict=True):
        alone = voice.speak(clause, chosen)
        assert together.durations == alone.durations
        np.testing.assert_allclose(together.mel, alone.mel, atol=1e-4)
        np.testing.assert_allclose(together.f0, alone.f0, rtol=1e-4)


def test_same_call_twice_gives_same_bytes(voice: AcousticVoice) -> None:
    clause = clause_of(9, 1)
    first, second = (voice.speak(clause, voice.voices[0]) for _ in range(2))
    assert first.mel.tobytes() == second.mel.tobytes()


def test_speed_shortens(voice: AcousticVoice) -> None:
    clause = clause_of(20, 5)
    slow, fast = (sum(voice.speak(clause, voice.voices[0], speed).durations) for speed in (0.5, 2.0))
    assert slow > 3 * fast


def test_weights_of_another_alphabet_are_refused() -> None:
    class Other:
        def __init__(self) -> None:
            self.facts = {"symbols": ["x"], "tones": list(TONES), "ends": list(ENDS)}

    with pytest.raises(UserError, match="do not fit"):
        AcousticVoice(Other())  # type: ignore[arg-type]


def test_sharpening_moves_bands_away_from_their_middle() -> None:
    torch.manual_seed(4)
    model = Acoustic(CONFIG).eval()
    ids = torch.ones(1, 5, dtype=torch.int64)
    feeds = (ids, ids, ids, ids, torch.tensor([1]), torch.ones(1))
    with torch.no_grad():
        before = model(*feeds)[0]
        model.sharpen(torch.full((2, 80), 0.5), torch.tensor([[1.0], [1.2]]).expand(2, 80))
        after = model(*feeds)[0]
    torch.testing.assert_close(after, 0.5 + 1.2 * (before - 0.5))


def test_expansion_repeats_each_phone_for_its_duration(model: Acoustic) -> None:
    hidden = torch.zeros(1, 3, CONFIG.width)
    _, mask = model.expand(hidden, torch.tensor([[2, 1, 2]]))
    assert mask[0, :, 0].tolist() == [1.0, 1.0, 1.0]
    _, mask = model.expand(hidden.repeat(2, 1, 1), torch.tensor([[2, 1, 2], [1, 0, 0]]))
    assert mask[1, :, 0].tolist() == [1.0, 0.0, 0.0]


def test_a_few_steps_overfit_one_clause() -> None:
    torch.manual_seed(0)
    model = Acoustic(AcousticConfig(width=32, blocks=2, decoder_width=48, decoder_blocks=2, expansion=2, dropout=0.0))
    clause = clause_of(6, 2)
    phones, tones, marks, ends = (torch.tensor([getattr(clause, n)]) for n in ("phones", "tones", "marks", "ends"))
    text = Text(phones, tones, marks, ends, torch.tensor([0]))
    durations = torch.tensor([[4, 3, 6, 2, 5, 4]])
    mel = torch.randn(1, 24, 1).cumsum(1).mul(0.3).expand(1, 24, 80).contiguous()
    prosody = torch.cat([torch.ones(1, 24, 2) * 0.5, torch.zeros(1, 24, 1)], -1).round()
    natural = Natural(durations, mel, prosody)
    losses = []
    for _ in range(25):
        loss, parts = acoustic_loss(model, text, natural)
        model.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for weight in model.parameters():
                if weight.grad is not None:
                    weight.sub_(3e-3 * weight.grad.sign())
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert set(parts) == {"mel", "shape", "duration", "pitch", "voicing", "energy"}


def test_similarity_is_one_for_equal_pictures_only() -> None:
    torch.manual_seed(1)
    x, y, real = torch.randn(1, 30, 80), torch.randn(1, 30, 80), torch.ones(1, 30, 1)
    assert structural_similarity(x, x, real).item() == pytest.approx(1.0)
    assert structural_similarity(x, y, real).item() < 0.5


def test_the_full_model_keeps_its_budget() -> None:
    assert sum(p.numel() for p in Acoustic(AcousticConfig()).parameters()) <= 6_000_000
