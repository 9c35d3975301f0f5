"""Measures the whole way of a sound: orders and requests by voice, false calls, clean and quick answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from step_audio_mini.data.cache import Cache, to_float
from step_audio_mini.data.packs import Clip
from step_audio_mini.evaluate import peers
from step_audio_mini.evaluate.intervals import Count, Figure, percentile, rate
from step_audio_mini.evaluate.measures import slots_right
from step_audio_mini.evaluate.mind import Case, phrasing_rows, read_set
from step_audio_mini.evaluate.results import Row, row
from step_audio_mini.evaluate.sample import spread
from step_audio_mini.evaluate.speed import answering_megabytes
from step_audio_mini.model import StepAudio2Mini
from step_audio_mini.runtime.manifest import BUILT_IN
from step_audio_mini.types import SAMPLE_RATE, AudioChunk, Decision, Hearing, Samples, Turn

BOTH = ("home", "clock-weather")
"""Packs loaded where a sentence that was read aloud must call nothing."""
READ_PACKS = {"zh": ("cv_zh", "aishell_sample", "cv_rsample"), "en": ("libri_mini", "cv_delta", "cv_en", "so762")}
READ_CLIPS = 120
"""Read sentences of each language."""
TURNS = 100
"""Recordings answered aloud."""
BLOCK = 640
"""Samples at a time as a microphone gives them: 40 ms."""
EDGE = np.zeros(SAMPLE_RATE // 2, np.float32)
"""Half a second of silence around a synthetic voice, as a recording has it."""


@dataclass(frozen=True)
class TalkTest:
    """The model and the recordings it is measured on."""

    model: StepAudio2Mini
    cache: Cache
    most: int = 1000
    """Most clips or phrasings of each kind (evenly spaced), for a quick look."""
    weights: str = BUILT_IN
    """Of the model, for what is measured in a process of its own."""
    strict: StepAudio2Mini | None = None
    """The model without the held-out phrasings in its search and hints; None: they are not kept from it."""
    trained: frozenset[str] = frozenset()
    """Speakers that the ears were trained on: their clips are left out."""

    def clips(self, packs: Iterable[str], count: int, split: str = "test") -> list[Clip]:
        """Clips of strangers in packs, evenly spaced within each, `count` in all where there are so many."""
        strange = [c for c in self.cache.clips if c.split == split and c.speaker not in self.trained]
        groups = [[c for c in strange if c.pack == name and c.lang in ("en", "zh")] for name in packs]
        return list(islice(_in_turn([spread(group, count) for group in groups if group]), min(count, self.most)))

    def sound(self, clip: Clip) -> Samples:
        """Samples of a clip, (n,) float32."""
        return to_float(self.cache.samples(clip))


def measure(test: TalkTest, tell: Callable[[str], None]) -> list[Row]:
    """All rows; `tell` hears the name of each part."""
    parts = {
        "orders": order_rows,
        "phrasings": phrasing_voice_rows,
        "read sentences": idle_rows,
        "answers": answer_rows,
        "ends of turns": ending_rows,
    }
    rows: list[Row] = []
    for name, part in parts.items():
        tell(name)
        rows += part(test)
    return rows


def order_rows(test: TalkTest) -> list[Row]:
    """Coffee orders of real people, with the ears' vectors and without them."""
    clips = test.clips(["sti"], 1000)
    if not clips:
        return []
    heard = [(clip, test.model.listen(test.sound(clip), "coffee")) for clip in clips]
    rows: list[Row] = []
    for note, blind in (("words and the ears' vectors", False), ("words alone", True)):
        done = [(clip, _decide(test.model, hearing, "coffee", blind)) for clip, hearing in heard]
        for name, check in {
            "all slots right": order_right,
            "drink right": drink_right,
            "answer names the order": _named,
        }.items():
            counts = [Count(float(check(clip, decision)), 1, clip.speaker) for clip, decision in done]
            rows.append(row(f"{name}, {note}", "sti", rate(counts), "real"))
    return rows


def _decide(model: StepAudio2Mini, hearing: Hearing, pack: Any, blind: bool) -> Decision:
    if blind:
        hearing = replace(hearing, vectors=hearing.vectors[:0])
    return model.think(hearing, pack)


def order_right(clip: Clip, decision: Decision) -> bool:
    """True where the intent and every slot of an order are right."""
    right_intent = decision.state.intent == clip.labels["intent"]
    return right_intent and slots_right(clip.labels["slots"], decision.state.slots)


def drink_right(clip: Clip, decision: Decision) -> bool:
    """True where the drink is right, whatever else is not."""
    wanted = clip.labels["slots"].get("coffeeDrink")
    return bool(decision.state.slots.get("coffeeDrink") == wanted)


def _named(clip: Clip, decision: Decision) -> bool:
    """The answer says every value of the order, and the drink was asked for as it is."""
    said = " ".join(decision.reply.lower().split())
    return all(str(value).lower() in said for value in clip.labels["slots"].values())


def phrasing_voice_rows(test: TalkTest) -> list[Row]:
    """Held-out phrasings by voices that nobody trained on; Mandarin has variants of one synthesiser only."""
    answers, model = [], test.strict or test.model
    for number, case in enumerate(spread(list(read_set("phrasings")), test.most)):
        hearing = model.listen(np.concatenate([EDGE, spoken(case, number), EDGE]), case.pack)
        answers.append((case, [model.think(hearing, case.pack)]))
    voices = f"Flite {', '.join(peers.FLITE_VOICES)}; Mandarin by {len(peers.ESPEAK_VARIANTS)} variants of espeak-ng"
    return phrasing_rows(answers, "synthetic", note=voices)


