"""F0 tracks of training clips on the grid of the log-mel frames, computed once and kept in a memory map.

Normalised cross-correlation and a best path through it, after RAPT (Talkin, 1995): a hundred times faster than real
time, no jumps by an octave within a voiced stretch, pauses and voiceless sound left out by the same path.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.audio.features import HOP, WINDOW, frame_count
from step_audio_mini.data.cache import Cache, to_float
from step_audio_mini.data.packs import Clip
from step_audio_mini.types import SAMPLE_RATE, Samples

LOWEST, HIGHEST = 65.0, 450.0
"""Range of F0 searched, Hz."""
HALF = 2
"""The correlation runs at half the sample rate, below about 1 kHz."""
REACH = 112
"""Samples of the correlation's window before and after a frame's centre (14 ms at 8 kHz)."""
QUIET = 3e-4
"""Root mean square of the low band under which nothing is voiced."""
VOICELESS = 0.5
"""Cost of a voiceless frame; that of a voiced one is 1 - its correlation."""
SHORT_LAGS = 0.2
"""How much the longest lag is held back: multiples of the period correlate as well as the period."""
JUMP, SWITCH = 2.0, 0.25
"""Cost of a change of F0 by an octave, and of a change between voiced and voiceless."""

Matrix = NDArray[np.float64]


def track(samples: Samples, lowest: float = LOWEST, highest: float = HIGHEST) -> NDArray[np.float32]:
    """F0 (T,) in Hz at the centres of the log-mel frames of samples (n,) at 16 kHz; 0 where voiceless."""
    lags = np.arange(int(SAMPLE_RATE / HALF / highest) - 1, int(SAMPLE_RATE / HALF / lowest) + 3)
    alike = correlation(samples, lags)
    f0 = np.zeros(len(alike), np.float32)
    for t, place in enumerate(_best_path(alike, lags) if len(alike) else []):
        if place >= 0:
            f0[t] = SAMPLE_RATE / HALF / (lags[place] + _peak(alike[t], place))
    return f0


def correlation(samples: Samples, lags: NDArray[np.int64]) -> Matrix:
    """Normalised cross-correlation (T, lags) of the low band around each frame's centre; lags in samples at 8 kHz."""
    taps = np.hanning(23)
    low = np.convolve(samples.astype(np.float64), taps / taps.sum(), "same")[::HALF]
    edge = REACH + int(lags[-1]) + WINDOW
    low = np.pad(low, edge)
    centre = (np.arange(frame_count(len(samples))) * HOP + WINDOW // 2) // HALF + edge
    power = np.concatenate([[0.0], np.cumsum(low * low)])
    found = np.empty((len(centre), len(lags)))
    for column, lag in enumerate(lags):
        early, late = centre - lag // 2, centre + lag - lag // 2
        product = np.concatenate([[0.0], np.cumsum(low[:-lag] * low[lag:])])
        together = product[early + REACH] - product[early - REACH]
        apart = (power[early + REACH] - power[early - REACH]) * (power[late + REACH] - power[late - REACH])
        found[:, column] = together / (np.sqrt(np.maximum(apart, 0.0)) + 2 * REACH * QUIET**2)
    return found


def _best_path(alike: Matrix, lags: NDArray[np.int64]) -> NDArray[np.int64]:
    """Index of the lag of each frame, -1 where voiceless (Viterbi)."""
    cost = 1.0 - alike * (1.0 - SHORT_LAGS * lags / lags[-1])
    octaves = np.log2(lags)
    change = JUMP * np.abs(octaves[:, None] - octaves)
    every = np.arange(len(lags))
    back = np.full((len(alike), len(lags) + 1), -1, np.int64)  # last column: where a voiceless frame came from
    voiced, voiceless = cost[0].copy(), VOICELESS
    for t in range(1, len(alike)):
        ways = voiced[:, None] + change
        source = ways.argmin(0)
        stay, onset = ways[source, every], voiceless + SWITCH
        last = int(voiced.argmin())
        offset = float(voiced[last]) + SWITCH
        back[t, :-1] = np.where(onset < stay, -1, source)
        back[t, -1] = last if offset < voiceless else -1
        voiced = np.minimum(stay, onset) + cost[t]
        voiceless = min(voiceless, offset) + VOICELESS
    path = np.empty(len(alike), np.int64)
    place = int(voiced.argmin()) if voiced.min() < voiceless else -1
    for t in range(len(alike) - 1, -1, -1):
        path[t] = place
        place = int(back[t, place])
    return path


def _peak(alike: Matrix, place: int) -> float:
    """Where the peak lies between the lags around `place`: a parabola through three values, within half a lag."""
    if not 0 < place < len(alike) - 1:
        return 0.0
    before, here, after = alike[place - 1 : place + 2]
    bend = before - 2 * here + after
    return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0


class PitchCache:
    """Tracks of the clips of a cache; each is computed when it is first asked for and shared through the map."""

    def __init__(self, cache: Cache, folder: Path, tracker: Callable[[Samples], NDArray[np.float32]] = track) -> None:
        """`folder` gets one file a pack; it goes with the cache and the tracker: begin anew when one changes."""
        self._cache, self._tracker = cache, tracker
        self._places: dict[tuple[str, str], tuple[int, int]] = {}
        lengths: dict[str, int] = {}
        for clip in cache.clips:
            start = lengths.get(clip.pack, 0)
            lengths[clip.pack] = start + frame_count(cache.length(clip))
            self._places[clip.pack, clip.id] = (start, lengths[clip.pack])
        folder.mkdir(parents=True, exist_ok=True)
        self._maps = {pack: _open_map(folder / f"{pack}.f32", length) for pack, length in lengths.items() if length}

    def __call__(self, clip: Clip) -> NDArray[np.float32]:
        """F0 (T,) of a clip of the cache, Hz, 0 where voiceless."""
        start, stop = self._places[clip.pack, clip.id]
        if start == stop:
            return np.zeros(0, np.float32)
        stored = self._maps[clip.pack][start:stop]
        if np.isnan(stored).any():
            stored[:] = self._tracker(to_float(self._cache.samples(clip)))
        return np.array(stored)


def _open_map(path: Path, length: int) -> NDArray[np.float32]:
    """A map of so many values, NaN where nothing was computed yet."""
    if not path.exists() or path.stat().st_size != 4 * length:
        beside = path.with_suffix(".part")
        np.full(length, np.nan, np.float32).tofile(beside)
        beside.replace(path)
    return np.memmap(path, np.float32, "r+", shape=(length,))


def repetition(samples: Samples, f0: NDArray[np.float32]) -> Matrix:
    """Normalised correlation (T,) of the sound below about 1 kHz with itself one period later; 0 where F0 is 0."""
    lags = np.arange(1, int(SAMPLE_RATE / HALF / 50.0))
    lag = np.rint(SAMPLE_RATE / HALF / np.maximum(f0, 60.0)).astype(int)
    return np.where(f0 > 0, correlation(samples, lags)[np.arange(len(f0)), np.minimum(lag, len(lags)) - 1], 0.0)
