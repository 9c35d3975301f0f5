"""Mandarin in quiet rooms: read sentences, words and syllables."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import PurePosixPath

from step_audio_mini.data.makers import chinese_text
from step_audio_mini.data.makers.draft import HAN, Draft, Rules
from step_audio_mini.data.makers.maker import Maker, Open
from step_audio_mini.data.makers.repository import Repository
from step_audio_mini.data.makers.splits import Split, all_train, by_prompt, of_speakers

AUDIO_CMN = "hugolpz/audio-cmn"
AISHELL3 = "HuangxinDong/Mega-X-TTS-Speech-Cloning-Samples"


def _fill_aishell_sample(draft: Draft, open_: Open) -> Split:
    repository = open_("QianZ423/kaldi-asr-aishell-sample")
    for path in repository.under("AISHELL_Sample_data", ".wav"):
        name, transcript = PurePosixPath(path).stem, path.removesuffix(".wav") + ".txt"
        # utterances up to 120 are not part of the Apache-2.0 release of AISHELL-1
        if int(name[-4:]) <= 120 or transcript not in repository:
            continue
        text, punctuated = chinese_text.normalise(repository.text(transcript).strip())
        if chinese_text.is_pure(text):  # AISHELL-1 has no Latin words
            said = {"text": text, "text_punct": punctuated, "pinyin": chinese_text.pinyin(punctuated)}
            draft.add(repository, path, name, speaker=name[6:11], lang="zh", **said)
    speakers = sorted({row["speaker"] for row in draft.rows})
    return of_speakers({speaker: "test" if place == 1 else "train" for place, speaker in enumerate(speakers)})


def _common_characters(repository: Repository) -> str:
    """Characters of the HSK word list by how many words hold them."""
    counts = Counter("".join(re.findall(f"[{HAN}]", "".join(repository.under("96k/hsk")))))
    return "".join(character for character, _ in counts.most_common())


def _fill_cmn_tan(draft: Draft, open_: Open) -> Split:
    repository = open_(AUDIO_CMN)
    for path in repository.under("96k/hsk"):
        word = PurePosixPath(path).name[4:-4]  # cmn-<word>.mp3
        text, _ = chinese_text.normalise(re.sub(r"\d+$", "", word).replace("_", ""))
        if chinese_text.is_pure(text):
            labels = {"kind": "word", "gender": "female"}
            labels["attribution"] = "Yue Tan, shtooka cmn-caen-tan (hugolpz/audio-cmn)"
            said = {"text": text, "pinyin": chinese_text.pinyin(text)}
            draft.add(repository, path, f"tan_{word}", speaker="tan", lang="zh", **said, **labels)
    return by_prompt("text")


def _fill_cmn_wang(draft: Draft, open_: Open) -> Split:
    repository = open_(AUDIO_CMN)
    characters = chinese_text.syllable_characters(_common_characters(repository))
    for path in repository.under("64k/syllabs"):
        found = re.fullmatch(r"cmn-([a-z_:ü]+?)([1-5])\.mp3", PurePosixPath(path).name)
        if not found:
            continue
        name, tone = found[1].strip("_"), found[2]
        syllable = name.replace("u:", "v").replace("uu", "v").replace("ü", "v").strip("_") + tone
        labels = {"kind": "syllable", "gender": "female"}
        labels["attribution"] = "Chen Wang, Hugo Lopez (hugolpz/audio-cmn)"
        said = {"text": characters.get(syllable, ""), "pinyin": syllable}
        draft.add(repository, path, f"wang_{name}{tone}", speaker="wang", lang="zh", **said, **labels)
    return by_prompt("pinyin")


def _fill_aishell3(draft: Draft, open_: Open) -> Split:
    repository = open_(AISHELL3)
    for part, table in (("train_sample", "content.txt"), ("test_sample", "content_sample.txt")):
        for line in repository.text(f"{part}/{table}").splitlines():
            name, _, rest = line.strip().partition("\t")
            path, spoken = f"{part}/{name[:7]}/{name}", rest.split()  # characters and their pinyin in turn
            text, punctuated = chinese_text.normalise("".join(spoken[::2]))
            if path not in repository or not chinese_text.is_pure(text):
                draft.drop("absent or not Mandarin")
                continue
            labels = {"gender": "male", "accent": "southern China", "pinyin_read": " ".join(spoken[1::2])}
            said = {"text": text, "text_punct": punctuated, "pinyin": chinese_text.pinyin(punctuated)}
            draft.add(repository, path, PurePosixPath(name).stem, speaker=name[:7], lang="zh", **said, **labels)
    return all_train


MAKERS = (
    Maker(
        "aishell_sample",
        "AISHELL-1 sample: clean read sentences, two speakers",
        ("QianZ423/kaldi-asr-aishell-sample",),
        "Apache-2.0",
        _fill_aishell_sample,
        Rules(seconds=(0.3, 30), min_peak=0.01, min_range=6, characters=(1, 9)),
    ),
    Maker(
        "aishell3_ssb0139",
        "AISHELL-3: clean sentences by one man of the south, 24 kHz",
        (AISHELL3,),
        "Apache-2.0 (AISHELL-3)",
        _fill_aishell3,
        Rules(rate=24_000, seconds=(0.3, 30), min_peak=0.01, min_range=6, characters=(1, 9)),
    ),
    Maker(
        "cmn_tan",
        "8,595 words by one woman, 24 kHz",
        (AUDIO_CMN,),
        "CC-BY-SA-3.0-US",
        _fill_cmn_tan,
        Rules(rate=24_000, seconds=(0.2, 30), min_peak=0.01, min_range=3, characters=(0.5, 9)),
    ),
    Maker(
        "cmn_wang",
        "every toned syllable by another woman, 24 kHz",
        (AUDIO_CMN,),
        "CC-BY-SA (version not stated)",
        _fill_cmn_wang,
        Rules(rate=24_000, seconds=(0.15, 30), min_peak=0.01, min_range=3),
    ),
)
