"""The general language model: what goes in, and above all what does not."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from step_audio_mini.text.lexicon import Lexicon
from step_audio_mini.text.segment import segment
from step_audio_mini.train.export_search import READING
from step_audio_mini.train.language import (
    FIRST_WORD,
    Limits,
    Texts,
    chinese_costs,
    choose_words,
    gather,
    reserved_transcripts,
    spoken,
    word_ngram,
)
from step_audio_mini.train.leaks import Reserved, without_leaks

pytestmark = pytest.mark.unit


def zipped(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    rows = [
        {"split": "test", "text": "Turn it off, please."},
        {"split": "dev", "text": "把灯打开", "text_punct": "把灯打开！"},
        {"split": "train", "text": "this may be learnt"},
        {"split": "test"},
    ]
    zipped(tmp_path / "speech/pack/manifest.jsonl.gz", [json.dumps(row) for row in rows])
    return tmp_path / "speech"


def test_no_dev_or_test_sentence_goes_in(speech: Path) -> None:
    texts = ["turn it OFF please", "turn it off", "把灯 打开。", "This may be learnt!", "at 7 o'clock", "", "a " * 50]
    rows = spoken(("a", text, 1.0) for text in texts)
    kept = [" ".join(tokens) for tokens, _ in without_leaks(rows, Reserved(reserved_transcripts([speech])))]
    assert kept == ["turn it off", "this may be learnt"]


def test_sources_weigh_what_they_are_told(tmp_path: Path) -> None:
    zipped(tmp_path / "lex_zh/opencc_TSCharacters.tsv.gz", ["燈\t灯"])
    zipped(tmp_path / "lm_text/en.train.tsv.gz", ["udewt\tno", "cv:sentence-collector\tyes"])
    zipped(tmp_path / "books/en.train.tsv.gz", ["Jane Austen/Emma\tHandsome, clever, and rich."])
    zipped(tmp_path / "sentences/zh_mixed.train.tsv.gz", ["tatoeba\t打開燈"])
    zipped(tmp_path / "chinese/zh_mixed.train.tsv.gz", ["cv:first\t開門", "laws\t第一條"])
    rows = list(Texts(tmp_path, {"cv": 2.0, "books": 0.5, "tatoeba": 1.0})._to_read())
    assert rows == [
        ("cv:sentence-collector", "yes", 2.0),
        ("tatoeba", "打開灯", 1.0),
        ("cv:first", "開門", 2.0),
        ("Jane Austen/Emma", "Handsome, clever, and rich.", 0.5),
    ]


def test_words_are_chosen_by_weight_and_by_speech(tmp_path: Path) -> None:
    zipped(
        tmp_path / "lex_zh/jieba_small_freq.tsv.gz", ["打开\t50\tv", "灯\t40\tn", "打\t9\tv", "开\t9\tv", "客厅\t5\tn"]
    )
    zipped(tmp_path / "lex_zh/freq_subtitles_zh_cn_50k.tsv.gz", ["客厅\t7"])
    zipped(tmp_path / "lex_en/freq_50k.tsv.gz", ["the\t9", "zzz\t8"])
    costs = chinese_costs(tmp_path)
    english = Lexicon(dict.fromkeys(("the", "light", "rare"), (("AH0",),)))
    chosen = choose_words({"打开": 2.0, "light": 2.0, "the": 1.0, "rare": 1.0}, costs, english, tmp_path, Limits())
    assert chosen == sorted(["the", "light", "打开", "客厅", "打", "开", "灯"])
    assert segment("打开灯", costs) == ("打开", "灯")


def test_ngram_leaves_unknown_words_out() -> None:
    corpora = gather([(("turn", "zzz", "light"), 1.0)], {})
    model = word_ngram(corpora["en"], ["light", "turn"], {}, most=1000)
    light, turn = FIRST_WORD, FIRST_WORD + 1
    assert model.size == FIRST_WORD + 2
    assert model.successors((turn,)) == []
    assert [token for token, _ in model.successors((light,))] == [1]
    assert model.score((), light) > -2.0


def test_a_chinese_word_outside_the_vocabulary_is_cut_into_words_inside() -> None:
    corpora = gather([(("打", "开", "灯"), 1.0), (("hi",), 2.0)], {"打开": 1.0, "灯": 2.0})
    assert corpora["zh"].weighed() == {"打开": 1.0, "灯": 1.0}
    assert corpora["en"].weighed() == {"hi": 2.0}
    (rows,) = corpora["zh"].sentences(["开", "打", "灯"], {})
    assert rows.tokens.tolist() == [FIRST_WORD + 1, FIRST_WORD, FIRST_WORD + 2]
    assert rows.lengths.tolist() == [3]


@pytest.mark.skipif("STEP_AUDIO_TEXTS" not in os.environ, reason="needs text packs (STEP_AUDIO_TEXTS)")
def test_real_texts_hold_no_reserved_transcript() -> None:
    """STEP_AUDIO_TEXTS: folder of text packs; STEP_AUDIO_SPEECH: folders of speech packs, with the path separator."""
    folders = [Path(name) for name in os.environ["STEP_AUDIO_SPEECH"].split(os.pathsep)]
    reserved = Reserved(reserved_transcripts(folders))
    assert len(reserved) > 100
    rows = spoken(Texts(Path(os.environ["STEP_AUDIO_TEXTS"]), READING).sentences())
    kept = [tokens for tokens, _ in without_leaks(rows, reserved)]
    assert len(kept) > 10_000
    assert not any(reserved.shared(tokens) for tokens in kept)
