"""A folder of text packs, a few lines each, made for tests of the mind's training."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

EN = ["how big can elephants be", "where is my dress", "thomas took a trip to canada", "he reads the paper every day",
      "we walked along the river until night", "the train was late again"]  # fmt: skip
ZH = ["社长没订到甜点", "这两句话的意思相同", "他每天都看报纸", "我们沿着河边走到天黑", "火车又晚点了", "大象能长多大"]


def make_texts(folder: Path) -> Path:
    """lm_text, msbot, nlu_en, lex_en and lex_zh in the layout of the text packs."""
    for split in ("train", "dev", "test"):
        write(folder / f"lm_text/en.{split}.tsv.gz", [f"t\t{s}" for s in EN])
        write(folder / f"lm_text/zh_hans.{split}.tsv.gz", [f"t\t{s}" for s in ZH])
        chat = [{"lang": "en-us", "q": "are you a robot"}, {"lang": "zh-cn", "q": "你是机器人吗"}]
        write(folder / f"msbot/chitchat.{split}.jsonl.gz", [json.dumps(row) for row in chat])
        clinc = [{"text": "what is my balance", "intent": "balance"}, {"text": "set a timer", "intent": "timer"}]
        write(folder / f"nlu_en/clinc150.{split}.jsonl.gz", [json.dumps(row) for row in clinc])
    write(folder / "lex_en/freq_50k.tsv.gz", ["you\t3", "kitchen\t2", "chicken\t1", "night\t1"])
    write(folder / "lex_en/cmudict.tsv.gz", ["kitchen\tK IH1 CH AH0 N", "chicken\tCH IH1 K AH0 N", "light\tL AY1 T",
                                             "night\tN AY1 T", "you\tY UW1"])  # fmt: skip
    write(folder / "lex_zh/freq_subtitles_zh_cn_50k.tsv.gz", ["的\t3", "灯\t2", "等\t2", "课\t1"])
    return folder


def write(path: Path, lines: list[str]) -> None:
    """Lines as a gzip file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
