"""The recipe `join`: hearings survive the folder, values are looked for, and the sound reaches the network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from step_audio_mini.data.packs import Clip
from step_audio_mini.errors import UserError
from step_audio_mini.think.alphabet import SYMBOLS
from step_audio_mini.think.units import Unit
from step_audio_mini.train.confusion import Rates, learn_rates
from step_audio_mini.train.hearings import Heard, read_hearings, write_hearings
from step_audio_mini.train.recipes.join import JoinRecipe, is_lost, make
from step_audio_mini.train.recipes.join import Options as JoinOptions
from step_audio_mini.train.recipes.mind import MindData, train_pieces
from step_audio_mini.types import Attributes, Hearing, Hypothesis, Samples, Word
from tests.train.mindtexts import make_texts

pytestmark = pytest.mark.unit
EARS = 192


def hearing(text: str, peaks: int = 4) -> Hearing:
    words = tuple(Word(w, 0.0, 0.1, 0.8, "en") for w in text.split())
    vectors = np.ones((peaks, EARS), np.float32)
    return Hearing((Hypothesis(words, -1.0),) if words else (), Attributes(18.0, 4.0, None), vectors)


def clip(number: int, split: str, text: str = "", slots: dict[str, str] | None = None) -> Clip:
    labels = {"intent": "orderDrink", "slots": slots} if slots else {}
    return Clip(f"c/{number}", "sti", split, 1.0, "CC0-1.0", "x@1:y", text=text, lang="en", labels=labels)


CLIPS = [
    (clip(0, "train", slots={"coffeeDrink": "latte", "milkAmount": "cream"}), "a latte with cream"),
    (clip(1, "train", slots={"coffeeDrink": "mocha", "milkAmount": "milk"}), "a mocker with milk"),
    (clip(2, "train", "how big can elephants be"), "how big can elephants be"),
    (clip(3, "dev", "where is my dress"), "where is my mess"),
    (clip(4, "dev", slots={"coffeeDrink": "espresso"}), "espresso"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    torch.set_num_threads(1)
    texts = make_texts(tmp_path_factory.mktemp("texts"))
    said = iter([text for _, text in CLIPS])

    def hear(_: Samples) -> Hearing:
        return hearing(next(said))

    write_hearings(((c, np.zeros(10, np.float32)) for c, _ in CLIPS), hear, texts / "hearings")
    pieces = texts / "mind_pieces.model"
    pieces.write_bytes(train_pieces(MindData(texts, pieces, packs=("coffee",)), size=140))
    yield texts


@pytest.fixture(scope="module")
def recipe(folder: Path) -> JoinRecipe:
    data = MindData(folder, folder / "mind_pieces.model", ("coffee",), (("coffee",),), (1.0,), homes=0)
    return JoinRecipe(data, folder / "hearings", width=64, turns=6)


def test_hearings_come_back_as_they_were(folder: Path) -> None:
    heard = read_hearings(folder / "hearings")
    assert [h.hearing.best.text for h in heard] == [text for _, text in CLIPS]
    assert heard[0].slots == {"coffeeDrink": "latte", "milkAmount": "cream"}
    assert heard[0].hearing.vectors.shape == (4, EARS)


def test_values_that_were_heard_are_the_right_answer(recipe: JoinRecipe) -> None:
    setting = recipe.settings[0][0]
    right = recipe.example(recipe._heard[0], setting)
    half = recipe.example(recipe._heard[1], setting)
    assert sum(c.role == 2 for c in right.choices) == 3  # two slots and the end
    assert sum(c.role == 2 for c in half.choices) == 2  # mocha was not heard
    assert right.vectors is not None
    assert right.snr_db == 18.0


@pytest.mark.parametrize(
    ("said", "heard", "lost"),
    [
        ("a latte please", "a latte please", False),
        ("a latte please", "the river was until", True),
        ("", "a latte until night", False),
        ("", "a ladder until night", True),
        ("", "", True),
    ],
)
def test_too_little_of_an_order_is_not_understood(recipe: JoinRecipe, said: str, heard: str, lost: bool) -> None:
    setting = recipe.settings[0][0]
    order = Heard("c/9", "train", said, "orderDrink", {"coffeeDrink": "latte"}, hearing(heard))
    assert is_lost(order, setting.reader.values) == lost
    first = recipe.example(order, setting).choices[0]
    assert SYMBOLS[first.index] == ("act:not_understood" if lost else "act:request")


def test_a_read_sentence_is_never_lost(recipe: JoinRecipe) -> None:
    read = Heard("c/9", "train", "where is my dress", None, {}, hearing("whereas mines"))
    assert not is_lost(read, recipe.settings[0][0].reader.values)


def test_half_of_a_group_was_really_heard(recipe: JoinRecipe) -> None:
    opened = sum(float((recipe.batch(step).inputs["snr"][:, 1] > 0).sum()) for step in range(4))
    assert opened == 12
    closed = JoinRecipe(recipe.data, recipe.data.texts / "hearings", width=64, turns=6, sound=False)
    assert not closed.batch(0).inputs["snr"].any()


def test_without_hearings_it_says_what_to_do(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no hearings"):
        make(folder, JoinOptions(hearings="nowhere"))
    with pytest.raises(UserError, match="train `mind` first"):
        make(tmp_path, JoinOptions())


def test_the_channel_learns_the_ears_rates() -> None:
    said = ["turn", "on", "the", "light"]
    heard = [Unit("turn", 0.9), Unit("on", 0.8), Unit("a", 0.3), Unit("light", 0.9)]
    dropped = [Unit("turn", 0.9), Unit("on", 0.95), Unit("night", 0.2)]
    rates = learn_rates([(said, heard), (said, dropped), (said, [Unit(w, 0.9) for w in said])])
    assert rates.swap > rates.drop
    assert rates.add == 0
    assert rates.right[0] / sum(rates.right) > 0.8 > 0.4 > rates.wrong[0] / sum(rates.wrong)
    assert rates.levels[0] == 0
    assert rates.levels[-1] > 0
    assert learn_rates([]) == Rates()
