"""Measures turn-taking on recordings of strangers, through the ears and the engine of a call, in sound time.

When a turn ends is compared with where its last word truly ends; whether speech over the assistant silences it, with
where the first word begins; and recorded noise over it must not stop it. Processing time is not in these figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, get_args

import numpy as np

from step_audio_mini.converse import actions, events
from step_audio_mini.converse.engine import Engine
from step_audio_mini.converse.frames import FRAME_MS
from step_audio_mini.converse.loudness import Loudness
from step_audio_mini.converse.settings import Profile, of_profile
from step_audio_mini.data.cache import Cache, to_float
from step_audio_mini.data.packs import Clip
from step_audio_mini.evaluate.intervals import Count, percentile, rate
from step_audio_mini.evaluate.results import Row, row
from step_audio_mini.evaluate.sample import spread
from step_audio_mini.evaluate.spoken import Network, spoken_span
from step_audio_mini.text.lexicon import Lexicon, transcript_units
from step_audio_mini.types import SAMPLE_RATE, Hypothesis, Samples

PACKS = dict.fromkeys(("cv_zh", "aishell_sample", "cv_rsample"), "zh")
PACKS |= dict.fromkeys(("cv_en", "cv_delta", "so762", "an4", "libri"), "en")
"""Packs measured, and the language of each."""
LANGUAGES = {"en": "English", "zh": "Mandarin"}
ALL = "all of these"
CLIPS = 60
"""Most clips of each language."""
NOISES = 100
"""Most excerpts of recorded noise."""
BEFORE_MS, AFTER_MS, NOISE_MS = 1000, 5000, 10_000
"""Background before and after a clip, and length of an excerpt of noise."""
LONGEST_SECONDS = 20.0
"""Longer clips are no turns."""
PROFILES: tuple[Profile, ...] = get_args(Profile)
SILENT_MS = 150
"""So soon the assistant should be silent."""
FRAME = FRAME_MS * SAMPLE_RATE // 1000


class Ears(Protocol):
    """One call's ears, as `listen.stream.Stream`."""

    def fresh(self) -> Ears:
        """Ears for another turn."""

    def accept(self, samples: Samples) -> bool:
        """Take samples, (n,)."""

    def partial(self) -> Hypothesis:
        """What is understood so far."""

    @property
    def network(self) -> Network:
        """What they run."""

    @property
    def sureness(self) -> float:
        """How surely that was said."""

    @property
    def speech(self) -> float:
        """Probability of speech."""

    @property
    def end_probability(self) -> float:
        """Probability that the person has finished."""

    @property
    def silence(self) -> float:
        """Seconds since the last unit."""


