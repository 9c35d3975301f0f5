"""The client's sound as it arrived, by the sample clock, so that an item holds exactly the bytes of its turn."""

from __future__ import annotations

from step_audio_mini.serve.codec import Format

KEPT_MS = 120_000
"""Sound that is kept for an item; a longer turn keeps its end."""


class SoundIn:
    """Bytes appended since the call began, of which the last are kept."""

    def __init__(self, wire: Format) -> None:
        self._wire = wire
        self._data = bytearray()
        self._start_ms = 0

    def change(self, wire: Format, at_ms: int) -> None:
        """The client writes its sound otherwise from here on."""
        if wire != self._wire:
            self._wire, self._start_ms = wire, at_ms
            self._data.clear()

    def add(self, data: bytes) -> None:
        """Sound was appended."""
        self._data += data
        if (extra := self._wire.milliseconds(len(self._data)) - KEPT_MS) > 1000:
            self._cut(extra)

    def take(self, start_ms: int, end_ms: int) -> bytes:
        """The bytes of a span; what is before its end is forgotten."""
        first, last = (self._wire.size(max(0, ms - self._start_ms)) for ms in (start_ms, end_ms))
        first, last = (place // self._wire.width * self._wire.width for place in (first, last))
        taken = bytes(self._data[first:last])
        self.forget(end_ms)
        return taken

    def forget(self, until_ms: int) -> None:
        """Nothing before this is wanted any more."""
        if until_ms > self._start_ms:
            self._cut(until_ms - self._start_ms)

    def _cut(self, milliseconds: int) -> None:
        del self._data[: self._wire.size(milliseconds)]
        self._start_ms += milliseconds
