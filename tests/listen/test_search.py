"""Search: ideal posteriors give back the words and times; CTC's rules hold; any cut of the frames is the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from step_audio_mini.listen import search
from step_audio_mini.listen.alignment import FRAME_SECONDS, TAIL, spans, word_shares, words_of
from step_audio_mini.listen.arcs import Arcs
from step_audio_mini.listen.search import Beam, Limits, Searcher, SearchPath
from step_audio_mini.listen.space import Weighing, join, weigh
from step_audio_mini.listen.vocabulary import FIRST_WORD, Vocabulary
from step_audio_mini.text.phones import UNITS

from .conftest import SPOKEN, posteriors, said, silence

pytestmark = pytest.mark.unit

WEIGHING = Weighing(language=0.5)
DISTINCT = ["but", "top", "the", "light", "on", "turn", "right", "把", "灯", "打开", "一", "二"]
"""Words no other sequence sounds like (`bus top` and `but stop` differ, `light stop` and `lights top` do not)."""
BASE = {word: spoken.split("|")[0] for word, spoken in SPOKEN.items()}


def searcher(graph: Arcs, limits: Limits | None = None) -> Searcher:
    return Searcher(join([weigh(graph, WEIGHING)], [1.0], WEIGHING), limits)


def texts(beam: Beam, vocabulary: Vocabulary, most: int = 5) -> list[str]:
    return [" ".join(vocabulary.word(token) for token, _ in path.words) for path in beam.paths(most)]


@settings(max_examples=20, deadline=None)
@given(
    words=st.lists(st.sampled_from(DISTINCT), min_size=1, max_size=5),
    gap=st.integers(0, 3),
)
def test_ideal_posteriors_give_the_words(general: Arcs, vocabulary: Vocabulary, words: list[str], gap: int) -> None:
    frames, places = said([BASE[word] for word in words], gap)
    log_probs = posteriors(frames, 0.9999)
    beam = searcher(general).start()
    beam.push(log_probs)
    path = beam.paths(1)[0]
    found = words_of(path, vocabulary, log_probs, [1.0] * len(path.words))
    assert [word.text for word in found] == words
    for word, (first, last) in zip(found, places, strict=True):
        assert word.start == pytest.approx(first * FRAME_SECONDS)
        assert last * FRAME_SECONDS < word.end <= (last + TAIL) * FRAME_SECONDS + 1e-6
        assert word.confidence > 0.5


def test_a_repeated_unit_needs_a_blank(general: Arcs, vocabulary: Vocabulary) -> None:
    units, _ = said([BASE["bus"], BASE["stop"]], gap=0)
    assert units[2] == units[4] != units[3] == 0
    for frames, wanted in ((units, "bus stop"), ([*units[:3], *units[4:]], "bus top")):
        beam = searcher(general).start()
        beam.push(posteriors(frames, 0.99))
        assert texts(beam, vocabulary, 1) == [wanted]


def test_nbest_is_sorted_distinct_and_finished(general: Arcs, vocabulary: Vocabulary) -> None:
    frames, _ = said([BASE["the"], BASE["light"]])
    beam = searcher(general).start()
    beam.push(posteriors(frames, 0.7))
    found = texts(beam, vocabulary)
    assert found[0] == "the light"
    assert "the right" in found
    assert len(set(found)) == len(found) == 5
    scores = [path.score for path in beam.paths(5)]
    assert scores == sorted(scores, reverse=True)
    shares = word_shares(beam.paths(5))
    assert all(0 < share <= 1 + 1e-9 for row in shares for share in row)
    assert shares[0][0] > shares[0][1]  # all readings agree on `the`, not on `light`


def test_silence_is_no_words(general: Arcs) -> None:
    beam = searcher(general).start()
    beam.push(silence(50))
    assert beam.best().words == ()
    assert beam.paths(3)[0].words == ()


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 30), max_size=5), seed=st.integers(0, 9))
def test_any_cut_of_the_frames_is_the_same(general: Arcs, cuts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (30, len(UNITS)))
    log_probs = (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32)
    whole = searcher(general, Limits(active=50)).start()
    whole.push(log_probs)
    pieces = whole._searcher.start()
    for piece in np.split(log_probs, sorted(set(cuts))):
        pieces.push(piece)
    assert pieces.paths(4) == whole.paths(4)
    assert pieces.best() == whole.best()


def test_tokens_stay_bounded(general: Arcs) -> None:
    beam = searcher(general, Limits(beam=1e6, active=40)).start()
    beam.push(np.full((40, len(UNITS)), -np.log(len(UNITS)), np.float32))
    assert len(beam._tokens.state) <= 40
    assert beam.frames == 40


def test_forgetting_dead_ways_changes_nothing_and_bounds_memory(general: Arcs, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 2, (300, len(UNITS)))
    log_probs = (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32)
    kept = []
    for room in (10**9, 400):
        monkeypatch.setattr(search, "_ROOM", room)
        beam = searcher(general, Limits(active=40)).start()
        beam.push(log_probs[:150])
        half = beam._book._rows.nbytes
        beam.push(log_probs[150:])
        kept.append((beam.paths(3), beam.best(), half, beam._book._rows.nbytes))
    assert kept[0][:2] == kept[1][:2]
    assert kept[1][3] < kept[0][3] / 4
    assert kept[1][3] < 1.6 * kept[1][2] + 50_000  # what grows is the path itself


def test_spans_of_unfinished_paths(vocabulary: Vocabulary) -> None:
    token = {word: vocabulary.token(word) for word in SPOKEN}
    units = [(UNITS.index(unit), 2 * place) for place, unit in enumerate(["DH", "IY", "L", "AY"])]
    told = ((token["the"], 0), (token["lights"], 4))
    assert spans(SearchPath(tuple(units), told, 0.0), vocabulary) == [
        (0, 2),
        (2, 4),
    ]
    assert spans(SearchPath(tuple(units), ((token["the"], 0),), 0.0), vocabulary) == [(0, 2)]
    assert spans(SearchPath((), (), 0.0), vocabulary) == []


def test_a_pack_graph_joins_and_is_preferred(general: Arcs, vocabulary: Vocabulary) -> None:
    from step_audio_mini.listen.wordgraph import compile_words
    from step_audio_mini.text.ngram import estimate

    size = FIRST_WORD + len(vocabulary)
    pack = [([vocabulary.token(w) for w in ("turn", "on", "the", "right")], 1.0)]
    spoken = ((vocabulary.token(w), u) for w in BASE for u in vocabulary.pronunciations(vocabulary.token(w)))
    graph = weigh(compile_words(spoken, estimate(pack, 3, size)), WEIGHING)
    frames, _ = said([BASE[w] for w in ("turn", "on", "the", "light")])
    blurred = posteriors(frames, 0.5)
    spot = frames.index(UNITS.index("L"))
    blurred[spot, UNITS.index("R")] = blurred[spot, UNITS.index("L")] - 1.0
    both = Searcher(join([weigh(general, WEIGHING), graph], [0.2, 0.8], WEIGHING))
    alone, joined = searcher(general).start(), both.start()
    alone.push(blurred)
    joined.push(blurred)
    assert texts(alone, vocabulary, 1) == ["turn on the light"]
    assert texts(joined, vocabulary, 1) == ["turn on the right"]
    # from the pack into the general graph and back
    frames, _ = said([BASE[w] for w in ("把", "灯", "turn", "on", "the", "right", "bus", "stop")])
    joined = both.start()
    joined.push(posteriors(frames, 0.999))
    assert texts(joined, vocabulary, 1) == ["把 灯 turn on the right bus stop"]
