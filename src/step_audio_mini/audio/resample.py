"""Any sample rate in, 16 kHz out, a block at a time: what a stream gives equals what the whole sound gives."""

from __future__ import annotations

import numpy as np
import soxr

from step_audio_mini.errors import UserError
from step_audio_mini.types import SAMPLE_RATE, Samples

LOWEST_RATE, HIGHEST_RATE = 4_000, 384_000
"""Sample rates in Hz between which a file is believed to hold speech."""


class Resampler:
    """Converts one mono sound from `rate` to `to_rate` as its blocks arrive.

    Every sound needs a Resampler of its own: it holds the tail of the filter. The filter's delay is taken out, so
    that output sample n sounds at n / to_rate seconds.
    """

    def __init__(self, rate: int, to_rate: int = SAMPLE_RATE) -> None:
        if not LOWEST_RATE <= rate <= HIGHEST_RATE:
            raise UserError(
                f"a sample rate of {rate} Hz is outside {LOWEST_RATE}...{HIGHEST_RATE} Hz; convert the sound to 16 kHz"
            )
        self._stream = soxr.ResampleStream(rate, to_rate, 1, dtype="float32") if rate != to_rate else None

    def push(self, samples: Samples) -> Samples:
        """Take a block, (n,), and return what is ready, (m,); m may be 0."""
        return self._convert(samples, last=False)

    def finish(self) -> Samples:
        """Return the rest of the sound, (m,). The resampler is used up."""
        return self._convert(np.zeros(0, np.float32), last=True)

    def _convert(self, samples: Samples, *, last: bool) -> Samples:
        if self._stream is None:
            return samples
        ready = self._stream.resample_chunk(np.ascontiguousarray(samples, np.float32), last=last)
        return np.asarray(ready, np.float32)


def resample(samples: Samples, rate: int, to_rate: int = SAMPLE_RATE) -> Samples:
    """Convert a whole mono sound, (n,) at `rate` Hz, to (n * to_rate / rate,)."""
    resampler = Resampler(rate, to_rate)
    return np.concatenate([resampler.push(samples), resampler.finish()])
