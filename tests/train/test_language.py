"""The general language model: what goes in, and above all what does not."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from step_audio_mini.text.lexicon import Lexicon, words
from step_audio_mini.text.segment import segment
from step_audio_mini.train.language import (
    FIRST_WORD,
    Limits,
    Texts,
    chinese_costs,
    choose_words,
    clean,
    fingerprint,
    reserved_transcripts,
    word_ngram,
)

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
    kept = [text for text, _ in clean([(text, 1.0) for text in texts], reserved_transcripts([speech]))]
    assert kept == ["turn it off", "This may be learnt!"]


def test_share_alike_lines_stay_out(tmp_path: Path) -> None:
    zipped(tmp_path / "a.tsv.gz", ["udewt\tno", "cv:sentence-collector\tyes"])
    assert list(Texts(tmp_path)._lines("a.tsv.gz", 2.0)) == [("yes", 2.0)]


def test_words_are_chosen_by_weight_and_by_speech(tmp_path: Path) -> None:
    zipped(
        tmp_path / "lex_zh/jieba_small_freq.tsv.gz", ["打开\t50\tv", "灯\t40\tn", "打\t9\tv", "开\t9\tv", "客厅\t5\tn"]
    )
    zipped(tmp_path / "lex_zh/freq_subtitles_zh_cn_50k.tsv.gz", ["客厅\t7"])
    zipped(tmp_path / "lex_en/freq_50k.tsv.gz", ["the\t9", "zzz\t8"])
    costs = chinese_costs(tmp_path)
    english = Lexicon(dict.fromkeys(("the", "light", "rare"), (("AH0",),)))
    chosen = choose_words([("打开 the light light rare 打开", 1.0)], costs, english, tmp_path, Limits())
    assert chosen == sorted(["the", "light", "打开", "客厅", "打", "开", "灯"])
    assert segment("打开灯", costs) == ("打开", "灯")


def test_ngram_is_cut_at_unknown_words() -> None:
    model = word_ngram([("turn zzz light", 1.0)], ["light", "turn"], {}, prune=0.0)
    light, turn = FIRST_WORD, FIRST_WORD + 1
    assert model.size == FIRST_WORD + 2
    assert [token for token, _ in model.successors((turn,))] == [1]
    assert model.score((), light) > -2.0


@pytest.mark.skipif("STEP_AUDIO_TEXTS" not in os.environ, reason="needs text packs (STEP_AUDIO_TEXTS)")
def test_real_texts_hold_no_reserved_transcript() -> None:
    """STEP_AUDIO_TEXTS: folder of text packs; STEP_AUDIO_SPEECH: folders of speech packs, with the path separator."""
    folders = [Path(name) for name in os.environ["STEP_AUDIO_SPEECH"].split(os.pathsep)]
    reserved = {fingerprint(text) for text in reserved_transcripts(folders)}
    assert len(reserved) > 100
    kept = {
        " ".join(words(text)) for text, _ in clean(Texts(Path(os.environ["STEP_AUDIO_TEXTS"])).sentences(), reserved)
    }
    assert len(kept) > 10_000
    assert not kept & reserved
