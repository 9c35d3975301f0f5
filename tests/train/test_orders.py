from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from step_audio_mini.data.packs import Clip  # noqa: E402
from step_audio_mini.errors import UserError  # noqa: E402
from step_audio_mini.text.lexicon import Lexicon, transcript_units  # noqa: E402
from step_audio_mini.text.phones import UNITS  # noqa: E402
from step_audio_mini.think.pack_file import load_pack  # noqa: E402
from step_audio_mini.train import orders  # noqa: E402
from step_audio_mini.train.orders import (  # noqa: E402
    likeliest,
    path_costs,
    read_transcripts,
    skeletons,
    words_of,
    write_transcripts,
)

pytestmark = pytest.mark.unit

PHONES = dict(zip("abcdefghijklmnopqrstuvwxyz", sorted(u for u in UNITS if u.isupper()), strict=False))
LEXICON = Lexicon({}, lambda word: tuple(PHONES.get(letter, "AH") for letter in word) if word != "unknown" else None)
"""Every letter is a phone of its own."""


def said(text: str, sure: float = 12.0) -> Any:
    """Log-posteriors of ears that heard a text: a blank after every unit."""
    units = transcript_units(text, None, LEXICON)
    assert units
    scores = torch.zeros(2 * len(units), len(UNITS))
    scores[torch.arange(0, len(scores), 2), torch.tensor(units)] = sure
    scores[1::2, 0] = sure
    return scores.log_softmax(-1)


def order(number: int, **slots: str) -> Clip:
    labels = {"intent": "orderDrink", "slots": slots}
    return Clip(id=f"o{number}", pack="sti", split="train", seconds=1.0, licence="CC0", source="a/b@c:d", labels=labels)


def test_the_likeliest_text_is_found_with_its_distance() -> None:
    found = likeliest(["give me a mocha", "give me a latte", "words unknown"], said("give me a latte"), LEXICON)
    assert found is not None and found[0] == "give me a latte"
    assert found[1] == pytest.approx(0, abs=0.05)
    found = likeliest(["give me a mocha"], said("give me a latte"), LEXICON)
    assert found is not None and found[1] > 2
    assert likeliest(["words unknown"], said("a"), LEXICON) is None


def test_costs_are_those_of_the_best_alignment() -> None:
    posteriors = torch.randn(5, len(UNITS)).log_softmax(-1)
    sequences = [(3, 3), (4, 7, 3), (9,), (1, 1, 1, 1, 1)]
    every = list(itertools.product(sorted({0, *itertools.chain(*sequences)}), repeat=5))

    def collapsed(path: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(unit for before, unit in zip((0, *path), path, strict=False) if unit not in (0, before))

    for cost, units in zip(path_costs(sequences, posteriors), sequences, strict=True):
        fits = [-float(sum(posteriors[t, u] for t, u in enumerate(p))) for p in every if collapsed(p) == units]
        assert float(cost) == pytest.approx(min(fits, default=float("inf")), rel=1e-4)


def test_orders_get_words_that_carry_their_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "DRAWS", 3_000)
    pack = load_pack("coffee")
    bank = skeletons(pack, "orderDrink")
    assert all("{coffeeDrink}" in text for slots, texts in bank.items() if "coffeeDrink" in slots for text in texts)
    first, other = order(1, coffeeDrink="latte"), order(2, coffeeDrink="mocha", size="small")
    text = bank[frozenset(["coffeeDrink"])][0].format(coffeeDrink="latte")
    heard = {"o1": said(text), "o2": said("zzz qqq zzz qqq zzz qqq zzz qqq zzz qqq")}
    strange = Clip(id="x", pack="sti", split="train", seconds=1.0, licence="CC0", source="a/b@c:d", labels={})
    found = list(words_of([first, other, strange], pack, LEXICON, lambda clip: heard[clip.id]))
    assert [(one.clip.id, one.text) for one in found] == [("o1", text)]
    assert write_transcripts(found, tmp_path / "words.tsv") == 1
    assert read_transcripts(tmp_path / "words.tsv") == {("sti", "o1"): text}


def test_a_file_that_holds_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.tsv").write_text("no tabs here\n")
    with pytest.raises(UserError, match="holds no transcripts"):
        read_transcripts(tmp_path / "bad.tsv")
