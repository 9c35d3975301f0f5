"""Corpora in the layout of their owners, tiny."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from step_audio_mini.data.makers.catalogue import MAKERS
from step_audio_mini.data.makers.maker import make
from step_audio_mini.data.makers.official import CORPORA, make_official
from step_audio_mini.data.packs import Clip, read_manifest
from step_audio_mini.errors import UserError

from .clones import clone, sound

pytestmark = pytest.mark.unit


def unpack(folder: Path, content: dict[str, bytes | str]) -> Path:
    for path, data in content.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data if isinstance(data, bytes) else data.encode())
    return folder


def made(name: str, folder: Path, tmp_path: Path) -> dict[str, Clip]:
    pack, _ = make_official(CORPORA[name], folder, tmp_path / "out")
    return {clip.id: clip for clip in read_manifest(pack)}


def test_librispeech(tmp_path: Path) -> None:
    content: dict[str, bytes | str] = {"LibriSpeech/SPEAKERS.TXT": "; x\n84 | F | dev-clean | 8 | name\n"}
    for number, subset in enumerate(("train-clean-100", "dev-clean", "test-other")):
        place = f"LibriSpeech/{subset}/8{number}/12"
        content[f"{place}/8{number}-12.trans.txt"] = f"8{number}-12-0000 HELLO THERE YOU\n"
        content[f"{place}/8{number}-12-0000.flac"] = sound(1.5, seed=number, form="FLAC")
    clips = made("librispeech", unpack(tmp_path / "in", content), tmp_path)
    assert {clip.split for clip in clips.values()} == {"train", "dev", "test"}
    clip = clips["librispeech/82-12-0000"]
    assert (clip.text, clip.speaker, clip.split) == ("hello there you", "libri-82", "test")
    assert clip.source == "librispeech:LibriSpeech/test-other/82/12/82-12-0000.flac"
    assert clip.labels["subset"] == "test-other"


def test_aishell(tmp_path: Path) -> None:
    pytest.importorskip("opencc")
    one: dict[str, bytes | str] = {"transcript/aishell_transcript_v0.8.txt": "BAC009S0002W0122 而 对 楼市\n"}
    one["wav/train/S0002/BAC009S0002W0122.wav"] = sound(1.5)
    (clip,) = made("aishell1", unpack(tmp_path / "one", one), tmp_path).values()
    assert (clip.text, clip.speaker, clip.split) == ("而对楼市", "S0002", "train")
    assert clip.pinyin.split()[0] == "er2"
    three: dict[str, bytes | str] = {"test/content.txt": "SSB00050001.wav\t广 guang2 州 zhou1\n"}
    three["test/wav/SSB0005/SSB00050001.wav"] = sound(1.0, 44100)
    (clip,) = made("aishell3", unpack(tmp_path / "three", three), tmp_path).values()
    assert (clip.text, clip.speaker, clip.split) == ("广州", "SSB0005", "test")


def test_common_voice(tmp_path: Path) -> None:
    pytest.importorskip("opencc")
    head = "client_id\tpath\tsentence\tage\tgender\n"
    content: dict[str, bytes | str] = {}
    for locale, text in (("en", "Hello there"), ("zh-CN", "你好。")):
        for number, split in enumerate(("train", "dev", "test")):
            name = f"{locale}{number}.mp3"
            content[f"cv/{locale}/{split}.tsv"] = f"{head}client{number:07d}long\t{name}\t{text}\t\t\n"
            content[f"cv/{locale}/clips/{name}"] = sound(1.5, seed=number + len(text))
    clips = made("common_voice", unpack(tmp_path / "in", content), tmp_path)
    assert len(clips) == 6
    assert (clips["common_voice/zh-CN1"].text, clips["common_voice/zh-CN1"].split) == ("你好", "dev")
    english = clips["common_voice/en2"]
    assert (english.lang, english.labels["subset"]) == ("en", "en")
    # as in the packs that the shipped ears were trained on, so that a speaker is known again
    assert (english.speaker, clips["common_voice/zh-CN1"].speaker) == ("cv-client000000", "cvclient000000")


def test_thchs30(tmp_path: Path) -> None:
    pytest.importorskip("opencc")
    content: dict[str, bytes | str] = {}
    for number, (name, split) in enumerate((("A11_0", "train"), ("C12_500", "dev"), ("D31_750", "test"))):
        content[f"data_thchs30/data/{name}.wav"] = sound(1.5, seed=number)
        content[f"data_thchs30/data/{name}.wav.trn"] = "绿 是 阳春\nlv4 shi4 yang2 chun1\nl v4\n"
        content[f"data_thchs30/{split}/{name}.wav.trn"] = f"../data/{name}.wav.trn\n"
    clips = made("thchs30", unpack(tmp_path / "in", content), tmp_path)
    assert {name: clip.split for name, clip in clips.items()} == {
        "thchs30/A11_0": "train",
        "thchs30/C12_500": "dev",
        "thchs30/D31_750": "test",
    }
    clip = clips["thchs30/D31_750"]
    assert (clip.text, clip.pinyin, clip.speaker) == ("绿是阳春", "lv4 shi4 yang2 chun1", "thchs30-D31")
    assert clip.source == "thchs30:data_thchs30/data/D31_750.wav"


def test_a_copy_of_speech_to_intent_makes_the_pack_of_the_clone(tmp_path: Path) -> None:
    names = [f"{n}.wav" for n in range(12)]
    labels = {name: {"intent": "orderDrink", "slots": {"size": f" large {name}"}} for name in names}
    content: dict[str, bytes | str] = {"data/label/label.json": json.dumps(labels)}
    content |= {f"data/speech/clean/{name}": sound(seed=n) for n, name in enumerate([*names, "unlabelled.wav"])}
    clone(tmp_path / "m", "Picovoice/speech-to-intent-benchmark", content)
    clips = made("sti", unpack(tmp_path / "in", content), tmp_path)
    folder, _ = make(MAKERS["sti"], tmp_path / "m", tmp_path / "cloned")
    cloned = {clip.id: clip for clip in read_manifest(folder)}
    assert {name: (c.split, c.speaker) for name, c in clips.items()} == {
        name: (c.split, c.speaker) for name, c in cloned.items()
    }
    assert len(clips) == 12
    assert clips["sti/3"].labels["slots"] == {"size": "large 3.wav"}


def test_wrong_folders(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no folder"):
        make_official(CORPORA["librispeech"], tmp_path / "gone", tmp_path / "out")
    with pytest.raises(UserError, match=r"does not look like aishell1.*transcript"):
        make_official(CORPORA["aishell1"], tmp_path, tmp_path / "out")
    bad: dict[str, bytes | str] = {"x/test-clean/1/2/1-2.trans.txt": "1-2-0000 GONE\n"}
    with pytest.raises(UserError, match=r"1-2-0000\.flac cannot be read"):
        make_official(CORPORA["librispeech"], unpack(tmp_path / "in", bad), tmp_path / "out")


@pytest.mark.parametrize("name", CORPORA)
def test_an_empty_folder_is_no_corpus(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=f"does not look like {name}: it should hold"):
        make_official(CORPORA[name], tmp_path / "empty", tmp_path / "out")
