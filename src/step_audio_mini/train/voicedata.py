"""Training clips of the voices: level, edges, phone durations and F0 worked out once, kept in one memory-mapped folder.

The acoustic model reads phones, durations, mel and F0 from here; the vocoder may take samples and F0.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.audio.features import HOP, WINDOW, frame_count
from step_audio_mini.data.cache import Cache, to_float, to_int16
from step_audio_mini.data.packs import Clip
from step_audio_mini.errors import UserError
from step_audio_mini.speak.frontend import EDGE, PAUSE, SYMBOL_INDEX, SYMBOLS, Frontend, SpokenWord, clause
from step_audio_mini.train.aligner import SILENCE, Segment, Transcript, align, observations
from step_audio_mini.train.pitch import repetition
from step_audio_mini.types import SAMPLE_RATE, Language, Samples

LEVEL = 0.06
"""Root mean square of speech after levelling (-24 dB of full scale)."""
EDGE_FRAMES = 5
"""Silence kept at both edges, at most: 50 ms."""
BREATH_FRAMES = 12
"""A pause of so many frames may become the edge of a piece."""
_RANGE_CLIPS = 60
"""Clips that tell the range of a voice's F0."""
_DEV, _TEST = 20, 40
"""Clips set aside of a voice whose pack has no split of its own."""


@dataclass(frozen=True)
class VoiceSource:
    """Where the clips of a voice come from."""

    name: str
    pack: str
    speaker: str
    language: Language


SOURCES = (
    VoiceSource("kathleen", "kathleen", "kathleen", "en"),
    VoiceSource("cvf0252fe7cd27", "cv_zh", "cvf0252fe7cd27", "zh"),
)
"""The voices that ship, in the order of their ids."""


@dataclass(frozen=True)
class Item:
    """One clip, or a piece of one, ready for training; durations are frames and one a phone."""

    id: str
    voice: str
    split: str
    text: str
    offset: int
    """First sample in `samples.i16`."""
    frame: int
    """First value in `f0.f32`."""
    phones: tuple[int, ...]
    tones: tuple[int, ...]
    marks: tuple[int, ...]
    ends: tuple[int, ...]
    durations: tuple[int, ...]

    @property
    def frames(self) -> int:
        """Frames covered, the sum of the durations."""
        return sum(self.durations)


class VoiceData:
    """The prepared folder, opened: items, and views of their sound and F0."""

    def __init__(self, folder: Path) -> None:
        try:
            with (folder / "items.jsonl").open(encoding="utf-8") as lines:
                rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
            self._sound = np.memmap(folder / "samples.i16", np.int16, "r")
            self._f0 = np.memmap(folder / "f0.f32", np.float32, "r")
        except (OSError, ValueError) as wrong:
            raise UserError(
                f"{folder} holds no prepared voices ({wrong}); run `step-audio prepare` for them"
            ) from wrong
        self.items = [_item_from_row(row) for row in rows]

    def samples(self, item: Item) -> Samples:
        """Sound (n,) whose log-mel has just `item.frames` frames."""
        return to_float(self._sound[item.offset : item.offset + (item.frames - 1) * HOP + WINDOW])

    def f0(self, item: Item) -> NDArray[np.float32]:
        """F0 (frames,) in Hz at the frames' centres, 0 where voiceless."""
        return np.array(self._f0[item.frame : item.frame + item.frames])


def _item_from_row(row: dict[str, Any]) -> Item:
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    return Item(**fields)


def held_out(clips: Sequence[Clip]) -> dict[str, str]:
    """Split of each clip id: the pack's own, or where all are `train` a fixed draw by the hash of the sentence."""
    if {clip.split for clip in clips} != {"train"}:
        return {clip.id: clip.split for clip in clips}
    drawn = sorted({clip.text for clip in clips}, key=lambda text: hashlib.sha256(text.encode()).digest())
    place = {text: number for number, text in enumerate(drawn)}

    def split(clip: Clip) -> str:
        return "test" if place[clip.text] < _TEST else "dev" if place[clip.text] < _TEST + _DEV else "train"

    return {clip.id: split(clip) for clip in clips}


