"""Letter-to-sound: alignment, learning, storage, refusals. A few regular words stand in for CMUdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from step_audio_mini.errors import UserError
from step_audio_mini.text.letters import LetterToSound
from step_audio_mini.train.lexicons import align, held_out, letters_accuracy, train_letters

pytestmark = pytest.mark.unit

SOUNDS = {"b": "B", "d": "D", "t": "T", "n": "N", "m": "M", "x": "K S"}
ENTRIES = [
    (a + v + b, (*SOUNDS[a].split(), {"a": "AE1", "i": "IH1"}[v], *SOUNDS[b].split()))
    for a in "bdtnm"
    for v in "ai"
    for b in "bdtnmx"
]


@pytest.fixture(scope="module")
def model() -> LetterToSound:
    return train_letters(ENTRIES, prune=0.0, rarest=1)


def test_align_gives_every_phone_a_letter() -> None:
    pairs = align("box", ("B", "AA1", "K", "S"), {})
    assert pairs is not None
    assert "".join(letter for letter, _ in pairs) == "box"
    assert [phone for _, phones in pairs for phone in phones] == ["B", "AA1", "K", "S"]
    assert align("a", ("K", "S", "T"), {}) is None


def test_unseen_words_of_seen_letters(model: LetterToSound) -> None:
    assert model("TAX") == ("T", "AE1", "K", "S")
    assert model("nidbat") == ("N", "IH1", "D", "B", "AE1", "T")


def test_held_out_words_are_judged_not_learnt(model: LetterToSound) -> None:
    accuracy = letters_accuracy(model, ENTRIES)
    assert accuracy.words == sum(held_out(word) for word, _ in ENTRIES) > 0
    assert accuracy.word_accuracy == 1.0
    assert accuracy.phone_error == 0.0
    assert letters_accuracy(model, [(w, ("Z",)) for w, _ in ENTRIES]).word_accuracy == 0.0


@pytest.mark.parametrize("word", ["", "zoo", "灯", "b7", "b" * 41])
def test_foreign_words_have_no_sound(model: LetterToSound, word: str) -> None:
    assert model(word) is None


def test_storage(model: LetterToSound, tmp_path: Path) -> None:
    data = model.to_bytes()
    again = LetterToSound.from_bytes(data)
    assert again("max") == model("max") == ("M", "AE1", "K", "S")
    assert again.to_bytes() == data
    path = tmp_path / "letters.zip"
    path.write_bytes(data[:50])
    with pytest.raises(UserError, match=r"letters\.zip"):
        LetterToSound.load(path)
