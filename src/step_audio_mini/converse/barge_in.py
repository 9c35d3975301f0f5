"""Tells whether sound over the assistant means "stop", is a backchannel, or noise.

The first stage is not here: after `DUCK_MS` of any sound the assistant falls silent, without losing a sample. That buys
the time to wait for words, so a verdict need not be quick, only right. No list of phrases decides alone: an
acknowledgement counts as one by its class of words, its length, and whether the assistant had asked something.
"""

from __future__ import annotations

import re
from typing import Literal

from step_audio_mini.converse.burst import Burst

Verdict = Literal["stop", "backchannel", "noise"]

DUCK_MS = 80
"""Sound that makes the assistant fall silent: four pieces, longer than a click; within 100 ms of its onset."""
SPOKEN_MS, EXPECTED_MS, VOICED_MS = 360, 240, 120
"""Evidence of speech before words are believed, because a pack's sentences pull noise towards its words; less where
the user is expected to speak; least before sound without words is taken for a voice. Chosen on dev clips and noise that
is not of the test split: false stops against stops by speech."""
SURE = 0.16
"""Words are believed of which the ears are as sure: of those in noise hardly ever, of a stranger's nearly always."""
ENDED_MS = 200
"""A burst with words is over after this much silence."""
CAUGHT_UP_MS = 440
"""By then the ears know the end of a burst: a chunk of theirs and what they look ahead."""
ACKNOWLEDGED_MS = 900
ACKNOWLEDGING_WORDS = 3
"""Nobody acknowledges for longer, or with more words: he has begun to say something."""
WORDLESS_MS = 700
"""Speech without a known word for so long means to interrupt all the same."""
UNLIKE_SPEECH_MS = 700
"""Sound that goes on for so long without the ears taking it for speech is noise."""
UNDECIDED_MS = 2500
"""After this long the assistant goes on, whatever it was."""


def words(text: str) -> list[str]:
    """Words in lower case: runs of letters and digits, each Han character alone; no signs."""
    return re.findall(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+(?:'\w+)?", text.lower())


ACKNOWLEDGING = frozenset(
    words(
        "ah aha alright cool fine good got great hm hmm huh i is it mhm mm mmm nice oh ok okay really right see sure "
        "that uh um understood well wow yeah yep yes yup 嗯恩哦噢喔啊呃唔哈好对是的行呢吧了呀嘛可以懂明白知道没错"
    )
)
"""Words of which acknowledgements are made; each Han character counts as one."""


def new_words(text: str, before: str) -> list[str]:
    """Words of a text beyond those that were there before; all of them where its beginning has changed."""
    now, old = words(text), words(before)
    return now[len(old) :] if now[: len(old)] == old else now


def believed(confidence: float | None) -> bool:
    """Whether the words of a transcript count, by `Heard.confidence`."""
    return confidence is None or confidence >= SURE


def judge(burst: Burst, audio_ms: int, said: list[str], answer_awaited: bool) -> Verdict | None:
    """The verdict by now, None where it is too early; `said` are the words heard in the burst."""
    gap, spoken = audio_ms - burst.last_ms, burst.spoken_ms >= (EXPECTED_MS if answer_awaited else SPOKEN_MS)
    if said and spoken:
        brief = burst.sounding_ms <= ACKNOWLEDGED_MS and len(said) <= ACKNOWLEDGING_WORDS
        if not brief or not ACKNOWLEDGING.issuperset(said):
            return "stop"
        return None if gap < ENDED_MS else "stop" if answer_awaited else "backchannel"
    if min(burst.spoken_ms, burst.sounding_ms) >= WORDLESS_MS:
        return "stop"
    if gap >= CAUGHT_UP_MS:
        return "backchannel" if burst.spoken_ms >= VOICED_MS else "noise"
    unlike = burst.sounding_ms >= UNLIKE_SPEECH_MS and burst.spoken_ms < VOICED_MS
    return "noise" if unlike or audio_ms - burst.start_ms >= UNDECIDED_MS else None
