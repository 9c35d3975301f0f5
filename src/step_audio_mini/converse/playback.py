"""What was heard of a reply: an estimate from what was sent and when, and the words whose sound had ended by then.

A client plays what it was sent in real time and stands still where it has nothing: that needs no word from it, and many
clients never say what they played.
"""

from __future__ import annotations

from collections.abc import Iterable

from step_audio_mini.converse.events import TimedWord


class Playback:
    """The client's loudspeaker for one reply; milliseconds."""

    def __init__(self, after_ms: int = 0) -> None:
        """It begins no sooner than at `after_ms` by the clock, when the reply before has been played."""
        self._at = after_ms
        self._played = self._quiet_from = 0
        self.sent_ms = 0

    def sent(self, ms: int, now_ms: int) -> None:
        """All the sound sent by now; less than was told before changes nothing."""
        self.heard(now_ms)
        self.sent_ms = max(self.sent_ms, ms)

    def heard(self, now_ms: int) -> int:
        """How much has been played."""
        if now_ms > self._at:
            left = self.sent_ms - self._played
            if 0 < left <= now_ms - self._at:
                self._quiet_from = self._at + left
            self._played += min(left, now_ms - self._at)
            self._at = now_ms
        return self._played

    def quiet_from(self, now_ms: int) -> int:
        """When all that was sent has been played, or will have been; 0 before any was."""
        left = self.sent_ms - self.heard(now_ms)
        return self._at + left if left else self._quiet_from


class Script:
    """The words of a reply with their times; never runs backwards whatever it is told."""

    def __init__(self) -> None:
        self._words: list[TimedWord] = []

    def add(self, words: Iterable[TimedWord]) -> None:
        """Words that follow those told before."""
        for word in words:
            latest = self._words[-1].end_ms if self._words else 0
            self._words.append(word if word.end_ms >= latest else TimedWord(word.text, latest))

    def until(self, ms: int) -> str:
        """Text whose sound has ended by then."""
        return "".join(word.text for word in self._words if word.end_ms <= ms)
