"""Every maker of text on a tiny clone with the layout of its source."""

from __future__ import annotations

import gzip
import io
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.data.makers import text_maker
from step_audio_mini.data.makers.catalogue import TEXT_MAKERS
from step_audio_mini.data.makers.text_home import Sampler, parse
from step_audio_mini.data.makers.text_maker import TextFiles, bare, fingerprint, held_out, make_text, split_of
from step_audio_mini.data.makers.text_requests import _annotated, _braced, _joined, _squeezed
from step_audio_mini.data.packs import Clip

from .clones import clone

pytestmark = pytest.mark.unit


def made(name: str, tmp_path: Path, forbidden: frozenset[str] = frozenset()) -> dict[str, list[str]]:
    """Lines of each file of a text pack made from the clones below `tmp_path/m`."""
    folder, _ = make_text(TEXT_MAKERS[name], tmp_path / "m", tmp_path / "out", forbidden)
    return {
        p.name.removesuffix(".gz"): gzip.decompress(p.read_bytes()).decode().splitlines() for p in folder.glob("*.gz")
    }


def all_rows(files: dict[str, list[str]], stem: str) -> list[Any]:
    return [json.loads(line) for name, lines in files.items() if name.startswith(stem) for line in lines]


def test_a_sentence_of_test_is_in_no_easier_split(tmp_path: Path) -> None:
    files = TextFiles(tmp_path, frozenset({"saidintest"}))
    rows = [
        ("train", "a\tHello!"),
        ("test", "a\thello"),
        ("dev", "a\tHi."),
        ("train", "a\tSaid in test."),
        ("train", "b\tNew"),
    ]
    files.by_split("x", rows, "tsv")
    assert files.rows == {"x.test.tsv": 1, "x.dev.tsv": 1, "x.train.tsv": 1}
    files.by_split(
        "y", [("train", {"lang": "zh", "text": "好"}), ("test", {"lang": "en", "text": "好"}), ("test", {"turns": []})]
    )
    assert files.rows["y.train.jsonl"] == 1
    assert files.rows["y.test.jsonl"] == 2


@given(st.text("ab 你!', ", max_size=20))
def test_no_train_sentence_equals_a_held_out_transcript(text: str) -> None:
    clip = Clip("a", "p", "test", 1.0, "", "", text=text)
    forbidden = held_out([clip])
    assert (bare(text.upper()) in forbidden) == bool(bare(text) or text)


def test_reserved_sentences_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(text_maker.reserved_sentences()) > 400
    monkeypatch.setattr(text_maker, "reserved_sentences", lambda: frozenset({fingerprint("secretwords")}))
    files = TextFiles(tmp_path, frozenset())
    files.by_split("x", [("train", "a\tSecret words!"), ("train", "a\tother words")], "tsv")
    assert files.rows == {"x.train.tsv": 1}


def test_lexicons(tmp_path: Path) -> None:
    clone(tmp_path / "m", "cmusphinx/cmudict", {"cmudict.dict": "read R EH1 D\nread(2) R IY1 D # verb\n"})
    lists = {"content/2018/en/en_50k.txt": "the 9\n", "content/2018/zh_cn/zh_cn_50k.txt": "的 9\n"}
    clone(tmp_path / "m", "hermitdave/FrequencyWords", lists)
    clone(tmp_path / "m", "fxsjy/jieba", {"extra_dict/dict.txt.small": "今天 5 t\n"})
    clone(tmp_path / "m", "BYVoid/OpenCC", {"data/dictionary/TSCharacters.txt": "# table\n萬\t万\n"})
    clone(
        tmp_path / "m",
        "kakaobrain/g2pM",
        {f"data/{p}.{e}": t for p in ("dev", "test") for e, t in (("sent", "银▁行▁\n"), ("lb", "hang2\n"))},
    )
    english = made("lex_en", tmp_path)
    assert english["cmudict.tsv"] == ["read\tR EH1 D", "read\tR IY1 D"]
    chinese = made("lex_zh", tmp_path)
    assert chinese["opencc_TSCharacters.tsv"] == ["萬\t万"]
    assert chinese["polyphone_cpp.test.tsv"] == ["银行\t1\thang2"]


def test_sentences(tmp_path: Path) -> None:
    voice = {"server/data/en/a.txt": "Hello there, you.\nhttps://x.y z\nSaid in a test\nhello there you\n"}
    voice |= {
        "server/data/zh-CN/b.txt": "今天天气好。\nOK\n",
        "server/data/zh-TW/c.txt": "今天天氣好\n",
        "server/data/zh-HK/d.txt": "今日天氣好\n",
    }
    clone(tmp_path / "m", "mozilla/common-voice", voice)
    tree = "# text = A treebank sentence.\n1\tA\n"
    parts = {
        "English-EWT": ("en_ewt", ("dev", "test")),
        "English-Atis": ("en_atis", ("train", "dev", "test")),
        "Chinese-GSDSimp": ("zh_gsdsimp", ("dev", "test")),
    }
    for bank, (name, splits) in parts.items():
        clone(tmp_path / "m", f"UniversalDependencies/UD_{bank}", {f"{name}-ud-{part}.conllu": tree for part in splits})
    files = made("lm_text", tmp_path, frozenset({"saidinatest"}))
    english = [line for name, lines in files.items() if name.startswith("en.") for line in lines]
    assert sorted(english) == ["cv:a\tHello there, you.", "udewt\tA treebank sentence."]
    facts = json.loads((tmp_path / "out" / "lm_text" / "sources.json").read_text())
    assert facts["licence"].startswith("CC0")
    assert len(facts["sources"]) == 4


