"""Finds where the known words of a clip begin and end, so that no detector of silence is judged by another one.

Forced alignment: the best path of the ears' CTC posteriors that spells the transcript (Graves et al., "Connectionist
temporal classification", 2006; Viterbi in place of the sum).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.audio.features import HOP, WINDOW, log_mel
from step_audio_mini.listen.alignment import FRAME_SECONDS, TAIL
from step_audio_mini.listen.stream import FLUSH_SECONDS, STRIDE
from step_audio_mini.runtime import state
from step_audio_mini.types import SAMPLE_RATE, Samples

CHUNK = 8
"""Encoder frames a step of the network, as shipped."""
BLANK = 0
FRAME = 320
"""Samples of a level frame, 20 ms."""
RISE_DB, RISE_MS = 25.0, 240
"""A word sounds before the network names its first unit: from the first frame within this many dB of the loudest, but
at most so many ms before."""


class Network(Protocol):
    """The ears' graph."""

    @property
    def inputs(self) -> Mapping[str, tuple[tuple[int | str, ...], type[Any]]]:
        """Name to shape and dtype of each input."""

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs by name."""


def log_probs(network: Network, samples: Samples) -> NDArray[np.float32]:
    """Posteriors (T, V) of a clip, (n,), streamed as in a call, with some silence after it."""
    need = STRIDE * CHUNK
    frames = len(samples) // HOP + int(FLUSH_SECONDS * SAMPLE_RATE) // HOP
    whole = -(-frames // need) * need
    mels = log_mel(np.pad(samples, (0, max(0, whole * HOP + WINDOW - HOP - len(samples)))))[:whole]
    memory, found = state.init(network), []
    for start in range(0, whole, need):
        out, memory = state.step(network, {"frames": mels[None, start : start + need]}, memory)
        found.append(out["log_probs"][0].astype(np.float32))
    return np.concatenate(found)


def align(posteriors: NDArray[np.float32], units: Sequence[int]) -> list[tuple[int, int]] | None:
    """First and last frame of each unit on the best path through (T, V); None where the units do not fit into it."""
    spelled = np.full(2 * len(units) + 1, BLANK)
    spelled[1::2] = units
    skip = np.zeros(len(spelled), bool)  # from a unit to the next, unless they are the same
    skip[3::2] = spelled[3::2] != spelled[1:-2:2]
    score = np.full(len(spelled), -np.inf)
    score[:2] = posteriors[0, spelled[:2]]
    came = np.zeros((len(posteriors), len(spelled)), np.int8)
    for time in range(1, len(posteriors)):
        before = np.stack([score, np.roll(score, 1), np.where(skip, np.roll(score, 2), -np.inf)])
        before[1, 0] = before[2, :2] = -np.inf
        came[time] = before.argmax(axis=0)
        score = before.max(axis=0) + posteriors[time, spelled]
    place = len(spelled) - 1 - int(score[-2] > score[-1])
    if not np.isfinite(score[place]):
        return None
    first, last = np.full(len(spelled), -1), np.full(len(spelled), -1)
    for time in range(len(posteriors) - 1, -1, -1):
        first[place] = time
        last[place] = time if last[place] < 0 else last[place]
        place -= int(came[time, place])
    return [(int(a), int(b)) for a, b in zip(first[1::2], last[1::2], strict=True)]


def spoken_span(network: Network, samples: Samples, units: Sequence[int]) -> tuple[int, int] | None:
    """Where the first word begins and the last one ends, ms; None where the transcript does not fit.

    A word lasts as long after its last unit as in `listen.alignment`. Its onset is where the level rises before the
    first unit.
    """
    found = align(log_probs(network, samples), units)
    if found is None:
        return None
    length = len(samples) * 1000 // SAMPLE_RATE
    first, last = (round(1000 * FRAME_SECONDS * frame) for frame in (found[0][0], found[-1][1] + TAIL))
    return _onset(samples, min(first, length)), min(last, length)


def _onset(samples: Samples, latest: int) -> int:
    """Start in ms of the loud frames that end at `latest`."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    if not len(frames):
        return latest
    power = np.mean(frames**2, axis=1)
    loud = power >= power.max() * 10 ** (-RISE_DB / 10)
    place = min(latest * SAMPLE_RATE // 1000 // FRAME, len(frames) - 1)
    earliest = max(0, place - RISE_MS * SAMPLE_RATE // 1000 // FRAME)
    quiet = np.flatnonzero(~loud[earliest : place + 1])
    start = earliest if not len(quiet) else earliest + int(quiet[-1]) + (quiet[-1] < place - earliest)
    return int(min(latest, start * FRAME * 1000 // SAMPLE_RATE))
