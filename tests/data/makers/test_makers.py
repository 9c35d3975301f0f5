"""Every maker on a tiny clone with the layout of its source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from step_audio_mini.data.makers import backgrounds, chinese_text
from step_audio_mini.data.makers.backgrounds import Source, decay_time, shaped_response
from step_audio_mini.data.makers.catalogue import MAKERS, find
from step_audio_mini.data.makers.common_voice import DELTAS
from step_audio_mini.data.makers.maker import make
from step_audio_mini.data.makers.speaker_clusters import clusters, fingerprint
from step_audio_mini.data.packs import Clip, read_manifest
from step_audio_mini.errors import UserError

from .clones import clone, sound

pytestmark = pytest.mark.unit

CV_HEAD = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccents\n"


def made(name: str, tmp_path: Path) -> dict[str, Clip]:
    """Clips by id of a pack made from the clones below `tmp_path/m`."""
    folder, _ = make(MAKERS[name], tmp_path / "m", tmp_path / "out")
    return {clip.id: clip for clip in read_manifest(folder)}


def voices(head: str, rows: list[tuple[str, str, str]], folder: str, **extra: str) -> dict[str, Any]:
    """Table and clips of a Common Voice release: rows of (client, file, sentence)."""
    lines = [
        f"{client}\t{name}\t{text}\t2\t0\ttwenties\tmale\t{extra.get('accent', '')}\n" for client, name, text in rows
    ]
    clips = {f"{folder}/{name}": sound(2.0, seed=hash_of(name)) for _, name, _ in rows}
    return {"table": head + "".join(lines)} | clips


def hash_of(text: str) -> int:
    return sum(ord(c) * (n + 1) for n, c in enumerate(text))


def test_so762(tmp_path: Path) -> None:
    content: dict[str, Any] = {}
    for part, speaker in (("train", "0001"), ("test", "0002")):
        utterance = f"{speaker}0001"
        tables = {"text": "HELLO THERE", "utt2spk": speaker, "wav.scp": f"WAVE/SPEAKER{speaker}/{utterance}.WAV"}
        content |= {f"{part}/{name}": f"{utterance}\t{value}\n" for name, value in tables.items()}
        content |= {f"{part}/spk2age": f"{speaker}\t9\n", f"{part}/spk2gender": f"{speaker}\tm\n"}
        content[f"WAVE/SPEAKER{speaker}/{utterance}.WAV"] = sound(2.0, seed=int(speaker))
    clone(tmp_path / "m", "jimbozhang/speechocean762", content)
    clips = made("so762", tmp_path)
    clip = clips["so762/0001/00010001"]
    assert (clip.text, clip.speaker, clip.split, clip.labels["age"]) == ("hello there", "so762-0001", "train", 9)
    assert clips["so762/0002/00020001"].split == "test"


def test_an4(tmp_path: Path) -> None:
    content: dict[str, Any] = {
        "etc/an4_train.transcription": "<s> G O FORWARD </s> (an1-fabc-b)\n<s> LOST </s> (an9-fabc-b)\n",
        "etc/an4_test.transcription": "TEN (an2-mxyz-b)\n",
        "wav/an4_clstk/fabc/an1-fabc-b.wav": sound(1.5, seed=1),
        "wav/an4test_clstk/mxyz/an2-mxyz-b.wav": sound(1.5, seed=2),
    }
    clone(tmp_path / "m", "cmusphinx/an4", content)
    clips = made("an4", tmp_path)
    assert clips["an4/fabc/an1-fabc-b"].text == "g o forward"
    assert clips["an4/mxyz/an2-mxyz-b"].split == "test"
    assert len(clips) == 2


def test_one_voice_packs(tmp_path: Path) -> None:
    content: dict[str, Any] = {
        "data/arctic_a0001_1.wav": sound(2.0, 24000),
        "data/arctic_a0001_1.txt": "Hello there you.\n",
    }
    content["data/arctic_a0002_1.wav"] = sound(2.0, seed=3)
    clone(tmp_path / "m", "rhasspy/dataset-voice-kathleen", content)
    clips = made("kathleen", tmp_path)
    assert [(c.id, c.text, c.labels["prompt"]) for c in clips.values()] == [
        ("kathleen/arctic_a0001_1", "Hello there you.", "arctic_a0001")
    ]
    lines = "".join(f"LJ001-{n:04d}|No. {n}|Number {n} is here\n" for n in range(25))
    content = {f"LJSpeech-1.1/wavs/LJ001-{n:04d}.wav": sound(1.5, seed=n) for n in range(25)}
    clone(tmp_path / "m", "PrernaSocity/lj_speech_dataset_part_1", content | {"LJSpeech-1.1/metadata.csv": lines})
    splits = [clip.split for _, clip in sorted(made("lj_part1", tmp_path).items())]
    assert splits == ["train"] * 22 + ["dev"] + ["test"] * 2
    content = {"LJSpeech-1.1/transcript.csv": lines, "LJSpeech-1.1/wavs/LJ001-0003.wav": sound(1.5)}
    clone(tmp_path / "m", "PhilippMatthes/dc_tts", content | {"LJSpeech-1.1/wavs/LJ001-0099.wav": sound(seed=1)})
    (clip,) = made("ljread_pm", tmp_path).values()
    assert (clip.text, clip.speaker, clip.split) == ("Number 3 is here", "pm", "train")


def test_libri_packs_share_readers_but_no_clips(tmp_path: Path) -> None:
    root = "audio/LibriSpeechSamples/train-clean-100"
    small: dict[str, Any] = {f"{root}/26/495/26-495.trans.txt": "26-495-0000 AND AS ALL TOGETHER\n26-495-0001 GONE\n"}
    files = {f"{root}/26/495/26-495-0000.{form}": sound(2.0, seed=1) for form in ("flac", "wav")}
    clone(tmp_path / "m", "Walleclipse/Deep_Speaker-speaker_recognition_system", small | files)
    clips = made("libri", tmp_path)
    assert [(c.text, c.split, c.labels["gender"]) for c in clips.values()] == [("and as all together", "test", "m")]
    root = "LibriSpeech/train-clean-5"
    readers = {
        reader: f"{reader} | {'FM'[reader % 2]} | train-clean-5 | 1 | x\n" for reader in (19, 26, *range(40, 60))
    }
    big: dict[str, Any] = {"LibriSpeech/SPEAKERS.TXT": "; comment\n" + "".join(readers.values())}
    for reader in readers:
        name = f"{reader}-495-0000" if reader == 26 else f"{reader}-1-0000"
        big[f"{root}/{reader}/1/{name}.flac"] = sound(2.0, seed=reader, form="FLAC")
        big[f"{root}/{reader}/1/{reader}-1.trans.txt"] = f"{name} AND AS ALL TOGETHER\n"
    clone(tmp_path / "m", "zhangrui0712/Voice-Age", big)
    clips = made("libri_mini", tmp_path)
    assert "libri_mini/26/26-495-0000" not in clips
    assert clips["libri_mini/19/19-1-0000"].split == "train"
    assert {clip.split for clip in clips.values()} == {"train", "dev", "test"}


def test_libri_test_clean_keeps_readers_apart(tmp_path: Path) -> None:
    root = "test-clean/LibriSpeech"
    content: dict[str, Any] = {
        f"{root}/SPEAKERS.TXT": "".join(f"{reader} | F | test-clean | 1 | x\n" for reader in range(30))
    }
    for reader in range(30):
        place, utterance = f"{root}/test-clean/{reader}/1", f"{reader}-1-0000"
        content[f"{place}/{utterance}.flac"] = sound(2.0, seed=reader, form="FLAC")
        content[f"{place}/{reader}-1.trans.txt"] = f"{utterance} AH THE SWAMP THE SWAMP\n"
    clone(tmp_path / "m", "hooria-malik/speech-preprocessing-librispeech", content)
    clips = made("libri_test_clean", tmp_path)
    assert {clip.split for clip in clips.values()} == {"train", "dev"}
    assert (clips["libri_test_clean/3/3-1-0000"].text, clips["libri_test_clean/3/3-1-0000"].labels["gender"]) == (
        "ah the swamp the swamp",
        "f",
    )


def test_libri_four_is_all_learnt_from(tmp_path: Path) -> None:
    place, text = "sample_data_libriSpeech/audio/4088/1", "AND AS ALL TOGETHER"
    content: dict[str, Any] = {
        f"{place}/4088-1-0000.flac": sound(2.0, form="FLAC"),
        f"{place}/4088-1.trans.txt": f"4088-1-0000 {text}",
    }
    clone(tmp_path / "m", "Jenny-Smolensky/LibriSpeechFilesParser", content | {"x/4088-1-0001.wav": sound()})
    (clip,) = made("libri_four", tmp_path).values()
    assert (clip.text, clip.speaker, clip.split) == (text.lower(), "libri-4088", "train")


def test_commands(tmp_path: Path) -> None:
    labels = '{"a.wav": {"intent": "orderDrink", "slots": {"size": " large"}}}'
    content: dict[str, Any] = {"data/label/label.json": labels, "data/speech/clean/b.wav": sound(seed=2)}
    clone(tmp_path / "m", "Picovoice/speech-to-intent-benchmark", content | {"data/speech/clean/a.wav": sound()})
    (clip,) = made("sti", tmp_path).values()
    assert (clip.speaker, clip.labels["intent"], clip.labels["slots"]) == (
        "sti-guess00",
        "orderDrink",
        {"size": "large"},
    )
    content = {f"audio/view glass/{n}.wav": sound(seed=n) for n in range(3)}
    clone(tmp_path / "m", "Picovoice/wake-word-benchmark", content)
    assert made("wakeword", tmp_path)["wakeword/view_glass/0"].text == "view glass"
    content = {f"data/bed/{n:08x}_nohash_0.wav": sound(seed=n) for n in range(3)} | {"data/cat/README": "x"}
    clone(tmp_path / "m", "manashmandal/DeadSimpleSpeechRecognizer", content)
    clips = made("gsc3", tmp_path)
    assert len(clips) == 3
    assert clips["gsc3/bed/00000001_0"].speaker == "gsc-00000001"


def test_crowds_that_are_only_learnt_from(tmp_path: Path) -> None:
    content: dict[str, Any] = {"recordings/7_theo_1.wav": sound(seed=1, rate=8000), "recordings/x.wav": sound()}
    clone(tmp_path / "m", "Jakobovski/free-spoken-digit-dataset", content)
    (digit,) = made("fsdd", tmp_path).values()
    assert (digit.text, digit.speaker, digit.split) == ("seven", "fsdd-theo", "train")
    content = {f"custom_keywords/how_are_you/a b{n}.wav": sound(seed=n) for n in range(3)}
    clone(tmp_path / "m", "ShawnHymel/custom-speech-commands-dataset", content)
    assert made("keywords_hymel", tmp_path)["keywords_hymel/how_are_you/a_b0"].text == "how are you"


def test_precise_takes_only_what_was_given_away(tmp_path: Path) -> None:
    names = ["athena/en/a.wav", "athena/en/b.wav", "not-wake-words/en/c.wav", "not-wake-words/en/d.wav"]
    content: dict[str, Any] = {name: sound(seed=n) for n, name in enumerate(names)}
    content["licenses/license-20190801-ann.txt"] = "I give away\nathena/en/a.wav\nc.wav\nd.wav\n"
    content["not-wake-words/en/metadata.csv"] = "c.wav,Turn it off,en\nd.wav,Hola,es\n"
    clone(tmp_path / "m", "MycroftAI/Precise-Community-Data", content)
    clips = made("precise", tmp_path)
    assert {clip.text: clip.labels["contributor"] for clip in clips.values()} == {"athena": "ann", "turn it off": "ann"}


def test_common_voice_english_keeps_test_speakers_out(tmp_path: Path) -> None:
    one = "client_one_long_id"
    sample = voices(CV_HEAD, [(one, "one.mp3", "Hello there, you.")], "en/clips")
    clone(
        tmp_path / "m",
        "omnilingo/rsample-100-cv-corpus-6.1-2020-12-11",
        {"en/validated.tsv": sample.pop("table")} | sample,
    )
    assert [clip.split for clip in made("cv_en", tmp_path).values()] == ["test"]
    for number, delta in enumerate(DELTAS):
        rows = [(f"client_two_{number}", f"{number}a.mp3", "Some more words"), (one, f"{number}b.mp3", "Leak here now")]
        content = voices(CV_HEAD, rows, delta.clips)
        clone(tmp_path / "m", delta.repository, {delta.table: content.pop("table")} | content)
    clips = made("cv_delta", tmp_path)
    assert len(clips) == 5
    assert "cv-client_one_l" not in {clip.speaker for clip in clips.values()}


def test_common_voice_1_shares_no_sentence_with_later_releases(tmp_path: Path) -> None:
    rows = {"a.mp3": "hear that", "b.mp3": "nobody wants this", "c.mp3": "Hello, there!", "d.mp3": "a quiet day"}
    table = "filename,text,up_votes,down_votes,age,gender,accent\n"
    table += "".join(f'cv-valid-dev/{name},"{text}",1,{int(name == "b.mp3")},,,us\n' for name, text in rows.items())
    content: dict[str, Any] = {f"asr/cv-valid-dev/{name}": sound(seed=n) for n, name in enumerate(rows)}
    clone(tmp_path / "m", "hys89/myrepo", content | {"asr/cv-valid-dev.csv": table})
    later = {
        "omnilingo/rsample-100-cv-corpus-6.1-2020-12-11": ("en/validated.tsv", "hello there"),
        **{delta.repository: (delta.table, "Hear that?") for delta in DELTAS},
    }
    for name, (path, text) in later.items():
        clone(tmp_path / "m", name, {path: f"{CV_HEAD}me\tx.mp3\t{text}\t2\t0\t\t\t\n"})
    (clip,) = made("cv_v1", tmp_path).values()
    assert (clip.id, clip.text, clip.labels["accent"], clip.split) == ("cv_v1/d", "a quiet day", "us", "train")


def test_common_voice_mandarin(tmp_path: Path) -> None:
    pytest.importorskip("opencc")
    rows = [(f"client_{n:04d}_x", f"zh_{n}.mp3", "開燈２次，OK。" if n == 0 else "今天天气很好") for n in range(12)]
    rows.append(("client_jp", "jp.mp3", "これは日本語"))
    content = voices(CV_HEAD, rows, "zh-CN/clips", accent="110000")
    clone(tmp_path / "m", "leeqingming-BOL/mychinesemultipa", {"zh-CN/validated.tsv": content.pop("table")} | content)
    clips = made("cv_zh", tmp_path)
    assert len(clips) == 12
    assert clips["zh_0"].text == "开灯二次OK"
    assert clips["zh_0"].pinyin == "kai1 deng1 er4 ci4 OK"
    assert clips["zh_0"].labels["text_punct"] == "开灯二次,OK。"
    assert clips["zh_1"].labels["accent"] == "Beijing"
    sample: dict[str, Any] = {}
    for locale, name, client in (
        ("zh-CN", "zh_1.mp3", "new"),
        ("zh-TW", "tw.mp3", "client_0005_x"),
        ("zh-HK", "hk.mp3", "hk"),
    ):
        part = voices(CV_HEAD, [(client, name, "天瑞邨")], f"{locale}/clips")
        sample |= {f"{locale}/validated.tsv": part.pop("table")} | part
    clone(tmp_path / "m", "omnilingo/rsample-100-cv-corpus-6.1-2020-12-11", sample)
    rest = made("cv_rsample", tmp_path)
    assert set(rest) == {"tw", "hk"}  # zh_1 is in cv_zh already
    assert rest["tw"].split == clips["zh_5"].split
    assert (rest["hk"].lang, rest["hk"].pinyin) == ("yue", "tin1 seoi6 cyun1")


def test_quiet_mandarin(tmp_path: Path) -> None:
    pytest.importorskip("opencc")
    content: dict[str, Any] = {}
    for name, text in (
        ("BAC009S0252W0278", "别一概而论"),
        ("BAC009S0253W0278", "续航长的"),
        ("BAC009S0252W0100", "不要"),
    ):
        content |= {
            f"AISHELL_Sample_data/{name}.wav": sound(1.5, seed=hash_of(name)),
            f"AISHELL_Sample_data/{name}.txt": text,
        }
    clone(tmp_path / "m", "QianZ423/kaldi-asr-aishell-sample", content)
    clips = made("aishell_sample", tmp_path)
    assert {name: clip.split for name, clip in clips.items()} == {
        "BAC009S0252W0278": "train",
        "BAC009S0253W0278": "test",
    }
    content = {"96k/hsk/cmn-挂钩.mp3": sound(seed=1), "96k/hsk/cmn-T恤.mp3": sound(seed=2)}
    content |= {"64k/syllabs/cmn-lu:4.mp3": sound(seed=3), "64k/syllabs/cmn-shan4.mp3": sound(seed=4)}
    clone(tmp_path / "m", "hugolpz/audio-cmn", content)
    (word,) = made("cmn_tan", tmp_path).values()
    assert (word.id, word.pinyin, word.split) == ("tan_挂钩", "gua4 gou1", "dev")
    syllables = made("cmn_wang", tmp_path)
    assert {clip.pinyin for clip in syllables.values()} == {"lv4", "shan4"}
    assert all(chinese_text.pinyin(clip.text) == clip.pinyin for clip in syllables.values())


def test_aishell3_sample(tmp_path: Path) -> None:
    pytest.importorskip("opencc")
    content: dict[str, Any] = {
        "train_sample/content.txt": "SSB01390008.wav\t黑 hei1 色 se4 金 jin1\nSSB01390009.wav\t没 mei2 有 you3\n",
        "test_sample/content_sample.txt": "SSB01390019.wav\t空 kong1 调 tiao2\n",
        "train_sample/SSB0139/SSB01390008.wav": sound(1.5, seed=1),
        "test_sample/SSB0139/SSB01390019.wav": sound(1.5, seed=2),
    }
    clone(tmp_path / "m", "HuangxinDong/Mega-X-TTS-Speech-Cloning-Samples", content)
    clips = made("aishell3_ssb0139", tmp_path)
    assert {name: clip.text for name, clip in clips.items()} == {"SSB01390008": "黑色金", "SSB01390019": "空调"}
    assert clips["SSB01390008"].labels["pinyin_read"] == "hei1 se4 jin1"
    assert {clip.split for clip in clips.values()} == {"train"}


def test_backgrounds_follow_their_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone(tmp_path / "m", "a/b", {"long.wav": sound(80, 2000), "short.wav": sound(1.0)})
    sources = [
        Source("long", "a/b", "long.wav", "test", "rain", "CC0"),
        Source("short", "a/b", "short.wav", "train", "fan", "CC BY", "me", "", "loop"),
    ]
    monkeypatch.setattr(backgrounds, "read_table", lambda _: sources)
    maker = backgrounds._maker("ambient", "", "ambient.tsv", backgrounds._add_noise)
    folder, _ = make(maker, tmp_path / "m", tmp_path / "out")
    clips = {clip.id: clip for clip in read_manifest(folder)}
    assert {name: (clip.split, clip.seconds) for name, clip in clips.items()} == {
        "long_00": ("test", 60.0), "long_01": ("test", 20.0), "short": ("train", 8.0),
    }  # fmt: skip
    assert (clips["short"].licence, clips["short"].labels["author"]) == ("CC BY", "me")


def test_shipped_tables_are_whole() -> None:
    for table, count in (("ambient.tsv", 146), ("rooms.tsv", 54)):
        sources = backgrounds.read_table(table)
        assert len({source.id for source in sources}) == len(sources) == count
        assert all(source.licence and source.split in ("train", "dev", "test") for source in sources)
        assert not any("non-commercial" in source.licence.lower() for source in sources)


def test_response_and_its_decay() -> None:
    rng = np.random.default_rng(0)
    wave = np.concatenate([np.zeros(500), rng.standard_normal(16000) * 10 ** (-3 * np.arange(16000) / 8000)])
    wave[500] = 8
    response = shaped_response(wave.astype(np.float32))
    assert np.argmax(np.abs(response)) == 32
    assert np.abs(response).max() == pytest.approx(0.9, rel=1e-5)
    assert decay_time(response[40:]) == pytest.approx(0.5, abs=0.05)


def test_simulated_rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyroomacoustics")
    monkeypatch.setattr("step_audio_mini.data.makers.simulated_rooms.ROOMS", 2)
    clips = made("rir_sim", tmp_path)
    assert set(clips) == {"sim_000", "sim_001"}


def test_clusters_find_the_channels() -> None:
    rng = np.random.default_rng(0)
    kernels = [np.array([1.0, 0.9]), np.array([1.0, -0.9]), np.array([1.0, 0.0])]
    waves = [np.convolve(rng.standard_normal(8000), kernels[n % 3])[:8000].astype(np.float32) for n in range(12)]
    groups = clusters([fingerprint(wave) for wave in waves], 3)
    assert groups == [groups[n % 3] for n in range(12)]
    assert len(set(groups)) == 3


def test_unknown_pack_is_named() -> None:
    with pytest.raises(UserError, match="unknown pack nothing"):
        find(["cv_zh", "nothing"])
