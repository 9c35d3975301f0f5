"""How likely the speaker has finished: the silence so far weighed against what was said, as one number.

Two independent pieces of evidence add up as log odds: how long nobody has spoken, and whether a sentence of the pack or
of the general language ends where the words stand (`Beam.closure`). Pure functions; time is an argument.
"""

from __future__ import annotations

import math

from step_audio_mini.listen.endpoint import EndRules

SCALE = 0.25
"""Seconds of silence that raise the odds of an end by a factor e."""
SETTLED = 0.2
"""Seconds of silence from which on a complete sentence counts in full: before, the next word may just be coming."""
COMPLETE = (1.3, 0.4)
"""Log odds that a turn is over where its sentence surely ends, and their slope with `closure`.

Chosen with the pauses of `EndRules` on 276 dev clips: the shortest waits at the same share of turns cut off, 2...15 %.
"""
LEAST, MOST = -4.0, 2.0
"""Bounds of what the words can say: no sentence holds a turn open for ever, none ends it in the middle of a word."""


def effective_silence(silence: float, quiet: float, rules: EndRules) -> float:
    """Seconds of silence, of which some are taken back while the sound is not quiet: a drawn-out vowel, or noise.

    `silence` is the time without a unit, `quiet` that without a loud frame. It reaches `rules.pause` when the rules end
    a turn.
    """
    heard = min(silence, quiet + rules.pause - rules.hush)
    return max(0.0, heard, silence - (rules.long_pause - rules.pause))


def words_evidence(closure: float) -> float:
    """Log odds for an end from the words: positive after a complete sentence, negative after an open one."""
    bias, slope = COMPLETE
    return min(MOST, max(LEAST, bias + slope * max(closure, -1e3)))


def end_probability(silence: float, quiet: float, closure: float, rules: EndRules) -> float:
    """Probability that the turn is over, after some speech. Grows with silence, quiet and closure.

    `closure` is the natural log of the probability that the sentence ends here, at most 0. Where the words say nothing,
    0.5 is reached when the rules end the turn.
    """
    waited = effective_silence(silence, quiet, rules)
    words = words_evidence(closure)
    odds = (waited - rules.pause) / SCALE + (words if words < 0 else words * min(1.0, waited / SETTLED))
    return 1.0 / (1.0 + math.exp(-odds)) if odds > -700 else 0.0