def spoken(case: Case, number: int) -> Samples:
    """The first turn of a case by the test voice whose turn it is, (n,)."""
    text = case.turns[0].text
    if case.language == "en":
        return peers.flite(text, peers.FLITE_VOICES[number % len(peers.FLITE_VOICES)])
    return peers.espeak(text, peers.ESPEAK_MANDARIN + peers.ESPEAK_VARIANTS[number % len(peers.ESPEAK_VARIANTS)])


def idle_rows(test: TalkTest) -> list[Row]:
    """Read sentences, which ask for nothing: how often something was done nevertheless."""
    rows: list[Row] = []
    for language, packs in READ_PACKS.items():
        clips = test.clips(packs, READ_CLIPS)
        counts = []
        for clip in clips:
            decision = test.model.think(test.model.listen(test.sound(clip), BOTH), BOTH)
            counts.append(Count(float(bool(decision.tool_calls)), 1, clip.speaker))
        if counts:
            name = f"false tool calls on read sentences, {'Mandarin' if language == 'zh' else 'English'}"
            rows.append(row(name, " + ".join(packs), rate(counts), "real"))
    return rows


def answer_rows(test: TalkTest) -> list[Row]:
    """A hundred recordings answered aloud: whether the sound is clean, and how soon it comes."""
    clips = test.clips(["sti", "cv_zh", "libri_mini", "so762"], TURNS)
    packs = ["coffee" if clip.pack == "sti" else "home" for clip in clips]
    for pack in set(packs):  # what is loaded once is no part of an answer's delay
        test.model.talk(np.zeros(SAMPLE_RATE, np.float32), pack)
    turns = [test.model.talk(test.sound(clip), pack) for clip, pack in zip(clips, packs, strict=True)]
    if not turns:
        return []
    data = " + ".join(sorted({clip.pack for clip in clips}))
    clean = [Count(float(is_clean(turn.audio)), 1, clip.speaker) for clip, turn in zip(clips, turns, strict=True)]
    rows = [row("clean spoken answers", data, rate(clean), "real")]
    firsts = [_first(turn) for turn in turns]
    note = "processor time from the decision that the turn is over; one thread"
    for q in (50, 95):
        rows.append(row(f"endpoint to first audio, p{q}", data, percentile(firsts, q), "real", "ms", note=note))
    sounds = ((test.sound(clip), pack) for clip, pack in zip(clips, packs, strict=True))
    peak = answering_megabytes(sounds, test.weights)
    figure = Figure(peak, peak, peak, len(clips), "one process that answers them all")
    return [*rows, row("peak memory, packs coffee and home", data, figure, "real", "MB")]


def ending_rows(test: TalkTest) -> list[Row]:
    """How long after the last voiced sample a turn is taken to be over, and how often before it."""
    clips = test.clips(["sti", "cv_zh", "libri_mini", "so762"], TURNS)
    if not clips:
        return []
    data = " + ".join(sorted({clip.pack for clip in clips}))
    waits = [(clip, ending(test.model, test.sound(clip), "coffee" if clip.pack == "sti" else "home")) for clip in clips]
    early = [Count(float(wait < 0), 1, clip.speaker) for clip, wait in waits]
    rows = [row("turns ended before the last voiced sample", data, rate(early), "real")]
    kept = [1000 * wait for _, wait in waits if wait >= 0]
    note = "sound time; add the processor time above for the first audio; background goes on for 2 s after each clip"
    for q in (50, 95) if kept else ():
        name = f"last voiced sample to end of turn, p{q}"
        rows.append(row(name, data, percentile(kept, q), "real", "ms", note=note))
    return rows


def ending(model: StepAudio2Mini, samples: Samples, pack: str) -> float:
    """Seconds of sound between the last voiced sample and the end of turn; negative where the turn ended before."""
    spoken_until, floor = last_voiced(samples)
    background = floor * np.random.default_rng(0).standard_normal(2 * SAMPLE_RATE).astype(np.float32)
    sound = np.concatenate([samples, background])
    heard = 0

    def live() -> Iterator[Samples]:
        nonlocal heard
        for start in range(0, len(sound), BLOCK):
            heard = min(start + BLOCK, len(sound))
            yield sound[start : start + BLOCK]

    for event in model.stream(live(), pack):
        if event.type == "end_of_turn":
            break
    return (heard - spoken_until) / SAMPLE_RATE


def last_voiced(samples: Samples) -> tuple[int, np.float32]:
    """End of the last 20 ms frame within 25 dB of the loudest, and the level (rms) of the quietest tenth."""
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    if not len(frames):
        return len(samples), np.float32(0)
    power = np.mean(frames**2, axis=1)
    last = int(np.flatnonzero(power >= power.max() * 10**-2.5)[-1])
    return 320 * (last + 1), np.float32(np.sqrt(np.percentile(power, 10)))


def is_clean(audio: AudioChunk) -> bool:
    """Sound of at least 0.2 s, finite, not silent, and never at full scale."""
    samples = audio.samples
    if len(samples) < 0.2 * audio.sample_rate or not np.isfinite(samples).all():
        return False
    return 0.01 < float(np.abs(samples).max()) < 0.999


def _first(turn: Turn) -> float:
    return sum(turn.timings_ms[name] for name in ("listen", "think", "speak_first"))


def _in_turn(groups: Sequence[Sequence[Clip]]) -> Iterator[Clip]:
    """Clips of the groups in rotation."""
    for place in range(max((len(group) for group in groups), default=0)):
        yield from (group[place] for group in groups if place < len(group))
