"""The recipe `mind`: pure batches, a loss that falls, and an exported mind that writes what the torch one scores."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from step_audio_mini.runtime.manifest import Weights
from step_audio_mini.think.decode import inputs_of, write
from step_audio_mini.think.mind import Mind, hearing_of
from step_audio_mini.think.model import MindConfig, MindNet
from step_audio_mini.think.network import load_network
from step_audio_mini.think.state import Dialogue
from step_audio_mini.think.units import Unit, split
from step_audio_mini.train.export_mind import ENCODER_INPUTS, MADE, EncoderGraph, add_mind
from step_audio_mini.train.mindbatch import MindBatch, collate, example
from step_audio_mini.train.recipes.mind import MindData, MindRecipe, choice_scores, train_pieces
from tests.train.mindtexts import make_texts

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MindRecipe]:
    torch.set_num_threads(1)
    folder = make_texts(tmp_path_factory.mktemp("texts"))
    data = MindData(
        folder,
        folder / "pieces.model",
        packs=("coffee",),
        mixtures=(("coffee",), ("clock-weather",)),
        shares=(0.5, 0.5),
        homes=1,
    )
    data.pieces.write_bytes(train_pieces(data, size=140))
    yield MindRecipe(data, width=64, turns=12)


def net_of(recipe: MindRecipe) -> MindNet:
    torch.manual_seed(1)
    return MindNet(MindConfig(pieces=len(recipe.pieces), width=64, heads=1, encoder_layers=1, decoder_layers=1, ears=8))


def same(one: MindBatch, other: MindBatch) -> bool:
    pairs = [(one.inputs[k], other.inputs[k]) for k in one.inputs] + [
        (one.targets, other.targets),
        (one.allowed, other.allowed),
    ]
    return all(torch.equal(a, b) for a, b in pairs)


def test_a_batch_is_a_pure_function_of_the_step(recipe: MindRecipe) -> None:
    assert same(recipe.batch(3), recipe.batch(3))
    assert not torch.equal(recipe.batch(3).inputs["pieces"], recipe.batch(4).inputs["pieces"])


def test_every_right_choice_is_allowed(recipe: MindRecipe) -> None:
    for step in range(4):
        batch = recipe.batch(step)
        told = batch.targets >= 0
        assert batch.allowed.gather(2, batch.targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)[told].all()
        assert (batch.allowed.sum(-1)[told] > 1).all()


def test_training_on_one_batch_learns_it(recipe: MindRecipe) -> None:
    net, batch = net_of(recipe), recipe.batch(0)
    batch.inputs["vectors"] = torch.zeros(len(batch.previous), 1, 8)
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        loss, _ = recipe.loss(net, batch)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]


def test_batched_is_alone(recipe: MindRecipe) -> None:
    setting, rng, net = recipe.settings[1][0], random.Random(1), net_of(recipe)
    turns = [t for _ in range(6) for t in setting.person.dialogue(rng)]
    examples = [example(t, setting.reader, recipe.confusion, rng) for t in turns]
    together = choice_scores(net, collate(examples, setting.reader, 8))
    for row, e in enumerate(examples):
        alone = choice_scores(net, collate([e], setting.reader, 8))[0]
        steps, size = alone.shape
        assert torch.allclose(together[row, :steps, :size], alone, atol=1e-4)


def test_a_closed_gate_hears_nothing_and_an_open_one_does(recipe: MindRecipe) -> None:
    net, batch = net_of(recipe), recipe.batch(0)
    rows = len(batch.previous)
    batch.inputs["vectors"] = torch.zeros(rows, 2, 8)
    silent = choice_scores(net, batch)
    batch.inputs["vectors"] = torch.randn(rows, 2, 8)
    assert torch.equal(choice_scores(net, batch), silent)
    batch.inputs["snr"] = torch.ones(rows, 2)
    assert not torch.allclose(choice_scores(net, batch), silent)


def test_the_exported_mind_is_the_torch_one(recipe: MindRecipe, tmp_path: Path) -> None:
    net = net_of(recipe).eval()
    weights = add_mind(tmp_path, net, recipe.data.pieces.read_bytes(), {})
    exported, pieces = load_network(weights)
    reader = recipe.settings[1][0].reader
    reading = reader.read(Dialogue(), [[Unit(u) for u in split("set a timer for ten minutes")]])
    inputs = inputs_of(reader, reading, np.random.default_rng(1).normal(size=(3, 8)).astype(np.float32), 15.0)
    memory = exported.encode(inputs)
    with torch.no_grad():
        mine = EncoderGraph(net)(*(torch.from_numpy(inputs[name]) for name in ENCODER_INPUTS))
    # half-precision storage rounds the weights: compare relative to their size
    for name, tensor in zip(MADE, mine, strict=True):
        assert np.abs(memory[name] - tensor.numpy()).max() < 1e-2 * max(1.0, float(tensor.abs().max()))
    assert len(pieces) == len(recipe.pieces)
    first, second = (write(exported, reader, reading, Dialogue(), inputs) for _ in range(2))
    assert first == second


def test_float_graphs_equal_torch_step_by_step(recipe: MindRecipe) -> None:
    from step_audio_mini.runtime.session import Graph
    from step_audio_mini.think.model import Memory
    from step_audio_mini.think.network import ExportedNet
    from step_audio_mini.train.export_mind import mind_graphs

    net = net_of(recipe).eval()
    encoder, decoder = mind_graphs(net)
    exported = ExportedNet(Graph(encoder), Graph(decoder))
    reader = recipe.settings[1][0].reader
    reading = reader.read(Dialogue(), [[Unit(u) for u in split("wake me at seven")]])
    inputs = inputs_of(reader, reading, np.ones((4, 8), np.float32), 10.0)
    memory = exported.encode(inputs)
    previous, roles = np.array([[0, 3, 40, 1]]), np.array([[0, 1, 2, 5]])
    with torch.no_grad():
        made = EncoderGraph(net)(*(torch.from_numpy(inputs[name]) for name in ENCODER_INPUTS))
        mine = Memory(**dict(zip(MADE, made, strict=True)), links=torch.from_numpy(inputs["links"]))
        whole, _ = net.decode(mine, torch.from_numpy(previous), torch.from_numpy(roles), net.empty_cache(1))
    cache = exported.empty_cache()
    for at in ((0, 1), (1, 3), (3, 4)):
        scores, cache = exported.step(memory, previous[:, slice(*at)], roles[:, slice(*at)], cache)
        assert np.abs(scores - whole[:, slice(*at)].numpy()).max() < 1e-3


def test_a_mind_from_a_folder_of_weights_decides(recipe: MindRecipe, tmp_path: Path) -> None:
    add_mind(tmp_path, net_of(recipe), recipe.data.pieces.read_bytes(), {})
    mind = Mind.load(["coffee"], Weights.open(tmp_path))
    assert mind.decide(hearing_of("a small latte please"), mind.dialogue()).reply
