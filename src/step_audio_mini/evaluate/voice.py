"""Measures the voice on sentences it never read: whether others understand it, and how near it is to the person."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.data.cache import Cache, to_float, to_int16
from step_audio_mini.data.packs import Clip
from step_audio_mini.evaluate import peers
from step_audio_mini.evaluate.intervals import Count, mean, rate, ratio
from step_audio_mini.evaluate.likeness import aligned, melody_correlation
from step_audio_mini.evaluate.measures import syllable_errors, word_errors
from step_audio_mini.evaluate.results import Row, row
from step_audio_mini.evaluate.sample import spread
from step_audio_mini.types import Language, Samples

MANDARIN_SPEAKER = "cvf0252fe7cd27"
"""The Mandarin voice's reader; the ears that judge the voice were not trained on him."""
HELD_OUT = 40
"""Sentences of his that the voice was not trained on: the first by the hash of the text."""
TAIL = np.zeros(4800, np.float32)
"""Silence around a synthetic sentence, as a recording has it: 0.3 s."""

Say = Callable[[str, Language], Samples]
"""Text and language to sound, (n,) at 16 kHz."""
Track = Callable[[Samples, float, float], NDArray[np.float32]]
"""Sound, lowest and highest F0 in Hz to F0 (T,) on the frames of the log-mel, 0 where voiceless."""
ANYBODY = (65.0, 450.0)
"""F0 of whoever speaks, Hz."""
SPAN = 1.75
"""A reader's F0 stays within this factor of the median; what a tracker finds beyond is mostly an octave off."""


class Units(Protocol):
    """Ears that give units."""

    def units(self, samples: Samples) -> Sequence[str]:
        """Greedy units of a clip."""


class Hears(Protocol):
    """Ears that give English words: foreign ones, which never heard our voice."""

    name: str

    def hear(self, samples: NDArray[np.int16]) -> str:
        """Words of a whole clip."""


@dataclass(frozen=True)
class VoiceTest:
    """What is measured, and with what."""

    cache: Cache
    say: Say
    ears: Units
    foreign: Hears
    track: Track
    most: int = 1000
    """Most sentences of each voice, evenly spaced."""

    def sound(self, clip: Clip) -> Samples:
        """The natural reading, (n,)."""
        return to_float(self.cache.samples(clip))

    def spoken(self, clip: Clip) -> Samples:
        """Our reading of the same sentence, (n,)."""
        text = str(clip.labels.get("text_punct") or clip.text)
        return np.concatenate([TAIL, self.say(text, "zh" if clip.lang == "zh" else "en"), TAIL])


def english_clips(cache: Cache, most: int) -> list[Clip]:
    """Test prompts of kathleen."""
    return spread([c for c in cache.clips if c.pack == "kathleen" and c.split == "test"], most)


def mandarin_clips(cache: Cache, most: int) -> list[Clip]:
    """Sentences of the Mandarin reader that the voice never saw: one clip a text.

    His clips are all of the train split (his pack holds out speakers, not prompts), so the voice's training holds out
    these texts by their hash.
    """
    clips = {c.text: c for c in cache.clips if c.pack == "cv_zh" and c.speaker == MANDARIN_SPEAKER}
    order = sorted(clips, key=lambda text: hashlib.sha256(text.encode()).digest())
    return spread([clips[text] for text in order[:HELD_OUT]], most)


def measure(test: VoiceTest, tell: Callable[[str], None]) -> list[Row]:
    """All rows; `tell` hears the name of each part."""
    rows: list[Row] = []
    english, mandarin = english_clips(test.cache, test.most), mandarin_clips(test.cache, test.most)
    tell("English words")
    rows += english_rows(test, english)
    tell("Mandarin syllables")
    rows += mandarin_rows(test, mandarin)
    for name, clips in (("kathleen", english), (MANDARIN_SPEAKER, mandarin)):
        tell(f"likeness to {name}")
        rows += likeness_rows(test, name, clips)
    return rows


