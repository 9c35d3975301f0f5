"""Sound on the wire and sound inside: PCM at 24 kHz, mu-law and A-law at 8 kHz, to and from 16 kHz, as a stream."""

from __future__ import annotations

import binascii
import io
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import soundfile as sf

from step_audio_mini.audio.resample import Resampler
from step_audio_mini.serve.protocol import ProtocolError
from step_audio_mini.types import SAMPLE_RATE, Samples

FormatName = Literal["audio/pcm", "audio/pcmu", "audio/pcma"]
LARGEST_APPEND = 15 * 2**20
"""Bytes of sound in one `input_audio_buffer.append`."""


@dataclass(frozen=True, slots=True)
class Format:
    """A wire format of mono sound."""

    name: FormatName
    rate: int
    width: int
    """Bytes a sample."""

    def milliseconds(self, size: int) -> int:
        """Whole milliseconds that `size` bytes last."""
        return size * 1000 // (self.rate * self.width)

    def size(self, milliseconds: int) -> int:
        """Bytes that whole milliseconds take."""
        return milliseconds * self.rate * self.width // 1000

    def decode(self, data: bytes) -> Samples:
        """Bytes as samples, (n,) float32 within ±1."""
        if self.name == "audio/pcm":
            return np.asarray(np.frombuffer(data, "<i2") / np.float32(32768), np.float32)
        samples, _ = sf.read(
            io.BytesIO(data), dtype="float32", format="RAW", subtype=_LAWS[self.name], samplerate=self.rate, channels=1
        )
        return np.asarray(samples, np.float32)

    def encode(self, samples: Samples) -> bytes:
        """Samples, (n,), as bytes; what is louder than ±1 is cut."""
        whole = np.clip(np.round(samples * 32768), -32768, 32767).astype("<i2")
        if self.name == "audio/pcm":
            return whole.tobytes()
        out = io.BytesIO()
        sf.write(out, whole, self.rate, format="RAW", subtype=_LAWS[self.name])
        return out.getvalue()


_LAWS = {"audio/pcmu": "ULAW", "audio/pcma": "ALAW"}
PCM = Format("audio/pcm", 24_000, 2)
FORMATS: dict[str, Format] = {
    PCM.name: PCM,
    "audio/pcmu": Format("audio/pcmu", 8_000, 1),
    "audio/pcma": Format("audio/pcma", 8_000, 1),
}


def sound_of(text: str, width: int) -> bytes:
    """The bytes of a base64 text; ProtocolError where it is none, is too long, or ends inside a sample."""
    if len(text) * 3 // 4 > LARGEST_APPEND + 2:
        raise ProtocolError(
            f"audio holds more than {LARGEST_APPEND // 2**20} MiB; append it in parts", "invalid_value", param="audio"
        )
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except (ValueError, binascii.Error):
        raise ProtocolError("audio is not base64", "invalid_value", param="audio") from None
    if len(data) % width:
        raise ProtocolError(f"audio ends inside a sample of {width} bytes", "invalid_value", param="audio")
    return data


def seconds_of(data: bytes, wire: Format) -> Iterator[bytes]:
    """Sound in pieces of a second: a long one would keep all other calls waiting."""
    size = wire.rate * wire.width
    return (data[start : start + size] for start in range(0, len(data), size))


def text_of(data: bytes) -> str:
    """Bytes as base64 text."""
    return b64encode(data).decode()


def shown_format(name: str | None) -> dict[str, Any]:
    """A format as it is told, PCM for None; PCM is always said to be 24 kHz."""
    return {"type": "audio/pcm", "rate": PCM.rate} if name in (None, PCM.name) else {"type": name}


class Decoder:
    """A client's sound as it comes."""

    def __init__(self, wire: Format) -> None:
        self._wire, self._resampler = wire, Resampler(wire.rate, SAMPLE_RATE)

    def push(self, data: bytes) -> Samples:
        """What is ready at 16 kHz, (n,); how the bytes were cut on the way makes no difference to the whole."""
        return self._resampler.push(self._wire.decode(data))

    def finish(self) -> Samples:
        """The rest of it, (n,); what comes then is another sound."""
        rest, self._resampler = self._resampler.finish(), Resampler(self._wire.rate, SAMPLE_RATE)
        return rest


class Encoder:
    """A reply's sound as it is made, in the wire's format; equal to encoding the whole at once."""

    def __init__(self, wire: Format) -> None:
        self._wire, self._resampler = wire, Resampler(SAMPLE_RATE, wire.rate)

    def push(self, samples: Samples) -> bytes:
        """Bytes that are ready for samples, (n,) at 16 kHz."""
        return self._wire.encode(self._resampler.push(samples))

    def finish(self) -> bytes:
        """The rest."""
        return self._wire.encode(self._resampler.finish())
