"""Word graphs: costs are the n-gram's, storage keeps the graph, contexts are cached."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from step_audio_mini.listen.arcs import Arcs, from_bytes, from_fst, to_bytes, to_fst
from step_audio_mini.listen.context import context
from step_audio_mini.listen.recogniser import WordModel
from step_audio_mini.listen.vocabulary import FIRST_WORD, Vocabulary, spoken_chinese
from step_audio_mini.listen.wordgraph import LINK_IN, LINK_OUT, compile_words
from step_audio_mini.text.ngram import estimate
from step_audio_mini.text.phones import UNIT_INDEX

pytestmark = pytest.mark.unit


def cheapest(graph: Arcs, units: list[str]) -> dict[tuple[int, ...], float]:
    """Cost of each word sequence that the graph gives the units, by walking all ways (small graphs only)."""
    labels = [UNIT_INDEX[unit] for unit in units]
    found: dict[tuple[int, ...], float] = {}
    todo: list[tuple[int, int, float, tuple[int, ...]]] = [(0, 0, 0.0, ())]
    while todo:
        state, place, cost, words = todo.pop()
        if place == len(labels) and np.isfinite(graph.final[state]):
            total = cost + float(graph.final[state])
            found[words] = min(total, found.get(words, np.inf))
        for arc in range(graph.first[state], graph.first[state + 1]):
            unit, word = int(graph.unit[arc]), int(graph.word[arc])
            step = 0 if unit == 0 else 1
            if step and (place == len(labels) or labels[place] != unit):
                continue
            longer = (*words, word) if word else words
            todo.append((int(graph.target[arc]), place + step, cost + float(graph.cost[arc]), longer))
    return found


def test_costs_are_those_of_the_ngram() -> None:
    corpus = [([2, 3, 4], 1.0), ([2, 4], 2.0), ([3], 1.0)]
    model = estimate(corpus, 3, 5)
    spoken = {2: ("K", "AE"), 3: ("K", "AE", "T"), 4: ("T",)}
    graph = compile_words(spoken.items(), model)
    for words in ((2, 4), (3,), (2, 3, 4), (4, 4)):
        found = cheapest(graph, [unit for word in words for unit in spoken[word]])
        # back-off arcs make other ways possible; the listed n-gram is never dearer than its model
        assert found[words] <= -model.sentence(words) + 1e-2
        assert found[words] >= -model.sentence(words) - 1.0
    assert set(cheapest(graph, ["K", "AE", "T"])) == {(2, 4), (3,)}


def test_homophones_and_prefixes_all_stay(general: Arcs, vocabulary: Vocabulary) -> None:
    found = cheapest(general, ["R", "AY", "T"])
    assert {vocabulary.word(words[0]) for words in found} == {"right", "write"}


def test_storage_keeps_the_graph(general: Arcs) -> None:
    again = from_bytes(to_bytes(general))
    assert to_bytes(again) == to_bytes(general)
    assert again.states == general.states
    assert sorted(again.unit.tolist()) == sorted(general.unit.tolist())
    for units in (["R", "AY", "T"], ["B", "AH", "S"]):
        before, after = cheapest(general, units), cheapest(again, units)
        assert before.keys() == after.keys()
        for words, cost in before.items():
            assert after[words] == pytest.approx(cost, abs=0.3)
    for label in (LINK_IN, LINK_OUT):
        assert (again.unit == label).sum() == 1
    many = replace(general, word=general.word * 40_000)
    assert sorted(from_bytes(to_bytes(many)).word.tolist()) == sorted(many.word.tolist())


def test_openfst_files_there_and_back(general: Arcs, tmp_path: Path) -> None:
    graph = from_fst(to_fst(general, tmp_path / "graph.fst"))
    for name in ("unit", "word", "cost", "target", "first", "final"):
        np.testing.assert_array_equal(getattr(graph, name), getattr(general, name))


def test_context_knows_new_words_and_skips_unknown_ones(word_model: WordModel) -> None:
    found = context(
        [("turn on the lamp 7 zzz", 1.0), ("把泵打开", 2.0)], word_model.vocabulary, word_model.pronounce, None
    )
    assert found is not None
    words = [word for word, _ in found.vocabulary.since(len(word_model.vocabulary))]
    assert words == ["lamp", "泵"]
    assert {found.vocabulary.word(t) for t in found.graph.word[found.graph.word > 0].tolist()} == {
        "turn", "on", "the", "lamp", "把", "泵", "打开",
    }  # fmt: skip
    assert context([("7 8", 1.0)], word_model.vocabulary, word_model.pronounce, None) is None
    assert context([], word_model.vocabulary, word_model.pronounce, None) is None


def test_context_cache(word_model: WordModel, tmp_path: Path) -> None:
    def build(cache: Path | None, sentence: str = "turn on the lamp") -> tuple[bytes, list[str]]:
        found = context([(sentence, 1.0)], word_model.vocabulary, word_model.pronounce, cache)
        assert found is not None
        return to_bytes(found.graph), found.vocabulary.words

    plain = build(None)
    folder = tmp_path / "cache"
    assert build(folder) == plain == build(folder)
    (file,) = folder.iterdir()
    file.write_bytes(b"damaged")
    assert build(folder) == plain
    assert build(folder, "turn the lamp") != plain
    assert len(list(folder.iterdir())) == 2
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    assert build(blocked / "below") == plain


def test_vocabulary_text(vocabulary: Vocabulary) -> None:
    again = Vocabulary.from_text(vocabulary.to_text())
    assert again.words == vocabulary.words
    assert again.costs == vocabulary.costs
    assert again.key == vocabulary.key
    assert again.token("bus") == FIRST_WORD
    assert again.pronunciations(again.token("the")) == (("DH", "AH"), ("DH", "IY"))


def test_chinese_by_pypinyin() -> None:
    assert spoken_chinese("客厅") == (("k", "e4", "t", "ing1"),)
    assert spoken_chinese("绿色") == (("l", "v4", "s", "e4"),)
    assert spoken_chinese("lamp") == ()
