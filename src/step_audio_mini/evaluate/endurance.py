"""Measures whether the ears can listen for hours: memory of a process that does nothing else, and its processor time.

The listener is a process of its own, handed its sound through a pipe: recordings mapped into memory would weigh, too.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.errors import UserError
from step_audio_mini.evaluate.intervals import Figure, mean
from step_audio_mini.evaluate.results import Row, row
from step_audio_mini.rooms import EarStream
from step_audio_mini.types import SAMPLE_RATE, Samples

BLOCK = 640
"""Samples at a time as a microphone gives them: 40 ms."""
PAUSE = np.zeros(SAMPLE_RATE, np.int16)
"""Silence after each recording: most turns end in it."""
MINUTE = 60 * SAMPLE_RATE
SETTLED = 0.2
"""Share of the minutes, from the first, in which memory may still grow to what it needs."""


@dataclass(frozen=True, slots=True)
class Minute:
    """What stood on the meters after a minute of sound."""

    processor: float
    """Seconds of this minute."""
    resident: float
    """Megabytes in memory at its end."""
    peak: float
    """Most megabytes so far."""


def speech(clips: Sequence[NDArray[np.int16]], minutes: int) -> Iterator[NDArray[np.int16]]:
    """Recordings (n,), a pause after each, over and over until there are so many minutes of sound."""
    left = minutes * MINUTE
    for piece in (piece for clip in cycle(clips) for piece in (clip, PAUSE)):
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return


def minutes_of(
    ears: Callable[[], EarStream], blocks: Iterable[Samples], weigh: Callable[[], tuple[float, float]]
) -> Iterator[Minute]:
    """Listen turn after turn as `StepAudio2Mini.stream` does; what each whole minute of blocks (n,) took.

    `weigh` gives the megabytes held now and at most.
    """
    stream, heard, began = ears(), 0, time.process_time()
    for block in blocks:
        ended = stream.accept(block)
        stream.partial()
        if ended:
            stream.finish()
            stream = ears()
        heard += len(block)
        if heard >= MINUTE:
            now = time.process_time()
            yield Minute(now - began, *weigh())
            heard, began = heard - MINUTE, now


LISTENER = """
import sys
from step_audio_mini.evaluate.endurance import listen

for minute in listen(sys.argv[1], sys.argv[2], sys.stdin.buffer):
    print(minute.processor, minute.resident, minute.peak, flush=True)
"""
"""The listener: int16 samples on standard input, a line for each `Minute` on standard output."""


def listen(weights: str, pack: str, sound: BinaryIO) -> Iterator[Minute]:
    """What each minute of int16 samples took the ears of a folder of weights, with a pack."""
    from step_audio_mini.rooms import TrainedRooms
    from step_audio_mini.runtime.manifest import Weights

    rooms = TrainedRooms(Weights.open(weights), None, {}, None)
    return minutes_of(lambda: rooms.ears(pack, "auto"), _blocks(sound), megabytes)


def listener(weights: str, pack: str, sound: Iterable[NDArray[np.int16]]) -> list[Minute]:
    """What a listening process took; UserError where it fails."""
    command = [sys.executable, "-c", LISTENER, weights, pack]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdin is not None and child.stdout is not None
        try:
            for piece in sound:
                child.stdin.write(np.ascontiguousarray(piece, "<i2").tobytes())
            child.stdin.close()
        except BrokenPipeError:
            pass  # its exit code says why
        lines = child.stdout.read().decode().splitlines()
    if child.returncode:
        raise UserError(f"the listening process ended with {child.returncode}; run `step-audio listen` to see why")
    return [Minute(*map(float, line.split())) for line in lines]


def measure(weights: str, pack: str, clips: Sequence[NDArray[np.int16]], minutes: int) -> list[Row]:
    """All rows of listening to recordings (n,) for so many minutes, at least two."""
    if minutes < 2:
        raise UserError("memory that grows shows in two minutes at least; use --minutes 60")
    if not clips:
        raise UserError("the cache has no test recordings of strangers; make it from packs of speech")
    return rows_of(listener(weights, pack, speech(clips, minutes)), f"{minutes} minutes of recordings, pack {pack}")


def rows_of(found: Sequence[Minute], data: str) -> list[Row]:
    """Rows of what each minute took."""
    settled = found[math.ceil(SETTLED * len(found)) :]
    resident = [minute.resident for minute in settled]
    hourly = 60 * slope(resident)
    count, over = len(settled), "minutes, least to most"
    peak = max(minute.peak for minute in found)
    note = f"least squares over the minutes after the first {len(found) - count}"
    first = "ears and search alone, a process of its own; the first minute holds what is loaded"
    factors = mean([minute.processor / 60 for minute in found[1:]], items="minutes")
    return [
        row("real-time factor, ears with search", data, factors, "real", "x", note=first),
        row("peak memory, ears with search", data, Figure(peak, peak, peak, len(found), "one process"), "real", "MB"),
        row(
            "memory held",
            data,
            Figure(float(np.median(resident)), min(resident), max(resident), count, over),
            "real",
            "MB",
        ),
        row(
            "growth of memory an hour",
            data,
            Figure(hourly, hourly, hourly, count, "one process"),
            "real",
            "MB",
            note=note,
        ),
    ]


def slope(values: Sequence[float]) -> float:
    """Growth from one value to the next by least squares; 0 for fewer than two."""
    return float(np.polyfit(np.arange(len(values)), values, 1)[0]) if len(values) > 1 else 0.0


def megabytes() -> tuple[float, float]:
    """Memory that this process holds now and held at most; the latter twice where the system does not tell more."""
    from step_audio_mini.evaluate.speed import peak_megabytes

    peak = peak_megabytes()
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024, peak
    except (OSError, StopIteration):
        return peak, peak


def _blocks(sound: BinaryIO) -> Iterator[Samples]:
    while piece := sound.read(2 * BLOCK):
        yield np.frombuffer(piece[: len(piece) // 2 * 2], "<i2").astype(np.float32) / np.float32(32768)
