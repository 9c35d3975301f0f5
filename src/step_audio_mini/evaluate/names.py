"""Measures whether a name that no list of words holds is found once a line of a pack, or a hot word, has taught it.

Names are said by synthetic voices that nobody trained on; recordings of people tell what is found where none was said.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from step_audio_mini.data.packs import Clip
from step_audio_mini.evaluate import peers
from step_audio_mini.evaluate.intervals import Count, rate
from step_audio_mini.evaluate.results import Row, row
from step_audio_mini.evaluate.talk import EDGE, READ_PACKS, TalkTest
from step_audio_mini.text.lexicon import words
from step_audio_mini.think.pack_file import load_pack
from step_audio_mini.types import Language, Samples

FOLDER = Path(str(files("step_audio_mini.evaluate") / "sets" / "names"))
"""The pack with a line a name."""
OTHER_PACKS = ("sti", *READ_PACKS["en"], *READ_PACKS["zh"], "libri", "an4")
OTHER_CLIPS = 1000
"""Recordings in which no taught name is said."""
Hear = Callable[[Samples], str]
"""What is understood of a sound."""


@dataclass(frozen=True, slots=True)
class Name:
    """A taught name, and a sentence with it as the synthesiser has to be given it."""

    name: str
    language: Language
    said: str
    line: str
    """The hot word that teaches it."""


def read_names() -> tuple[Name, ...]:
    """The ten names that come with the package."""
    text = (FOLDER.parent / "names.jsonl").read_text(encoding="utf-8")
    rows, sounds = [json.loads(line) for line in text.splitlines()], load_pack(str(FOLDER)).sounds_like
    lines = {name: f"{name} = {sound}" for name, sound in sounds.items()}
    return tuple(Name(one["name"], one["lang"], one["said"], lines.get(one["name"], one["name"])) for one in rows)


@dataclass(frozen=True)
class NamesTest:
    """The model by the way in which it was taught, without any, and the recordings of strangers."""

    taught: Mapping[str, Hear]
    untaught: Hear
    talk: TalkTest


def holds(heard: str, name: str) -> bool:
    """Whether a name stands in what was understood: its words, one after another; case does not count."""
    said, wanted = words(heard), words(name)
    return any(said[place : place + len(wanted)] == wanted for place in range(len(said) - len(wanted) + 1))


def utterances(names: Sequence[Name]) -> Iterator[tuple[Name, Samples]]:
    """Each name by every test voice of its language, (n,) samples with silence around them."""
    for name in names:
        if name.language == "en":
            sounds = (peers.flite(name.said, voice) for voice in peers.FLITE_VOICES)
        else:
            variants = (peers.ESPEAK_MANDARIN + variant for variant in peers.ESPEAK_VARIANTS)
            sounds = (peers.espeak(name.said, voice) for voice in variants)
        for sound in sounds:
            yield name, np.concatenate([EDGE, sound, EDGE])


def measure(test: NamesTest, tell: Callable[[str], None]) -> list[Row]:
    """All rows; `tell` hears what is being listened to."""
    names = read_names()[: test.talk.most]
    tell("names")
    spoken = list(utterances(names))
    rows = found_rows("not taught", test.untaught, spoken)
    for way, hear in test.taught.items():
        tell(f"names, {way}")
        rows += found_rows(way, hear, spoken)
    clips = [clip for clip in test.talk.clips(OTHER_PACKS, OTHER_CLIPS) if not _named(clip.text or "", names)]
    for way, hear in test.taught.items():
        tell(f"other recordings, {way}")
        rows += alarm_rows(way, hear, [(clip, test.talk.sound(clip)) for clip in clips], names)
    return rows


def found_rows(way: str, hear: Hear, spoken: Sequence[tuple[Name, Samples]]) -> list[Row]:
    """Utterances in which the name was found, each language and both, and names found by most of the voices."""
    right = [(name, float(holds(hear(sound), name.name))) for name, sound in spoken]
    rows = []
    for label, languages in (("English", ("en",)), ("Mandarin", ("zh",)), ("both languages", ("en", "zh"))):
        counts = [Count(share, 1, name.name) for name, share in right if name.language in languages]
        if counts:
            figure = rate(counts, groups="names", items="utterances")
            rows.append(
                row(f"name found, {way}", f"taught names, {label}", figure, "synthetic", note=_voices(languages))
            )
    shares: dict[str, list[float]] = {}
    for name, share in right:
        shares.setdefault(name.name, []).append(share)
    most = [Count(float(np.mean(found) > 0.5), 1, name) for name, found in shares.items()]
    note = "missed: " + (", ".join(n for n, found in shares.items() if np.mean(found) <= 0.5) or "none")
    figure = rate(most, groups="names", items="names")
    return [*rows, row(f"names found by most voices, {way}", "taught names", figure, "synthetic", note=note)]


def alarm_rows(way: str, hear: Hear, clips: Sequence[tuple[Clip, Samples]], names: Sequence[Name]) -> list[Row]:
    """Recordings without any of the names in which one was found all the same."""
    if not clips:
        return []
    counts = [Count(float(_named(hear(sound), names)), 1, clip.speaker) for clip, sound in clips]
    data = " + ".join(sorted({clip.pack for clip, _ in clips}))
    return [row(f"false alarms, {way}", data, rate(counts), "real", note="all names taught at once")]


def _named(text: str, names: Sequence[Name]) -> bool:
    return any(holds(text, name.name) for name in names)


def _voices(languages: Sequence[str]) -> str:
    used = {
        "en": f"Flite {', '.join(peers.FLITE_VOICES)}",
        "zh": f"{len(peers.ESPEAK_VARIANTS)} variants of espeak-ng's Mandarin, one synthesiser",
    }
    return "; ".join(used[language] for language in languages)