@dataclass(frozen=True)
class TurnsTest:
    """The ears, with the pack `home`, and the recordings they are measured on."""

    cache: Cache
    ears: Ears
    lexicon: Lexicon
    most: int = 1000
    """Most clips of each language and excerpts of noise, evenly spaced."""
    trained: frozenset[str] = frozenset()
    """Speakers that the ears were trained on: their clips are left out."""

    def clips(self, language: str) -> list[Clip]:
        """Test clips of strangers with a transcript, evenly from the packs of a language."""
        packs = [name for name, of in PACKS.items() if of == language]
        found = {name: [clip for clip in self.cache.clips if clip.pack == name and self._fits(clip)] for name in packs}
        each = -(-min(CLIPS, self.most) // max(1, sum(map(bool, found.values()))))
        return [clip for clips in found.values() for clip in spread(clips, each)]

    def _fits(self, clip: Clip) -> bool:
        known = clip.split == "test" and clip.text and clip.lang in LANGUAGES and clip.speaker not in self.trained
        return bool(known) and 1.0 <= clip.seconds <= LONGEST_SECONDS

    def noises(self) -> list[Samples]:
        """Excerpts of recorded background of the test split, each after a quiet moment."""
        places = [clip for clip in self.cache.clips if clip.pack == "ambient" and clip.split == "test"]
        length = NOISE_MS * SAMPLE_RATE // 1000
        cuts = [
            to_float(self.cache.samples(clip))[start : start + length]
            for clip in places
            for start in range(0, max(1, self.cache.length(clip) - length + 1), length)
        ]
        return [framed(cut, 0) for cut in spread(cuts, min(NOISES, self.most))]


class Heard(Protocol):
    """What the ears tell of a sound."""

    def since(self, start_ms: int) -> Sequence[events.Heard]:
        """Piece by piece, by ears that begin afresh at `start_ms`, to its end."""


@dataclass(frozen=True)
class Spoken:
    """A clip with background around it, what the ears heard of it, and where its words truly are."""

    clip: Clip
    heard: Heard
    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class Ending:
    """What a profile did with a clip."""

    wait_ms: int | None
    """From the true end to the end of the turn; negative: cut off. None: no turn, or it never ended."""
    ahead_ms: int | None
    """How long before the end of the turn the reply that was let out had been begun; None: none had."""
    trials: int
    """Replies begun before the turn was over."""


@dataclass(frozen=True)
class Over:
    """What a sound over the assistant did to it."""

    silent_ms: int | None
    """From the sound's onset until the assistant was silent; 0: it was already. None: never."""
    stopped_ms: int | None
    """Until it was stopped for good; None: it was not."""
    gap: float
    """Share of the time in which it was silenced without being stopped."""


def measure(test: TurnsTest, tell: Callable[[str], None]) -> list[Row]:
    """All rows; `tell` hears what is being listened to."""
    rows: list[Row] = []
    everything: list[Spoken] = []
    for language, name in LANGUAGES.items():
        tell(name)
        spoken = [found for clip in test.clips(language) if (found := listen(test, clip)) is not None]
        everything += spoken
        rows += ending_rows(spoken, name)
    rows += ending_rows(everything, ALL)
    rows += over_rows(everything)
    tell("noise")
    return [*rows, *noise_rows([Recording(test.ears, noise) for noise in test.noises()])]


def listen(test: TurnsTest, clip: Clip) -> Spoken | None:
    """Align a clip and let the ears hear it; None where its transcript does not fit its sound."""
    units = transcript_units(clip.text, clip.pinyin or None, test.lexicon)
    samples = to_float(test.cache.samples(clip))
    span = spoken_span(test.ears.network, samples, units) if units else None
    if span is None:
        return None
    heard = Recording(test.ears, framed(samples, AFTER_MS))
    return Spoken(clip, heard, BEFORE_MS + span[0], BEFORE_MS + span[1])


def framed(samples: Samples, after_ms: int) -> Samples:
    """A sound with background before and after it, as loud as its own quietest tenth."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    floor = np.sqrt(np.percentile(np.mean(frames**2, axis=1), 10)) if len(frames) else 0.0
    draw = np.random.default_rng(0).standard_normal
    before, after = (
        (min(floor, 0.01) * draw(ms * SAMPLE_RATE // 1000)).astype(np.float32) for ms in (BEFORE_MS, after_ms)
    )
    return np.concatenate([before, samples, after])


class Recording:
    """A sound before the ears; from each place it is heard once, however often it is played."""

    def __init__(self, ears: Ears, samples: Samples) -> None:
        loudness, count = Loudness(), len(samples) // FRAME
        self._ears, self._pieces = ears, list(samples[: count * FRAME].reshape(-1, FRAME))
        self._loud = [loudness.hear(piece) for piece in self._pieces]
        self._known: dict[int, list[events.Heard]] = {}

    def since(self, start_ms: int) -> Sequence[events.Heard]:
        """As a server would tell the engine."""
        if start_ms not in self._known:
            ears = self._ears.fresh()
            places = range(start_ms // FRAME_MS, len(self._pieces))
            self._known[start_ms] = [self._hear(ears, place) for place in places]
        return self._known[start_ms]

    def _hear(self, ears: Ears, place: int) -> events.Heard:
        ears.accept(self._pieces[place])
        told = (ears.speech, ears.end_probability, round(1000 * ears.silence), ears.partial().text)
        return events.Heard((place + 1) * FRAME_MS, *told, self._loud[place], ears.sureness)


def play(
    sound: Heard, engine: Engine, meanwhile: Callable[[int], object] = lambda _: None
) -> Iterator[tuple[int, list[actions.Action]]]:
    """Let an engine hear a sound, by ears that begin afresh when it says so: times in ms and its actions.

    `meanwhile` is called before each piece.
    """
    start, pieces = 0, sound.since(0)
    for now in range(FRAME_MS, (len(pieces) + 1) * FRAME_MS, FRAME_MS):
        meanwhile(now)
        done = engine.on(pieces[(now - start) // FRAME_MS - 1], now)
        yield now, done
        for action in done:
            if isinstance(action, actions.CommitTurn | actions.DropSound):
                start = action.end_ms - (action.keep_ms if isinstance(action, actions.DropSound) else 0)
                pieces = sound.since(start)


# the end of a turn


def ending(spoken: Spoken, profile: Profile) -> Ending:
    """What a profile does with a clip; what it does after its first turn is not looked at."""
    engine, trials, began = Engine(of_profile(profile)), 0, dict[int, int]()
    for now, done in play(spoken.heard, engine):
        for action in done:
            if isinstance(action, actions.Speculate):
                trials += 1
                began[action.generation] = now
            if isinstance(action, actions.Release | actions.Respond):
                begun = began.get(action.generation)
                return Ending(now - spoken.end_ms, None if begun is None else now - begun, trials)
    return Ending(None, None, trials)


def ending_rows(spoken: Sequence[Spoken], data: str) -> list[Row]:
    """Of each profile: turns cut off, the wait after the others, and what beginning early was worth."""
    rows: list[Row] = []
    if not spoken:
        return rows
    packs = " + ".join(sorted({one.clip.pack for one in spoken}))
    for profile in PROFILES:
        ends = [(one.clip, ending(one, profile)) for one in spoken]
        cut = [Count(float(e.wait_ms is not None and e.wait_ms < 0), 1, clip.speaker) for clip, e in ends]
        rows.append(row(f"turns ended before the last word, {profile}", data, rate(cut), "real", note=packs))
        missed = sum(end.wait_ms is None for _, end in ends)
        waits = [end.wait_ms for _, end in ends if end.wait_ms is not None and end.wait_ms >= 0]
        note = f"{missed} clips without an end of turn" if missed else ""
        for q in (50, 90) if waits else ():
            name = f"last word to end of turn, {profile}, p{q}"
            rows.append(row(name, data, percentile(waits, q), "real", "ms", note=note))
        rows += _trial_rows(ends, profile, data)
    return rows


def _trial_rows(ends: Sequence[tuple[Clip, Ending]], profile: str, data: str) -> list[Row]:
    trials = [Count(float(end.ahead_ms is not None), end.trials, clip.speaker) for clip, end in ends]
    if not any(count.whole for count in trials):
        return []
    rows = [row(f"replies begun early that were let out, {profile}", data, rate(trials), "real")]
    ahead = [end.ahead_ms or 0 for _, end in ends if end.wait_ms is not None]
    name = f"head start of a reply, {profile}, p50"
    return [*rows, row(name, data, percentile(ahead, 50), "real", "ms", note="0 where it was not begun early")]


# sound over the assistant


def over(heard: Heard, onset_ms: int) -> Over:
    """Let the assistant speak without end while this is heard; the sound in question begins at `onset_ms`."""
    engine = Engine()
    engine.on(events.CreateResponse(), 0)
    engine.on(events.ReplyStarted(1), 0)
    silent_from, silent_at, stopped_at, gap, now = None, None, None, 0, 0
    for now, done in play(heard, engine, lambda ms: engine.on(events.ReplySound(1, ms + 200), ms)):
        for action in done:
            if isinstance(action, actions.Duck):
                silent_from = now
            elif isinstance(action, actions.ResumeReply) and silent_from is not None:
                gap += now - max(silent_from, onset_ms) if now > onset_ms else 0
                silent_from = None
            elif isinstance(action, actions.StopReply):
                silent_from, stopped_at = silent_from or now, now
        if silent_from is not None and now > onset_ms and silent_at is None:
            silent_at = max(0, silent_from - onset_ms)
        if stopped_at is not None:
            break
    stopped = None if stopped_at is None else max(0, stopped_at - onset_ms)
    return Over(silent_at, stopped, gap / max(1, now - onset_ms))


def over_rows(spoken: Sequence[Spoken]) -> list[Row]:
    """Speech over the assistant: how soon it is silent, and how soon it has understood that it is to stop."""
    if not spoken:
        return []
    found = [(one.clip, over(one.heard, one.start_ms)) for one in spoken]
    data = ALL

    def share(check: Callable[[Over], bool]) -> Any:
        return rate([Count(float(check(o)), 1, clip.speaker) for clip, o in found])

    name, note = f"assistant silent within {SILENT_MS} ms of speech over it", "sound that was sent ahead adds to it"
    rows = [row(name, data, share(lambda o: o.silent_ms is not None and o.silent_ms <= SILENT_MS), "real", note=note)]
    rows.append(row("assistant stopped by speech over it", data, share(lambda o: o.stopped_ms is not None), "real"))
    for name, values in {
        "speech over the assistant to its silence": [o.silent_ms for _, o in found if o.silent_ms is not None],
        "speech over the assistant to its stop": [o.stopped_ms for _, o in found if o.stopped_ms is not None],
    }.items():
        rows += [row(f"{name}, p{q}", data, percentile(values, q), "real", "ms") for q in (50, 95) if values]
    return rows


def noise_rows(heard: Sequence[Heard]) -> list[Row]:
    """Recorded noise: what it does to the assistant, and whether it is taken for a turn."""
    if not heard:
        return []
    found = [over(pieces, BEFORE_MS) for pieces in heard]
    about = f"{NOISE_MS // 1000} s that begin at once over the assistant"
    turns = [_taken(pieces) for pieces in heard]
    measures: Mapping[str, tuple[list[float], str]] = {
        "false stops by recorded noise": ([float(o.stopped_ms is not None) for o in found], about),
        "excerpts of noise that silenced the assistant for a moment": (
            [float(o.silent_ms is not None) for o in found],
            about,
        ),
        "part of the time in which noise silenced it": ([o.gap for o in found], about),
        "turns taken from recorded noise": (list(map(float, turns)), "nobody speaks, profile balanced"),
    }
    return [
        row(
            name,
            "ambient",
            rate([Count(v, 1, str(i)) for i, v in enumerate(values)], groups="clips"),
            "real",
            note=note,
        )
        for name, (values, note) in measures.items()
    ]


def _taken(heard: Heard) -> bool:
    played = play(heard, Engine(of_profile("balanced")))
    return any(isinstance(action, actions.CommitTurn) for _, done in played for action in done)