def english_rows(test: VoiceTest, clips: list[Clip]) -> list[Row]:
    """Word error of a foreign recogniser on the natural prompts, on ours and on two peers' readings of them."""
    if not clips:
        return []
    readings: dict[str, Callable[[Clip], Samples]] = {
        "natural recording": test.sound,
        "step-audio-mini": test.spoken,
        "flite slt": lambda clip: np.concatenate([TAIL, peers.flite(clip.text, "slt"), TAIL]),
        "espeak-ng en-us": lambda clip: np.concatenate([TAIL, peers.espeak(clip.text, "en-us"), TAIL]),
    }
    counts: dict[str, list[Count]] = {}
    for system, read in readings.items():
        heard = ((clip, word_errors(clip.text, test.foreign.hear(to_int16(read(clip))))) for clip in clips)
        counts[system] = [Count(*errors, clip.id) for clip, errors in heard]
    name = f"word error heard by {test.foreign.name}"
    rows = [
        row(name, "kathleen prompts", rate(found), "real" if system[:7] == "natural" else "synthetic", system=system)
        for system, found in counts.items()
    ]
    return rows + _ratio_rows(name, "kathleen prompts", counts)


def mandarin_rows(test: VoiceTest, clips: list[Clip]) -> list[Row]:
    """Toneless-syllable error of our ears (not trained on this reader) on his clips, on our voice and on a peer."""
    if not clips:
        return []
    readings: dict[str, Callable[[Clip], Samples]] = {
        "natural recording": test.sound,
        "step-audio-mini": test.spoken,
        "espeak-ng": lambda clip: np.concatenate([TAIL, peers.espeak(clip.text), TAIL]),
    }
    counts: dict[str, list[Count]] = {}
    for system, read in readings.items():
        heard = ((clip, syllable_errors(clip.pinyin, test.ears.units(read(clip)))) for clip in clips)
        counts[system] = [Count(*errors, clip.id) for clip, errors in heard if errors is not None]
    name, data = "toneless-syllable error heard by our ears", f"{MANDARIN_SPEAKER} sentences"
    rows = [
        row(name, data, rate(found), "real" if system[:7] == "natural" else "synthetic", system=system)
        for system, found in counts.items()
    ]
    return rows + _ratio_rows(name, data, counts)


def _ratio_rows(name: str, data: str, counts: dict[str, list[Count]]) -> list[Row]:
    """Our error over that of the natural recordings; no row where those were heard without an error."""
    ours, natural = counts["step-audio-mini"], counts["natural recording"]
    if not any(count.part for count in natural):
        return []
    return [row(f"{name}, ours over natural", data, ratio(ours, natural), "synthetic", "x")]


def likeness_rows(test: VoiceTest, name: str, clips: list[Clip]) -> list[Row]:
    """Mel-cepstral distortion and F0 correlation of our readings with the natural ones."""
    distortions: list[float] = []
    correlations: list[float] = []
    bounds = _range(test, clips)
    for clip in clips:
        natural, ours = test.sound(clip), test.spoken(clip)
        path, distortion = aligned(natural, ours)
        distortions.append(distortion)
        found = melody_correlation(test.track(natural, *bounds), test.track(ours, *bounds), path)
        if found is not None:
            correlations.append(found)
    rows = []
    if distortions:
        rows.append(row("mel-cepstral distortion", name, mean(distortions), "synthetic", "dB"))
    if correlations:
        note = "log F0 where both are voiced, after alignment; tracked within the reader's range"
        rows.append(row("F0 correlation", name, mean(correlations), "synthetic", "x", note=note))
    return rows


def _range(test: VoiceTest, clips: list[Clip]) -> tuple[float, float]:
    """Lowest and highest F0 of a reader, from the median over natural clips."""
    found = np.concatenate([np.zeros(0, np.float32), *(test.track(test.sound(clip), *ANYBODY) for clip in clips)])
    if not (found > 0).any():
        return ANYBODY
    middle = float(np.median(found[found > 0]))
    return middle / SPAN, middle * SPAN