def test_smalltalk(tmp_path: Path) -> None:
    talk = "categories: [food]\nconversations:\n- ['hungry?', always]\n- [alone]\n"
    folders = ("english", "chinese", "traditionalchinese")
    clone(
        tmp_path / "m", "gunthercox/chatterbot-corpus", {f"chatterbot_corpus/data/{f}/food.yml": talk for f in folders}
    )
    table = "Query\tResponse\tScenario\nHi\tHello\tScenario:greet\n"
    clone(
        tmp_path / "m",
        "ntulsi/BotBuilder-PersonalityChat",
        {"CSharp/Datasets/Queries_Responses_Friendly_QnAMaker.tsv": table},
    )
    rows = all_rows(made("smalltalk", tmp_path), "pairs")
    assert {(row["lang"], row["cat"], row["turns"][0]) for row in rows} == {
        *((language, "food", "hungry?") for language in ("en", "zh-cn", "zh-tw")),
        ("en", "friendly:greet", "Hi"),
    }


def test_english_requests(tmp_path: Path) -> None:
    pieces = {"PlayMusic": [{"data": [{"text": " play "}, {"text": "queen", "entity": "artist"}]}]}
    path = "2017-06-custom-intent-engines/PlayMusic/train_PlayMusic_full.json"
    clone(tmp_path / "m", "sonos/nlu-benchmark", {path: json.dumps(pieces)})
    base = "CrossValidation/autoGeneFromRealAnno/autoGene_2018_03_22-13_01_25_169/CrossValidation"
    head = "answerid;scenario;intent;answer_annotation\n"
    folds = {
        f"{base}/KFold_{n}/testset/csv/a.csv": f"{head}{n};music;play;play [artist : queen] {n}\n" for n in range(1, 11)
    }
    folds[f"{base}/KFold_3/testset/csv/a.csv"] = f"{head}3;music;play;said by slurp\n"
    clone(tmp_path / "m", "xliuhw/NLU-Evaluation-Data", folds)
    slurp = json.dumps({"sentence_annotation": "said by [who : slurp]"})
    clone(tmp_path / "m", "pswietojanski/slurp", {f"dataset/slurp/{p}.jsonl": slurp + "\n" for p in ("devel", "test")})
    clinc = {
        "data/domains.json": '{"banking": ["balance"]}',
        "data/data_full.json": '{"val": [["how much", "balance"]], "oos_test": [["why", "oos"]]}',
    }
    clone(tmp_path / "m", "clinc/oos-eval", clinc)
    files = made("nlu_en", tmp_path)
    (snips,) = all_rows(files, "snips")
    assert (snips["text"], snips["slots"]) == ("play queen", [["artist", 5, 10]])
    assert len(all_rows(files, "hwu64")) == 9
    assert json.loads(files["hwu64.test.jsonl"][0])["slots"] == [["artist", 5, 10]]
    assert {(row["text"], row["domain"]) for row in all_rows(files, "clinc150")} == {
        ("how much", "banking"),
        ("why", "oos"),
    }


def test_assistants(tmp_path: Path) -> None:
    skills = {
        "musicskill/Deployment/Resources/LU/en-us/music.lu": "\n".join(
            ["> # Play", "# PlayMusic", "- play {Artist=queen} now", "- {Artist}", "$x:y", "- lost"]
        ),
        "musicskill/Deployment/Resources/LU/zh-cn/music.lu": "# PlayMusic\n- 播放 {Artist=周杰伦} 的歌\n",
        "itsmskill/Deployment/Resources/LU/en-us/itsm.lu": "# A\n- dropped\n",
    }
    files_by_path = {f"skills/csharp/{path}": text for path, text in skills.items()}
    clone(tmp_path / "m", "microsoft/botframework-skills", files_by_path)
    page = "# ? Hi\n- Hello\n- editorial = chitchat\n```markdown\nHey there\n```\n"
    root = "templates/csharp/VA/VA/Deployment/Resources/QnA"
    clone(
        tmp_path / "m",
        "microsoft/botframework-solutions",
        {f"{root}/{x}/Chitchat.qna": page for x in ("zh-cn", "en-us")},
    )
    files = made("msbot", tmp_path)
    assert {(row["text"], str(row["slots"])) for row in all_rows(files, "intents")} == {
        ("play queen now", "[['Artist', 5, 10]]"), ("播放周杰伦的歌", "[['Artist', 2, 5]]"),
    }  # fmt: skip
    assert {(row["lang"], row["q"], row["a"]) for row in all_rows(files, "chitchat")} == {
        (lang, q, "Hey there") for lang in ("zh-cn", "en-us") for q in ("Hi", "Hello")
    }


