"""What the vocoder filters: a bank of harmonics of F0 and white noise, as short-time spectra.

The source of a source-filter model (Wang et al., neural source-filter, 2019), rendered outside the graph in double
precision so that the phase of a long sentence does not drift, and frame by frame so that streamed = whole.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.audio.features import HOP, WINDOW
from step_audio_mini.audio.spectrum import BINS, EARLY, OVERLAP, analyse
from step_audio_mini.types import SAMPLE_RATE

AHEAD = 2
"""Frames of F0 beyond a frame that its spectrum depends on."""
HIGHEST_HARMONIC = 7500.0
"""Harmonics fill the spectrum up to here, Hz."""
REFERENCE_F0 = 200.0
"""F0 whose logarithm is the zero of the pitch feature, Hz."""

Pitch = NDArray[np.float32]
"""Pitch features (T, 2): log of F0 / 200 Hz (0 where voiceless), voiced 1 or 0."""
Sources = NDArray[np.float32]
"""Spectra (T, 2, 241, 2) of harmonics and noise, each of mean power 1 where it sounds."""


def pitch_features(f0: NDArray[np.float32]) -> Pitch:
    """F0 (T,) in Hz, 0 = voiceless -> features (T, 2)."""
    voiced = f0 > 0
    return np.stack([np.log(np.where(voiced, f0, REFERENCE_F0) / REFERENCE_F0), voiced], -1).astype(np.float32)


def harmonics(cycles: NDArray[np.float64], f0: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of cosines at all multiples of F0 up to `HIGHEST_HARMONIC`, mean power 1.

    cycles: phase of the fundamental, in periods. The sum over k = 1..K has a closed form (Dirichlet's kernel); the
    harmonic that is just entering the band is faded in, so that a gliding F0 does not click.
    """
    limit = HIGHEST_HARMONIC / f0
    whole = np.floor(limit)
    angle = 2 * np.pi * (cycles - np.rint(cycles))
    half = np.sin(angle / 2)
    peak = np.abs(half) < 1e-9
    kernel = np.where(peak, whole, np.sin((whole + 0.5) * angle) / np.where(peak, 1.0, 2 * half) - 0.5)
    return np.asarray(np.sqrt(2.0 / limit) * (kernel + (limit - whole) * np.cos((whole + 1) * angle)))


def noise(seed: int, start: int, count: int) -> NDArray[np.float64]:
    """White noise (count,) of variance 1 at sample positions from `start`: a function of seed and position alone.

    Uniform values from a counter-based generator (Salmon et al., 2011): any position can be reached at once.
    """
    generator = np.random.Philox(key=seed)
    generator.advance(start // 4)  # four values a counter
    raw = generator.random_raw(count + start % 4)[start % 4 :]
    return np.asarray(((raw >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1.0) * np.sqrt(3.0))


class SourceStream:
    """Source spectra for F0 that arrives in pieces; all pieces together equal those of the whole.

    F0 runs straight from the centre of one frame to the centre of the next, and the amplitude of the harmonics does
    where voice sets in or ends. A frame is complete when `AHEAD` more frames of F0 are known.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._position = 0  # samples rendered so far; sample 0 is where frame 0's window begins
        self._cycles = float(noise(seed, 2**40, 1)[0])  # where in its period the voice begins: chance too
        self._last: float | None = None
        self._rest = np.zeros(0, np.float32), np.zeros(0, np.float32)

    def push(self, f0: NDArray[np.float32]) -> Sources:
        """Spectra (k, 2, 241, 2) of the frames completed by F0 (t,) in Hz, 0 = voiceless."""
        if len(f0) == 0:
            return np.zeros((0, 2, BINS, 2), np.float32)
        values = f0.astype(np.float64)
        if self._last is None:  # before the first centre F0 stands still
            opening = self._voice(values[:1], values[:1], WINDOW // 2 + EARLY)
            voice = np.concatenate([opening, self._voice(values[:-1], values[1:])])
        else:
            voice = self._voice(np.concatenate([[self._last], values[:-1]]), values)
        self._last = float(values[-1])
        hiss = noise(self._seed, self._position, len(voice))
        self._position += len(voice)
        self._rest = (
            np.concatenate([self._rest[0], voice.astype(np.float32)]),
            np.concatenate([self._rest[1], hiss.astype(np.float32)]),
        )
        return self._spectra()

    def finish(self) -> Sources:
        """Spectra of the last `AHEAD` frames: F0 stays as it was."""
        return self.push(np.full(0 if self._last is None else AHEAD, self._last or 0.0, np.float32))

    def _voice(self, before: NDArray[np.float64], after: NDArray[np.float64], length: int = HOP) -> NDArray[np.float64]:
        """Harmonics between the centres of frames: F0 (t,) at both ends -> samples (t * length,)."""
        share = np.arange(1, length + 1) / length
        # a voiceless end takes the other end's F0: pitch holds while loudness fades
        left = np.where(before > 0, before, after)[:, None]
        right = np.where(after > 0, after, before)[:, None]
        f0 = np.where(left > 0, left + (right - left) * share, REFERENCE_F0)
        loud = (before > 0)[:, None] * (1 - share) + (after > 0)[:, None] * share
        cycles = np.cumsum(f0 / SAMPLE_RATE, 1)
        starts = (self._cycles + np.concatenate([[0.0], np.cumsum(cycles[:, -1])])) % 1.0
        self._cycles = float(starts[-1])
        return np.asarray((loud * harmonics(starts[:-1, None] + cycles, f0)).reshape(-1))

    def _spectra(self) -> Sources:
        frames = max(0, len(self._rest[0]) // HOP - OVERLAP + 1)
        if frames == 0:
            return np.zeros((0, 2, BINS, 2), np.float32)
        used = (frames + OVERLAP - 1) * HOP
        found = np.stack([analyse(part[:used]) for part in self._rest], 1)
        self._rest = self._rest[0][frames * HOP :], self._rest[1][frames * HOP :]
        return found