def prepare(cache: Cache, frontend: Frontend, folder: Path, tell: Callable[[str], None] = lambda _: None) -> None:
    """Align, level, trim and track the train and dev clips of all voices; `folder` appears whole or not at all."""
    beside = folder.with_name(folder.name + ".part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    offset = frame = 0
    with (
        (beside / "samples.i16").open("wb") as sound,
        (beside / "f0.f32").open("wb") as pitch,
        (beside / "items.jsonl").open("w", encoding="utf-8") as rows,
    ):
        for source in SOURCES:
            bounds = pitch_range([to_float(cache.samples(clip)) for clip in _clips(cache, source)[:_RANGE_CLIPS]])
            for clip, split, words, segments in _aligned(cache, frontend, source, tell):
                item, samples, f0 = _item(clip, split, words, segments, to_float(cache.samples(clip)), bounds)
                row = asdict(item) | {"offset": offset, "frame": frame}
                rows.write(json.dumps(row, ensure_ascii=False) + "\n")
                sound.write(to_int16(samples).tobytes())
                pitch.write(f0.tobytes())
                offset += len(samples)
                frame += len(f0)
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)


def _clips(cache: Cache, source: VoiceSource) -> list[Clip]:
    return [clip for clip in cache.clips if clip.pack == source.pack and clip.speaker == source.speaker]


def _aligned(
    cache: Cache, frontend: Frontend, source: VoiceSource, tell: Callable[[str], None]
) -> Iterator[tuple[Clip, str, list[SpokenWord], tuple[Segment, ...]]]:
    clips = _clips(cache, source)
    splits = held_out(clips)
    kept, work = [], []
    for clip in clips:
        if splits[clip.id] == "test":
            continue
        words = list(frontend.words(str(clip.labels.get("text_punct", clip.text))))
        transcript = _transcript(words)
        seen = observations(to_float(cache.samples(clip)))
        if transcript.phones and len(seen) > 4 * len(transcript.phones) + 20:
            kept.append((clip, splits[clip.id], words))
            work.append((seen, transcript))
    tell(f"{source.name}: aligning {len(work)} clips")
    for (clip, split, words), segments in zip(kept, align(work, len(SYMBOLS)), strict=True):
        yield clip, split, words, segments


def _transcript(words: Sequence[SpokenWord]) -> Transcript:
    phones: list[int] = []
    starts: list[int] = []
    for word in words:
        if word.phones:
            starts.append(len(phones))
            phones += [SYMBOL_INDEX[symbol] for symbol, _ in word.phones]
    return Transcript(tuple(phones), tuple(starts))


def _item(
    clip: Clip,
    split: str,
    words: Sequence[SpokenWord],
    segments: Sequence[Segment],
    samples: Samples,
    bounds: tuple[float, float],
) -> tuple[Item, Samples, NDArray[np.float32]]:
    cuts = _on_frames([segment.stop for segment in segments], frame_count(len(samples)))
    starts = [0, *cuts[:-1]]
    first = max(0, cuts[0] - EDGE_FRAMES)
    stop = min(cuts[-1], starts[-1] + EDGE_FRAMES)
    starts[0], cuts[-1] = first, stop
    f0 = contour(samples, bounds)[first:stop]
    spoken = np.concatenate(
        [samples[HOP * a : HOP * b] for a, b, s in zip(starts, cuts, segments, strict=True) if s.phone != SILENCE]
    )
    cut = samples[HOP * first : HOP * (stop - 1) + WINDOW]
    gain = min(LEVEL / max(1e-4, float(np.sqrt(np.mean(spoken**2)))), 0.95 / max(1e-4, float(np.abs(cut).max())))
    said = clause(_with_pauses(words, segments))
    item = Item(
        id=clip.id,
        voice=clip.speaker,
        split=split,
        text=clip.text,
        offset=0,
        frame=0,
        phones=said.phones,
        tones=said.tones,
        marks=said.marks,
        ends=said.ends,
        durations=tuple(b - a for a, b in zip(starts, cuts, strict=True)),
    )
    if len(item.durations) != len(item.phones):
        raise AssertionError(f"{clip.id}: {len(item.durations)} durations for {len(item.phones)} phones")
    return item, cut * np.float32(gain), f0


def _on_frames(stops: Sequence[int], count: int) -> list[int]:
    """Ends of segments in 5 ms steps as ends in frames, each segment at least one frame, the last one at `count`."""
    cuts: list[int] = []
    for left, stop in zip(range(len(stops) - 1, -1, -1), stops, strict=True):
        cuts.append(min(max(round(stop / 2), (cuts[-1] if cuts else 0) + 1), count - left))
    cuts[-1] = count
    return cuts


