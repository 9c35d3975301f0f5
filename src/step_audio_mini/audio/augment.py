"""Makes clean recordings sound like other rooms, devices and people, because training data is cleaner than the world.

All randomness comes from the generator that is passed in, so a resumed run hears the same sounds again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import soxr
from numpy.typing import NDArray

from step_audio_mini.audio.features import MELS
from step_audio_mini.types import SAMPLE_RATE, Frames, Samples

Sound = NDArray[np.int16] | NDArray[np.float32]
"""Mono 16 kHz sound as the cache holds it (int16) or as float32."""

SPEEDS = (9, 10, 11)
"""Speed in tenths: Ko et al. 2015, "Audio augmentation for speech recognition"."""
SNR_LOW, SNR_HIGH = -5.0, 30.0
"""dB; babble stays above `BABBLE_LOW`, where a person could still tell who is meant."""
BABBLE_LOW = 5.0
ROOM_SECONDS = 1.5
"""Longer responses are cut: the halls among them ring far longer than the rooms people talk in."""
P_SPEED, P_ROOM, P_NOISE, P_GAIN, P_CLIP, P_TELEPHONE = 1.0, 0.33, 0.5, 0.9, 0.05, 0.1
"""Chance of each step at full strength."""


def speech_power(samples: Samples) -> float:
    """Mean power of the 20 ms frames within 30 dB of the loudest, so that pauses do not count; 0 for silence."""
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    if not len(frames):
        return float(np.mean(samples**2)) if len(samples) else 0.0
    power = np.einsum("ij,ij->i", frames, frames) / np.float32(320)
    return float(power[power >= power.max() * 1e-3].mean())


def mix_noise(samples: Samples, noise: Samples, snr_db: float) -> Samples:
    """Speech (n,) plus noise (n,), the noise scaled to `snr_db` under the speech's active level."""
    speech, level = speech_power(samples), float(np.mean(noise**2)) if len(noise) else 0.0
    if speech <= 0 or level <= 0:
        return samples
    scale = np.float32(np.sqrt(speech / level * 10 ** (-snr_db / 10)))
    return samples + scale * noise


def align_room(response: Sound) -> Samples:
    """A room response from its direct path on, at unit energy, cut to `ROOM_SECONDS`; (m,) float32, m >= 1."""
    whole = _floats(response)
    peak = int(np.argmax(np.abs(whole))) if len(whole) else 0
    part = whole[peak : peak + int(ROOM_SECONDS * SAMPLE_RATE)]
    energy = float(np.sqrt(np.sum(part.astype(np.float64) ** 2)))
    return (part / np.float32(energy)).astype(np.float32) if energy > 0 else np.ones(1, np.float32)


def in_room(samples: Samples, room: Samples) -> Samples:
    """Speech (n,) heard through an aligned response (m,): the same length, times and energy."""
    size = _fast_length(len(samples) + len(room) - 1)
    spectrum = np.fft.rfft(samples, size) * np.fft.rfft(room, size)
    wet = np.fft.irfft(spectrum, size)[: len(samples)].astype(np.float32, copy=False)
    before, after = float(np.sum(samples**2)), float(np.sum(wet**2))
    return wet * np.float32(np.sqrt(before / after)) if after > 0 else samples


def change_speed(samples: Samples, tenths: int) -> Samples:
    """Play at `tenths`/10 of the speed, pitch included: (n,) -> (10 n / tenths,)."""
    return samples if tenths == 10 else np.asarray(soxr.resample(samples, tenths, 10), np.float32)


def overdrive(samples: Samples, decibels: float) -> Samples:
    """Clip as if recorded `decibels` too loud, at the level it had."""
    limit = float(np.abs(samples).max(initial=0.0)) * 10 ** (-decibels / 20)
    return np.clip(samples, -limit, limit)


def telephone(samples: Samples, low: float = 300.0, high: float = 3400.0) -> Samples:
    """Band-limited to `low`...`high` Hz and quantised to 8 bits by µ-law (ITU-T G.711), as a telephone line does."""
    size = _fast_length(len(samples))
    hertz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE).astype(np.float32)
    # soft edges: a sharp cut would ring
    band = 1 / ((1 + (low / np.maximum(hertz, 1)) ** 8) * (1 + (hertz / high) ** 24))
    narrow = np.fft.irfft(np.fft.rfft(samples, size) * band, size)[: len(samples)].astype(np.float32)
    peak = np.float32(max(float(np.abs(narrow).max(initial=0.0)), 1e-6))
    squeezed = np.sign(narrow) * np.log1p(255 * np.abs(narrow) / peak) / np.log(np.float32(256))
    steps = np.rint(squeezed * 127) / np.float32(127)
    return np.asarray(np.sign(steps) * np.expm1(np.abs(steps) * np.log(np.float32(256))) / 255 * peak, np.float32)


def coloured_noise(count: int, tilt: float, rng: np.random.Generator) -> Samples:
    """Steady noise (count,) whose power falls with frequency as f^-tilt: 0 white, 1 pink, 2 brown (fans, cars)."""
    size = _fast_length(count)
    spectrum = np.fft.rfft(rng.standard_normal(size, dtype=np.float32))
    spectrum *= np.maximum(np.arange(len(spectrum), dtype=np.float32), size * 20 / SAMPLE_RATE) ** (-tilt / 2)
    return np.fft.irfft(spectrum, size)[:count].astype(np.float32)