def test_dialogues(tmp_path: Path) -> None:
    def zipped(content: object) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("x.json", json.dumps(content))
        return out.getvalue()

    message = {"role": "usr", "content": "你好", "dialog_act": []}
    dialogue = {"7": {"type": "t", "goal": [], "task description": [], "messages": [message]}}
    clone(
        tmp_path / "m",
        "thu-coai/CrossWOZ",
        {f"data/crosswoz/{part}.json.zip": zipped(dialogue) for part in ("val", "test")},
    )
    assert all_rows(made("crosswoz", tmp_path), "dialogues.test")[0]["turns"] == [{"r": "u", "t": "你好", "a": []}]
    film = json.dumps(
        [{"name": "x", "messages": [{"message": "看过吗", "attrs": [{"name": "a", "attrname": "b", "attrvalue": 1}]}]}]
    )
    clone(
        tmp_path / "m",
        "thu-coai/KdConv",
        {f"data/{d}/{p}.json": film for d in ("film", "music", "travel") for p in ("dev", "test")},
    )
    assert all_rows(made("kdconv", tmp_path), "dialogues.test")[0]["turns"] == [{"t": "看过吗", "k": [["a", "b", "1"]]}]
    order = {"conversation_id": "c", "scenario": "coffee", "utterances": [{"speaker": "USER", "text": "a\\rlatte "}]}
    clone(tmp_path / "m", "google-research-datasets/Taskmaster", {"TM-4-2024/data/a.json": json.dumps([order])})
    (row,) = all_rows(made("taskmaster4", tmp_path), "coffee")
    assert row["turns"] == [{"r": "u", "t": "a latte", "a": []}]


def test_home(tmp_path: Path) -> None:
    home = "entities: [{name: Lamp, id: light.lamp}, {name: Fan, id: fan.fan}]\nareas: [{name: Den}]\n"
    common = "expansion_rules: {begin: '(turn|switch) on'}\nlists: {brightness: {range: {from: 5, to: 5}}}\n"
    block = "{sentences: ['<begin> [the] {name} {brightness}'], slots: {domain: light}}"
    content: dict[str, str] = {}
    for language in ("en", "zh-cn", "zh-hk", "zh-tw"):
        content[f"tests/{language}/_fixtures.yaml"] = home
        content[f"sentences/{language}/_common.yaml"] = common
        content[f"sentences/{language}/light_HassTurnOn.yaml"] = f"intents: {{HassTurnOn: {{data: [{block}]}}}}\n"
    clone(tmp_path / "m", "home-assistant/intents", content)
    rows = all_rows(made("ha_intents", tmp_path), "generated")
    english = [row for row in rows if row["lang"] == "en"]
    assert {row["text"] for row in english} == {
        f"{verb} on {the}Lamp 5" for verb in ("turn", "switch") for the in ("the ", "")
    }
    assert english[0]["slots"] == [["name", "Lamp", "Lamp"], ["brightness", "5", 5]]
    assert english[0]["fixed"] == {"domain": "light"}


def test_templates() -> None:
    def draw(template: str, seed: int = 0) -> str:
        lists: dict[str, Any] = {
            "x": {"values": ["one", {"in": "two [more]", "out": 2}]},
            "n": {"range": {"from": 1, "to": 9, "multiplier": 10}},
        }
        return Sampler(lists, {"r": "<r>"}, random.Random(seed)).draw(parse(template), [])

    assert draw("plain \\[text") == "plain [text"
    assert {draw("(a|b)", seed) for seed in range(20)} == {"a", "b"}
    assert {draw("(a;b)", seed) for seed in range(20)} == {"a b", "b a"}
    assert {draw("x[ y]", seed) for seed in range(20)} == {"x", "x y"}
    assert {draw("{x:slot}", seed) for seed in range(40)} == {"one", "two", "two more"}
    with pytest.raises(ValueError, match="never end"):
        draw("<r>")
    for wrong in ("(a", "{a", "[b", "(a]"):
        with pytest.raises(ValueError):
            parse(wrong)


def test_marked_texts() -> None:
    assert _annotated("play [artist : queen] [n:5]") == ("play queen 5", [["artist", 5, 10], ["n", 11, 12]])
    assert _joined([{"text": " to "}, {"text": "x", "entity": "e"}]) == ("to x", [["e", 3, 4]])
    assert _braced("a {N=b {M=c}} d") == ("a b c d", [["N", 2, 5], ["M", 4, 5]])
    assert _braced("{N}") is None
    assert _braced("a {N=b") is None
    assert _squeezed("放 歌 ok now", [["s", 2, 3]]) == ("放歌ok now", [["s", 1, 2]])


def test_split_of_is_stable() -> None:
    assert [split_of(f"{n}", 10, 10) for n in range(12)] == [split_of(f"{n}", 10, 10) for n in range(12)]
    parts = [split_of(f"{n}", 10, 20) for n in range(3000)]
    assert parts.count("test") / 3000 == pytest.approx(0.2, abs=0.03)
