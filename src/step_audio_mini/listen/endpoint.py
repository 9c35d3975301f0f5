"""Has the speaker finished? Rules over what the frames say, with time as an argument; no sound, no clock in here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EndRules:
    """When a turn ends; all in seconds unless said otherwise."""

    pause: float = 0.8
    """After speech, this long without a unit, the last `hush` of it quiet, ends the turn."""
    hush: float = 0.15
    """How long the sound itself must have been quiet at a pause: a drawn-out vowel is not one."""
    long_pause: float = 1.2
    """This long without a unit ends the turn even where the sound never becomes quiet (noise)."""
    patience: float = 8.0
    """This long without any speech ends the turn."""
    longest: float = 30.0
    """A turn never lasts longer."""
    unit: float = 0.5
    """A frame holds a unit where the posterior of blank is below this probability."""
    rise_db: float = 8.0
    """A frame is loud where its level is this much above the noise floor."""


class Endpoint:
    """Follows one turn: `update` with each frame in order tells whether it is over; once over, it stays so.

    The noise floor is the lowest level so far, rising 2 dB a second, so that one quiet moment is forgotten.
    """

    def __init__(self, rules: EndRules | None = None) -> None:
        self._rules = rules or EndRules()
        self._floor: float | None = None
        self._time = self._last_unit = self._last_loud = 0.0
        self._spoken = 0
        self.over = False

    @property
    def rules(self) -> EndRules:
        """When a turn ends."""
        return self._rules

    @property
    def spoken(self) -> bool:
        """Whether anything was said; one frame that looks like a unit is as often a click."""
        return self._spoken > 1

    @property
    def silence(self) -> float:
        """Seconds since the last unit."""
        return self._time - self._last_unit

    @property
    def quiet(self) -> float:
        """Seconds since the last loud frame."""
        return self._time - self._last_loud

    def loud(self, level_db: float) -> bool:
        """Whether a frame of this level stands out of the noise."""
        return self._floor is None or level_db > self._floor + self._rules.rise_db

    def update(self, time: float, blank: float, level_db: float) -> bool:
        """A frame that ends `time` seconds into the turn; `blank` is the posterior probability of blank."""
        rules = self._rules
        risen = level_db if self._floor is None else self._floor + 2.0 * (time - self._time)
        self._floor = min(level_db, risen)
        self._time = time
        if blank < rules.unit:
            self._spoken += 1
            self._last_unit = time
        if self.loud(level_db):
            self._last_loud = time
        paused = self.silence >= rules.pause and self.quiet >= rules.hush
        self.over = self.over or (
            (self.spoken and (paused or self.silence >= rules.long_pause))
            or (not self.spoken and time >= rules.patience)
            or time >= rules.longest
        )
        return self.over
