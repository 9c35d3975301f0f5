"""A recording as the world delivers it: in noise, in a room, over a telephone; the same clip always in the same way."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

from step_audio_mini.audio.augment import align_room, coloured_noise, in_room, mix_noise
from step_audio_mini.data.cache import Cache, to_float, to_int16
from step_audio_mini.data.makers.writer import encode
from step_audio_mini.errors import UserError
from step_audio_mini.types import SAMPLE_RATE, Samples

SNRS = (20, 10, 5, 0, -5)
"""dB at which background is mixed in."""
CLEAN, FAR, TELEPHONE, OPUS, CAR = "clean", "far field", "telephone", "Opus 12 kbit/s", "car-like noise 0 dB"
NOISY = {f"noise {snr} dB": snr for snr in SNRS}
CONDITIONS = (CLEAN, *NOISY, FAR, TELEPHONE, OPUS, CAR)
NOTES = {
    **dict.fromkeys(NOISY, "recorded background of the test split of `ambient`, one place a clip"),
    FAR: "measured responses of the test split of `rir_real`, halls among them",
    TELEPHONE: "8 kHz, 8-bit µ-law",
    OPUS: "libopus through libsndfile, about 14 kbit/s with its container",
    CAR: "shaped: brown noise from a generator, no recording of a car",
}
OPUS_KBPS = 12
LOUDEST = 0.99
"""Peak that a mixture is turned down to: who records in noise has set his level for it."""


@dataclass(frozen=True)
class World:
    """Backgrounds and rooms that nobody trained on."""

    noises: Sequence[NDArray[np.int16]]
    rooms: Sequence[Samples]

    @classmethod
    def of(cls, cache: Cache) -> World:
        """Test clips of packs `ambient` and `rir_real`; UserError where the cache lacks them."""
        noises, rooms = (
            [cache.samples(clip) for clip in cache.clips if clip.pack == pack and clip.split == "test"]
            for pack in ("ambient", "rir_real")
        )
        if not (noises and rooms):
            raise UserError("the cache has no test backgrounds or rooms; make it from packs ambient and rir_real too")
        return cls(noises, [align_room(room) for room in rooms])

    def heard(self, samples: Samples, condition: str, seed: str) -> tuple[Samples, float | None]:
        """A clip, (n,), under a condition, and the true SNR in dB where noise was added.

        `seed` (the clip's id) picks background and room: alike at every SNR, alike in every run.
        """
        rng = np.random.default_rng(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big"))
        place = rng.integers(1 << 30, size=2)
        if condition in NOISY or condition == CAR:
            if condition == CAR:
                noise = coloured_noise(len(samples), 2.0, rng)
            else:
                noise = _excerpt(self.noises[place[0] % len(self.noises)], len(samples), rng)
            mixed = mix_noise(samples, noise, NOISY.get(condition, 0))
            return _within(mixed), true_snr(samples, mixed - samples)
        if condition == FAR:
            return _within(in_room(samples, self.rooms[place[1] % len(self.rooms)])), None
        change = {CLEAN: lambda sound: sound, TELEPHONE: telephone, OPUS: opus}[condition]
        return change(samples), None


def true_snr(speech: Samples, noise: Samples) -> float | None:
    """Decibels of speech over added noise, both (n,), in the 20 ms frames with speech; None where one is silent.

    There is speech where the clean recording is within 30 dB of its loudest frame.
    """
    said, added = (np.mean(np.square(_frames(sound), dtype=np.float64), axis=1) for sound in (speech, noise))
    active = said >= said.max(initial=0.0) * 1e-3
    if not len(said) or not said[active].mean() > 0 or not added[active].mean() > 0:
        return None
    return float(10 * np.log10(said[active].mean() / added[active].mean()))


def telephone(samples: Samples) -> Samples:
    """Through 8 kHz and 8-bit µ-law (ITU-T G.711), as a telephone line sends it: (n,) -> (n,)."""
    line = io.BytesIO()
    narrow = soxr.resample(samples, SAMPLE_RATE, SAMPLE_RATE // 2)
    sf.write(line, np.clip(narrow, -1, 1), SAMPLE_RATE // 2, format="WAV", subtype="ULAW")
    line.seek(0)
    back, _ = sf.read(line, dtype="float32")
    return _cut(soxr.resample(back, SAMPLE_RATE // 2, SAMPLE_RATE).astype(np.float32), len(samples))


def opus(samples: Samples) -> Samples:
    """Coded to Opus at `OPUS_KBPS` and back: (n,) -> (n,)."""
    back, _ = sf.read(io.BytesIO(encode(to_int16(samples), SAMPLE_RATE, OPUS_KBPS)), dtype="float32")
    return _cut(back, len(samples))


def _frames(samples: Samples) -> Samples:
    return samples[: len(samples) // 320 * 320].reshape(-1, 320)


def _excerpt(sound: NDArray[np.int16], count: int, rng: np.random.Generator) -> Samples:
    """`count` samples from a random place; a shorter sound goes round."""
    start = int(rng.integers(len(sound) - count + 1 if len(sound) > count else len(sound)))
    return to_float(np.take(sound, np.arange(start, start + count), mode="wrap"))


def _within(samples: Samples) -> Samples:
    return samples * np.float32(min(1.0, LOUDEST / max(float(np.abs(samples).max(initial=0.0)), 1e-9)))


def _cut(samples: Samples, count: int) -> Samples:
    return np.pad(samples, (0, max(0, count - len(samples))))[:count]
