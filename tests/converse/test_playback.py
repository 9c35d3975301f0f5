"""What was heard of a reply, and what stays of its text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from step_audio_mini.converse.actions import Refused, TruncateReply
from step_audio_mini.converse.engine import Engine
from step_audio_mini.converse.events import (
    Cancel,
    CreateResponse,
    ReplyEnded,
    ReplySound,
    TimedWord,
    Truncate,
)
from step_audio_mini.converse.playback import Playback, Script

pytestmark = pytest.mark.unit

SENT = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 300)), max_size=12)
"""Sound sent: (ms after the one before, length)."""
WORDS = (TimedWord("Well, ", 300), TimedWord("hello ", 700), TimedWord("there.", 1000))


@given(SENT, st.integers(0, 6000))
def test_playback_is_a_loudspeaker_that_never_skips(sent: list[tuple[int, int]], until: int) -> None:
    """Against a loudspeaker that plays millisecond by millisecond."""
    playback, total, now, played = Playback(), 0, 0, 0
    for wait, ms in sent:
        played = min(total, played + wait)  # what was there is played while nothing comes
        now += wait
        total += ms
        playback.sent(total, now)
        assert playback.heard(now) == played
    end = now + until
    assert playback.heard(end) == min(total, played + until)
    assert playback.quiet_from(end) <= max(end, now + total)


def test_silence_begins_when_the_last_sound_ended() -> None:
    playback = Playback()
    assert playback.quiet_from(500) == 0
    playback.sent(200, 1000)
    assert playback.quiet_from(1050) == 1200
    assert playback.quiet_from(5000) == 1200
    late = Playback(after_ms=2000)
    late.sent(300, 1000)
    assert late.heard(2100) == 100
    assert late.quiet_from(2100) == 2300


@given(st.lists(st.tuples(st.text(max_size=3), st.integers(0, 500)), max_size=8), st.integers(0, 600))
def test_heard_text_is_how_the_reply_begins(words: list[tuple[str, int]], ms: int) -> None:
    script = Script()
    script.add(TimedWord(*word) for word in words)
    whole = "".join(text for text, _ in words)
    assert whole.startswith(script.until(ms))
    assert script.until(10_000) == whole


def spoken(ended: bool) -> Engine:
    """A reply of a second, all sent and all heard."""
    engine = Engine()
    engine.on(CreateResponse(), 0)
    engine.on(ReplySound(1, 1000, WORDS), 0)
    if ended:
        engine.on(ReplyEnded(1), 1000)
    return engine


@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize(
    ("ms", "heard"), [(0, ""), (299, ""), (300, "Well, "), (999, "Well, hello "), (1000, "Well, hello there.")]
)
def test_truncation_keeps_the_words_that_had_ended(ended: bool, ms: int, heard: str) -> None:
    engine = spoken(ended)
    once = engine.on(Truncate(1, ms), 1500)
    assert once == [TruncateReply(1, ms, heard, client=True)]
    assert engine.on(Truncate(1, ms), 1600) == once
    assert (engine.generation is None) is ended


@pytest.mark.parametrize("ms", [1002, -1])
def test_truncation_beyond_the_sound_is_refused(ms: int) -> None:
    engine = spoken(ended=True)
    assert engine.on(Truncate(1, ms, "e"), 1500) == [Refused("item_truncate_invalid_audio_end_ms", "e")]
    assert engine.on(Truncate(9, 0, "e"), 1500) == [Refused("item_truncate_invalid_item_id", "e")]


def test_a_millisecond_rounded_up_is_the_end() -> None:
    assert spoken(ended=True).on(Truncate(1, 1001), 1500) == [TruncateReply(1, 1000, "Well, hello there.", client=True)]


def test_later_word_of_the_client_gives_no_sound_back() -> None:
    engine = spoken(ended=True)
    engine.on(Truncate(1, 300), 1500)
    assert engine.on(Truncate(1, 1000), 1500) == [TruncateReply(1, 300, "Well, ", client=True)]


def test_the_client_knows_better_than_the_estimate() -> None:
    engine = spoken(ended=False)
    (stopped,) = engine.on(Cancel(), 400)
    assert getattr(stopped, "heard", None) == "Well, "
    assert engine.on(Truncate(1, 750), 500) == [TruncateReply(1, 750, "Well, hello ", client=True)]


def test_truncating_at_the_full_length_changes_nothing() -> None:
    engine = spoken(ended=False)
    engine.on(Truncate(1, 1000), 1000)
    engine.on(ReplySound(1, 1500, (TimedWord(" Bye.", 1500),)), 1000)
    engine.on(ReplyEnded(1), 1500)
    assert engine.on(Truncate(1, 1500), 1500) == [TruncateReply(1, 1500, "Well, hello there. Bye.", client=True)]