class Augmenter:
    """Changes one clip at a time. Holds noises, rooms and babble voices (all of the train split); keeps no state.

    `noises` and `babble` may be views of a cache (int16): they are read only where used.
    """

    def __init__(self, noises: Sequence[Sound], rooms: Sequence[Sound], babble: Sequence[Sound] = ()) -> None:
        self._noises = [noise for noise in noises if len(noise)]
        self._rooms = [align_room(room) for room in rooms]
        self._babble = [voice for voice in babble if len(voice)]

    def __call__(self, samples: Samples, rng: np.random.Generator, strength: float = 1.0) -> Samples:
        """(n,) -> (n,), or (10 n / 9,), (10 n / 11,) where the speed changed; within ±1.

        `strength` 0...1 scales the chance of every step and the depth of the noise: 0 changes nothing.
        """
        if strength <= 0 or not len(samples):
            return samples

        def chance(p: float) -> bool:
            return bool(rng.random() < p * strength)

        if chance(P_SPEED):
            samples = change_speed(samples, int(rng.choice(SPEEDS)))
        if chance(P_ROOM) and self._rooms:
            samples = in_room(samples, self._rooms[rng.integers(len(self._rooms))])
        if chance(P_NOISE):
            samples = self._noisy(samples, rng, strength)
        if chance(P_CLIP):
            samples = overdrive(samples, rng.uniform(3, 15))
        if chance(P_TELEPHONE):
            samples = telephone(samples, rng.uniform(50, 350), rng.uniform(3200, 3900))
        if chance(P_GAIN):
            samples = samples * np.float32(10 ** (rng.uniform(-12, 12) * strength / 20))
        return np.clip(samples, -1, 1).astype(np.float32, copy=False)

    def _noisy(self, samples: Samples, rng: np.random.Generator, strength: float) -> Samples:
        count, kind = len(samples), rng.random()
        low = SNR_HIGH - (SNR_HIGH - SNR_LOW) * strength
        if kind < 0.2 and self._babble:
            voices = rng.integers(len(self._babble), size=rng.integers(2, 7))
            noise = np.sum([_excerpt(self._babble[voice], count, rng) for voice in voices], axis=0)
            low = max(low, BABBLE_LOW)
        elif kind < 0.4 or not self._noises:
            noise = coloured_noise(count, rng.uniform(0, 2), rng)
        else:
            noise = _excerpt(self._noises[rng.integers(len(self._noises))], count, rng)
        return mix_noise(samples, noise, rng.uniform(low, SNR_HIGH))


def warp_mel(frames: Frames, alpha: float) -> Frames:
    """Stretch the frequency axis of log-mel frames (T, 80) by `alpha` (0.8...1.2), as another vocal tract would.

    Jaitly & Hinton 2013, "Vocal tract length perturbation improves speech recognition", on the mel axis.
    """
    return frames @ _warp_matrix(round(float(alpha), 3))


def spec_augment(frames: Frames, rng: np.random.Generator, strength: float = 1.0) -> Frames:
    """A copy of log-mel frames (T, 80) with two bands and some stretches of time masked with 0, the mean.

    Park et al. 2019, "SpecAugment": bands of up to 27, a time mask a second (at most ten) of up to 5 % of T.
    `strength` scales the widths.
    """
    out = frames.copy()
    count = len(out)
    for _ in range(2):
        width = int(rng.integers(0, int(27 * strength) + 1))
        start = int(rng.integers(0, MELS - width + 1))
        out[:, start : start + width] = 0
    for _ in range(min(10, round(count / 100))):
        width = int(rng.integers(0, int(0.05 * count * strength) + 1))
        start = int(rng.integers(0, count - width + 1))
        out[start : start + width] = 0
    return out


def _floats(sound: Sound) -> Samples:
    if sound.dtype == np.int16:
        return sound.astype(np.float32) / np.float32(32768)
    return np.asarray(sound, np.float32)


def _excerpt(sound: Sound, count: int, rng: np.random.Generator) -> Samples:
    """`count` samples from a random place; a shorter sound is repeated."""
    if len(sound) < count:
        start = int(rng.integers(len(sound)))
        return np.resize(np.roll(_floats(sound), -start), count)
    start = int(rng.integers(len(sound) - count + 1))
    return _floats(sound[start : start + count])


def _fast_length(count: int) -> int:
    """The next length whose Fourier transform is quick: 8, 9, 10, 12 or 15 times a power of two."""
    power = 1 << max(0, (max(count, 1) - 1).bit_length() - 4)
    return next(size for m in (8, 9, 10, 12, 15, 16) if (size := m * power) >= count)


@lru_cache(maxsize=256)
def _warp_matrix(alpha: float) -> NDArray[np.float32]:
    """(80, 80): column k takes the old bands at the frequency that `alpha` moves to band k, linear in between."""
    low, high = (2595 * np.log10(1 + f / 700) for f in (20.0, SAMPLE_RATE / 2))
    mels = low + (high - low) * np.arange(1, MELS + 1) / (MELS + 1)
    hertz = 700 * (10 ** (mels / 2595) - 1)
    top, knee = SAMPLE_RATE / 2, 4800 * min(alpha, 1) / alpha
    moved = np.where(hertz <= knee, hertz * alpha, top - (top - knee * alpha) / (top - knee) * (top - hertz))
    places = np.interp(2595 * np.log10(1 + moved / 700), mels, np.arange(MELS))
    below = np.minimum(places.astype(int), MELS - 2)
    matrix = np.zeros((MELS, MELS), np.float32)
    matrix[below, np.arange(MELS)] = 1 - (places - below)
    matrix[below + 1, np.arange(MELS)] += places - below
    return matrix