def _with_pauses(words: Sequence[SpokenWord], segments: Sequence[Segment]) -> list[SpokenWord]:
    """The words with a silent mark where a pause was heard, and marks that were not heard made silent-less."""
    heard = iter(segments[1:-1])
    ahead = next(heard, None)
    out: list[SpokenWord] = []
    for word in words:
        if not word.phones:
            if out and out[-1].phones:
                out.append(SpokenWord((), word.language, word.end, silent=False))
            continue
        if ahead is not None and ahead.phone == SILENCE:
            if out[-1].phones:
                out.append(SpokenWord((), word.language, "continuing"))
            else:
                out[-1] = SpokenWord((), word.language, out[-1].end)
            ahead = next(heard, None)
        for _ in word.phones:
            ahead = next(heard, None)
        out.append(word)
    return out


def pitch_range(clips: Sequence[Samples]) -> tuple[float, float]:
    """Lowest and highest F0 to look for in a voice: a wide search's median, times 0.55 and 1.7.

    Half of a wide search's octave errors lie outside this range, and the tracker cannot make them there.
    """
    found = np.concatenate([contour(samples, (65.0, 400.0)) for samples in clips])
    middle = float(np.median(found[found > 0]))
    return 0.55 * middle, 1.7 * middle


def contour(samples: Samples, bounds: tuple[float, float]) -> NDArray[np.float32]:
    """F0 (T,) in Hz at the centres of the log-mel frames, within the voice's bounds; 0 where voiceless.

    DIO with StoneMask (Morise et al., 2009, 2016): with the voice's own range as good as Harvest, and twenty times
    faster. Frames that do not repeat themselves a period later, and stretches under 40 ms, are voiceless.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package warns about its own import of pkg_resources
        import pyworld

    count = frame_count(len(samples))
    sound = samples[WINDOW // 2 :].astype(np.float64)
    period = 1000.0 * HOP / SAMPLE_RATE
    rough, times = pyworld.dio(sound, SAMPLE_RATE, f0_floor=bounds[0], f0_ceil=bounds[1], frame_period=period / 2)
    fine = pyworld.stonemask(sound, rough, times, SAMPLE_RATE)[::2]
    f0 = np.zeros(count, np.float32)
    f0[: len(fine)] = fine[:count]
    f0[repetition(samples, f0) < 0.3] = 0.0
    return _without_islands(f0)


def _without_islands(f0: NDArray[np.float32], shortest: int = 4, jump: float = 0.16) -> NDArray[np.float32]:
    """Voiceless where a stretch without jumps of more than `jump` (in log) is shorter than `shortest` frames."""
    out = f0.copy()
    start = 0
    for t in range(1, len(f0) + 1):
        joined = t < len(f0) and f0[t] > 0 and f0[t - 1] > 0 and abs(np.log(f0[t] / f0[t - 1])) < jump
        if not joined:
            if t - start < shortest:
                out[start:t] = 0.0
            start = t
    return out


def pieces(item: Item) -> Iterator[Item]:
    """The stretches of an item between long pauses, as items of their own: clauses as the voice will speak them.

    The samples of neighbours overlap by a window's length, never by a phone.
    """
    pause = SYMBOL_INDEX[PAUSE]
    breaths = [
        n for n, (p, d) in enumerate(zip(item.phones, item.durations, strict=True)) if p == pause and d >= BREATH_FRAMES
    ]
    if not breaths:
        return
    starts = np.concatenate([[0], np.cumsum(item.durations)])
    for left, right in zip([0, *breaths], [*breaths, len(item.phones) - 1], strict=True):
        edges = [min(EDGE_FRAMES, item.durations[left]), min(EDGE_FRAMES, item.durations[right])]
        first = int(starts[left + 1]) - edges[0]
        edge = SYMBOL_INDEX[EDGE]
        yield Item(
            id=f"{item.id}@{left}",
            voice=item.voice,
            split=item.split,
            text=item.text,
            offset=item.offset + HOP * first,
            frame=item.frame + first,
            phones=(edge, *item.phones[left + 1 : right], edge),
            tones=(0, *item.tones[left + 1 : right], 0),
            marks=(0, *item.marks[left + 1 : right], 0),
            ends=(item.ends[left + 1], *item.ends[left + 1 : right], item.ends[right - 1]),
            durations=(edges[0], *item.durations[left + 1 : right], edges[1]),
        )
