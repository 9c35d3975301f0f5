"""When a turn begins and ends, and what belongs to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from step_audio_mini.converse import settings
from step_audio_mini.converse.actions import (
    Action,
    CommitTurn,
    Discard,
    DropSound,
    Refused,
    Release,
    Respond,
    Speculate,
    SpeechStarted,
    SpeechStopped,
    TimeoutTriggered,
)
from step_audio_mini.converse.engine import Engine
from step_audio_mini.converse.events import (
    BufferCleared,
    CreateResponse,
    Heard,
    SettingsChanged,
    SpeechCommittedByClient,
)
from step_audio_mini.converse.settings import Profile, Settings
from tests.converse.fakes import FakeEars, FakeMind, Plan, Sound, VirtualCall, hum, noise, say

pytestmark = pytest.mark.unit

PROFILES: tuple[Profile, ...] = ("snappy", "balanced", "patient")


def heard(*sounds: Sound, rules: Settings | None = None, until_ms: int = 12_000) -> VirtualCall:
    call = VirtualCall(Engine(rules or settings.of_profile("balanced")), FakeEars(sounds), FakeMind())
    call.run(until_ms)
    return call


def kinds(call: VirtualCall) -> list[type[Action]]:
    return [type(action) for _, action in call.trace]


def test_a_turn_from_onset_to_answer() -> None:
    call = heard(say(1000, "turn on the light."))
    assert kinds(call) == [SpeechStarted, Speculate, SpeechStopped, CommitTurn, Release]
    start, end = call.trace[0][1], call.trace[3][1]
    assert start == SpeechStarted(700)
    assert isinstance(end, CommitTurn)
    assert end.start_ms == 700
    assert 2200 <= end.end_ms <= 2800


def test_profiles_wait_longer_in_their_order() -> None:
    ends = [
        heard(say(1000, "turn on the light."), rules=settings.of_profile(name)).of(CommitTurn)[0][0]
        for name in PROFILES
    ]
    assert ends[0] < ends[1] < ends[2]


def test_an_open_sentence_is_given_more_time_than_a_whole_one() -> None:
    whole = heard(say(1000, "turn on the light.")).of(CommitTurn)[0][0]
    part = heard(say(1000, "turn on the light", complete=False)).of(CommitTurn)[0][0]
    assert part > whole + 500


@pytest.mark.parametrize("silence", [200, 500, 900])
def test_server_vad_ends_a_turn_after_the_silence_asked_for(silence: int) -> None:
    call = heard(say(1000, "turn on the light."), rules=settings.server_vad(silence_duration_ms=silence))
    ((_, turn),) = call.of(CommitTurn)
    assert isinstance(turn, CommitTurn)
    behind = 80  # the ears' own lag
    assert 0 <= turn.end_ms - (1960 + silence) <= behind


def test_prefix_padding_stays_within_the_sound_and_after_the_turn_before() -> None:
    call = heard(say(120, "one two three."), say(2100, "four five."), rules=settings.server_vad(prefix_padding_ms=2000))
    starts = [action for _, action in call.of(CommitTurn)]
    assert starts == [CommitTurn(0, 1420), CommitTurn(1420, 3160)]


@pytest.mark.parametrize("sound", [noise(1000, 40), noise(1000, 300), noise(1000, 4000)])
def test_noise_is_no_turn(sound: Sound) -> None:
    assert heard(sound).trace[:-1] == []
    assert kinds(heard(sound))[-1] is DropSound


def test_a_hum_is_no_item_and_gets_no_answer() -> None:
    assert heard(hum(1000, 300), until_ms=6000).trace == []
    call = heard(hum(1000, 1200), until_ms=6000)
    assert kinds(call) == [SpeechStarted, SpeechStopped, DropSound]
    assert call.engine.decisions.wordless == 1


def test_a_pause_within_a_turn_makes_one_item_and_an_unseen_trial() -> None:
    call = heard(say(1000, "turn on the light."), say(2300, "in the kitchen."))
    assert kinds(call).count(SpeechStarted) == kinds(call).count(CommitTurn) == 1
    assert kinds(call).count(Discard) == 1
    assert call.transcripts == ["turn on the light. in the kitchen."]


def test_a_turn_ended_too_early_goes_on_in_the_next_one() -> None:
    call = heard(say(1000, "turn on the light."), say(2620, "in the kitchen."))
    turns = [action.continues for _, action in call.of(CommitTurn) if isinstance(action, CommitTurn)]
    assert turns == [False, True]


def test_speech_after_the_answer_was_heard_is_a_turn_of_its_own() -> None:
    call = heard(say(1000, "turn on the light."), say(3700, "stop that now."))
    turns = [action.continues for _, action in call.of(CommitTurn) if isinstance(action, CommitTurn)]
    assert turns == [False, False]


def test_no_turn_is_endless() -> None:
    sounds = [say(1000 + 400 * n, "on", word_ms=380) for n in range(200)]
    call = heard(*sounds, rules=settings.of_profile("balanced", create_response=False), until_ms=60_000)
    spans = [a.end_ms - a.start_ms for _, a in call.of(CommitTurn) if isinstance(a, CommitTurn)]
    assert spans[0] == 30_000


def test_a_microphone_that_dies_ends_the_turn() -> None:
    call = VirtualCall(Engine(), FakeEars([say(1000, "turn on the light", complete=False)]))
    call.run(2300)
    call.microphone = False
    call.run(10_000)
    ((at, _),) = call.of(CommitTurn)
    assert 7000 < at < 7500


def test_without_create_response_turns_are_only_committed() -> None:
    call = heard(say(1000, "turn on the light."), rules=settings.of_profile("balanced", create_response=False))
    assert kinds(call) == [SpeechStarted, SpeechStopped, CommitTurn]


def test_the_client_ends_turns_in_manual_mode() -> None:
    call = VirtualCall(Engine(settings.MANUAL), FakeEars([say(1000, "turn on the light.")]))
    call.client = [
        (3000, SpeechCommittedByClient("a")),
        (3000, SpeechCommittedByClient("b")),
        (3020, CreateResponse("c")),
    ]
    call.run(6000)
    assert [action for _, action in call.trace] == [
        CommitTurn(0, 3000),
        Refused("input_audio_buffer_commit_empty", "b"),
        Respond(1, "client", "c"),
    ]


def test_the_client_may_commit_or_clear_in_the_middle_of_a_turn() -> None:
    call = VirtualCall(Engine(), FakeEars([say(1000, "turn on the light."), say(6000, "turn on the light.")]))
    call.client = [(2080, SpeechCommittedByClient()), (6900, BufferCleared())]
    call.run(7000)
    assert kinds(call) == [SpeechStarted, SpeechStopped, CommitTurn, SpeechStarted, SpeechStopped, DropSound]


def test_turn_detection_taken_away_in_the_middle_of_a_turn_leaves_its_sound_to_the_client() -> None:
    call = VirtualCall(Engine(), FakeEars([say(1000, "turn on the light.")]))
    call.client = [(1700, SettingsChanged(settings.MANUAL)), (4000, SpeechCommittedByClient())]
    call.run(5000)
    assert [action for _, action in call.trace] == [
        SpeechStarted(700),
        SpeechStopped(1700, dropped=True),
        CommitTurn(0, 4000),
    ]


def test_turn_detection_taken_away_and_given_back_in_mid_speech_leaves_no_turn_half_open() -> None:
    rules = settings.of_profile("balanced")
    call = VirtualCall(Engine(rules), FakeEars([say(1000, "turn on the light in the kitchen please.")]))
    call.client = [(1700, SettingsChanged(settings.MANUAL)), (1720, SettingsChanged(rules))]
    call.run(6000)
    assert kinds(call).count(SpeechStarted) == kinds(call).count(SpeechStopped) == 2
    ((_, dropped),) = call.of(DropSound)
    ((_, turn),) = call.of(CommitTurn)
    assert isinstance(dropped, DropSound)
    assert isinstance(turn, CommitTurn)
    assert 1700 <= dropped.end_ms - dropped.keep_ms <= turn.start_ms
    assert call.transcripts == ["light in the kitchen please."]


def test_words_said_for_the_client_are_no_part_of_a_turn_that_it_did_not_end() -> None:
    call = VirtualCall(Engine(settings.MANUAL), FakeEars([say(1000, "turn on"), say(4000, "what time is it?")]))
    call.client = [(3000, SettingsChanged(settings.of_profile("balanced")))]
    call.run(8000)
    assert call.transcripts == ["what time is it?"]


def test_idle_timeout_counts_from_the_end_of_what_was_heard() -> None:
    mind = FakeMind({"turn on the light.": Plan("It is on.")})
    rules = settings.server_vad(idle_timeout_ms=5000)
    call = VirtualCall(Engine(rules), FakeEars([say(1000, "turn on the light.")]), mind, ahead_ms=10_000)
    call.run(12_000)
    heard_until = call.audible[0] + (sum(ms for _, g, ms in call.sent_at if g == 1)) - 20
    (at, action), *_ = call.of(TimeoutTriggered)
    assert 0 <= at - heard_until - 5000 <= 40
    assert isinstance(action, TimeoutTriggered)
    assert action.audio_end_ms == at
    following = [a for t, a in call.trace if t == at]
    assert [type(a) for a in following] == [TimeoutTriggered, CommitTurn, Respond]
    assert following[2] == Respond(2, "idle")


def test_silence_for_hours_keeps_the_memory_of_the_ears_small() -> None:
    call = heard(until_ms=60_000)
    assert len(call.of(DropSound)) == 6
    assert set(kinds(call)) == {DropSound}


def doubted(confidence: float | None, spoken_ms: int) -> VirtualCall:
    """Words over and over in sound that is speech for some time; the ears tell how sure they are of them."""

    class Ears(FakeEars):
        def hear(self, audio_ms: int) -> Heard:
            heard = super().hear(audio_ms)
            speech = 0.95 if 1000 <= audio_ms < 1000 + spoken_ms else 0.02
            return replace(heard, speech=speech, confidence=confidence)

    call = VirtualCall(Engine(), Ears([say(1000, "turn on the light.", word_ms=400)]), FakeMind())
    call.run(6000)
    return call


def test_unsure_words_without_much_evidence_of_speech_are_no_turn() -> None:
    call = doubted(0.1, 900)
    assert kinds(call) == [SpeechStarted, SpeechStopped, DropSound]
    assert call.engine.decisions.wordless == 1


def test_a_short_order_of_which_the_ears_are_sure_is_a_turn() -> None:
    for confidence in (0.6, None):
        assert CommitTurn in kinds(doubted(confidence, 400))
    assert doubted(0.1, 400).trace == []


def test_who_speaks_for_long_is_answered_however_little_is_understood() -> None:
    assert kinds(doubted(0.1, 1600)).count(CommitTurn) == 1
