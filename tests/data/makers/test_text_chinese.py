"""Chinese text of many kinds: each collection gives its sentences, one that two of them hold comes once."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from step_audio_mini.data.makers import text_chinese
from step_audio_mini.data.makers.repository import Repository
from step_audio_mini.data.makers.text_chinese import prose
from step_audio_mini.data.makers.text_maker import TextFiles

from .clones import clone

pytestmark = pytest.mark.unit

COLLECTIONS = {
    text_chinese.FIRST_LIST: {"server/data/zh-CN/wiki.zh-cn.txt": "这座桥位于北方。\n"},
    text_chinese.TRANSCRIPTS: {
        "zh-CN/train.tsv": "path\tsentence\na.mp3\t他是一位诗人。\n",
        "zh-CN/reported.tsv": "reason\nnone\n",
        "en/train.tsv": "path\tsentence\nb.mp3\tHello there.\n",
    },
    text_chinese.WIKI_SENTENCES: {
        f"data/zh/{part}.txt": "这座 桥 位于 北方 。\n" for part in ("train", "valid", "test")
    },
    text_chinese.WIKI_ARTICLES: {"docs/words_txt/x.txt": "小河向东流去。\n"},
    text_chinese.WIKI_FILE: {
        "data/zhwiki/AA/wiki_00": '<doc id="1">\n数学是一门学科。\n</doc>\n'
        + json.dumps({"text": "题目\n物理也是学科。"})
    },
    text_chinese.TAIWAN: {
        "knowledge/Food/茶.md": "---\ntitle: 喝茶吧。\n---\n# 標題很長。\n茶是一種飲料[^1]。\n",
        "knowledge/ja/茶.md": "茶は飲み物です。\n",
        "knowledge/Food/茶.en.md": "茶是一種英文。\n",
    },
    text_chinese.TALKS: {
        "2001 a.xml": "<debate><p>我們開始&lt;吧&gt;，謝謝大家。</p></debate>",
        "2001 b.xml": "<p>這一份不要看了。</p>",
    },
    text_chinese.LAWS: {
        "民法/a.md": "# 民法通则题目\n第十三条 公民享有权利。\n",
        "DLC/某市/b.md": "第一条 地方的规定。\n",
    },
}


def test_each_collection_gives_what_is_read_of_it(tmp_path: Path) -> None:
    for name, files in COLLECTIONS.items():
        clone(tmp_path / "m", name.partition("@")[0], files)
    out = tmp_path / "out"
    out.mkdir()
    text_chinese._fill_chinese(
        TextFiles(out, frozenset()), lambda name: Repository(tmp_path / "m", name.partition("@")[0])
    )
    assert gzip.decompress((out / "zh_mixed.train.tsv.gz").read_bytes()).decode().splitlines() == [
        "cv:first\t这座桥位于北方。",
        "cv:first\t他是一位诗人。",
        "wikipedia\t小河向东流去。",
        "wikipedia\t数学是一门学科。",
        "wikipedia\t物理也是学科。",
        "taiwan\t茶是一種飲料。",
        "talks\t我們開始<吧>，謝謝大家。",
        "laws\t公民享有权利。",
    ]


def test_prose_of_a_page() -> None:
    page = "# 題。\n- 一項。\n> 引。\n| 表。|\n沒有句點\n**[茶](http://x)**是[[飲料|喝的]]，見[[茶壺]]。"
    assert list(prose(page)) == ["茶是喝的，見茶壺。"]
