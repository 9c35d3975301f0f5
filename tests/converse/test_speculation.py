"""Replies on trial: made early, let out only for the words they answer, and the protocol's settings mapped."""

from __future__ import annotations

import pytest

from step_audio_mini.converse import settings
from step_audio_mini.converse.actions import Action, Discard, Release, Respond, Speculate
from step_audio_mini.converse.engine import Engine
from step_audio_mini.converse.events import Heard, ReplyFailed, ReplyStarted, Speculated
from step_audio_mini.converse.settings import Eagerness, Profile
from step_audio_mini.converse.speculation import MOST, Speculation

pytestmark = pytest.mark.unit


def paused(text: str = "turn on the") -> Engine:
    """A call in which somebody has spoken and now pauses; reply 1 is on trial."""
    engine = Engine()
    for piece in range(1, 6):
        engine.on(Heard(100 * piece, 0.95, 0.0, piece % 2, text, 0.95), 100 * piece)
    assert engine.on(Heard(800, 0.5, 0.3, 300, text, 0.0), 800) == [Speculate(1)]
    return engine


def ended(engine: Engine, text: str) -> list[Action]:
    """What replies come when the turn ends with these words."""
    done = engine.on(Heard(1200, 0.1, 0.9, 700, text, 0.0), 1200)
    return [action for action in done if isinstance(action, Discard | Release | Respond)]


def test_the_same_words_let_it_out() -> None:
    engine = paused()
    assert ended(engine, "turn on the") == [Release(1)]
    assert engine.decisions.speculation.accepted == 1


def test_other_words_make_another() -> None:
    engine = paused()
    assert ended(engine, "turn on the light") == [Discard(1), Respond(2, "turn")]
    assert engine.decisions.speculation.discarded == 1


def test_words_that_its_snapshot_knew_already_are_the_same() -> None:
    engine = paused()
    engine.on(Speculated(1, "turn on the light"), 810)
    assert ended(engine, "turn on the light") == [Release(1)]


def test_one_that_failed_in_secret_is_made_anew_in_the_open() -> None:
    engine = paused()
    assert engine.on(ReplyFailed(1), 900) == [Discard(1)]
    assert ended(engine, "turn on the") == [Respond(2, "turn")]


def test_a_question_found_out_in_secret_is_remembered() -> None:
    engine = paused()
    engine.on(ReplyStarted(1, expects_answer=True), 900)
    ended(engine, "turn on the")
    active = engine._replies.active
    assert active is not None
    assert active.expects_answer


def test_trials_of_a_turn_are_few_and_none_is_made_twice() -> None:
    trial = Speculation()
    for number in range(MOST):
        assert trial.worth(f"text {number}")
        trial.begin(number, f"text {number}")
        assert not trial.worth("another")
        trial.drop()
        assert not trial.worth(f"text {number}")
    assert not trial.worth("one more")
    trial.next_turn()
    assert trial.worth("one more")


@pytest.mark.parametrize(
    ("eagerness", "profile", "longest"),
    [("low", "patient", 8000), ("medium", "balanced", 4000), ("auto", "balanced", 4000), ("high", "snappy", 2000)],
)
def test_eagerness_is_a_profile_with_the_protocol_s_longest_wait(
    eagerness: Eagerness, profile: Profile, longest: int
) -> None:
    mapped = settings.semantic_vad(eagerness=eagerness, interrupt_response=False)
    assert mapped == settings.of_profile(profile, interrupt_response=False)
    assert mapped.turns is not None
    assert mapped.turns.most_silence_ms == longest


def test_server_vad_keeps_the_client_s_numbers() -> None:
    mapped = settings.server_vad(
        threshold=0.7, prefix_padding_ms=100, silence_duration_ms=350, create_response=False, idle_timeout_ms=6000
    )
    assert mapped.turns is not None
    assert (mapped.turns.threshold, mapped.turns.prefix_padding_ms) == (0.7, 100)
    assert mapped.turns.least_silence_ms == mapped.turns.most_silence_ms == 350
    assert (mapped.create_response, mapped.interrupt_response, mapped.idle_timeout_ms) == (False, True, 6000)


def test_a_higher_threshold_asks_for_clearer_speech() -> None:
    def begins(threshold: float) -> bool:
        engine = Engine(settings.server_vad(threshold=threshold))
        said = [engine.on(Heard(100 * n, 0.8, 0.0, n % 2, "hi", 0.95), 100 * n) for n in range(1, 9)]
        return any(said)

    assert begins(0.5)
    assert not begins(0.95)
