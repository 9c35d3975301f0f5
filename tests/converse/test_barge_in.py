"""Sound over the assistant: silent at once, then stopped only by what means to stop it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from step_audio_mini.converse import settings
from step_audio_mini.converse.actions import (
    CommitTurn,
    DropSound,
    Duck,
    Refused,
    Respond,
    ResumeReply,
    SpeechStarted,
    StopReply,
    TruncateReply,
)
from step_audio_mini.converse.barge_in import judge, new_words, words
from step_audio_mini.converse.burst import Burst
from step_audio_mini.converse.engine import Engine
from step_audio_mini.converse.events import Cancel, Event, Heard, ReplySound, SettingsChanged, TimedWord
from step_audio_mini.converse.loudness import Loudness
from step_audio_mini.converse.settings import Settings
from tests.converse.fakes import FakeEars, FakeMind, Plan, Sound, VirtualCall, hum, noise, say

pytestmark = pytest.mark.unit

LONG = "There is a lot to be said about this, and it will take quite some time to say all of it to the end."
QUESTION = say(1000, "turn on the light.")
OVER = 5000
"""When something sounds over the answer."""


def talked_over(
    *sounds: Sound, rules: Settings | None = None, plan: Plan | None = None, ahead_ms: int = 40, until_ms: int = 20_000
) -> VirtualCall:
    mind = FakeMind({"turn on the light.": plan or Plan(LONG)})
    call = VirtualCall(Engine(rules), FakeEars([QUESTION, *sounds]), mind, ahead_ms=ahead_ms)
    call.run(until_ms)
    return call


def silent_from(call: VirtualCall) -> int:
    """How long after `OVER` the loudspeaker fell silent."""
    return min(at for at in call.audible if at >= OVER and at + 20 not in call.audible) - OVER


@pytest.mark.parametrize(
    "sound", [say(OVER, "no stop it"), say(OVER, "不要了"), say(OVER, "mhm"), noise(OVER, 300), hum(OVER)]
)
def test_the_assistant_is_silent_within_150_ms_of_any_sound_over_it(sound: Sound) -> None:
    call = talked_over(sound)
    assert 0 < call.of(Duck)[0][0] - OVER <= 100
    assert silent_from(call) <= 150


@pytest.mark.parametrize("text", ["no stop it", "what about the kitchen", "不要了", "好的那就再开一个灯吧"])
def test_words_stop_it(text: str) -> None:
    call = talked_over(say(OVER, text))
    ((at, stop),) = call.of(StopReply)
    assert at - OVER <= 1000
    assert isinstance(stop, StopReply)
    assert stop.reason == "turn_detected"
    assert LONG.startswith(stop.heard)
    assert not call.of(ResumeReply)
    assert call.transcripts[1] == text
    assert [s for _, g, _ in call.sent_at if (s := g) == stop.generation]
    assert max(t for t, g, _ in call.sent_at if g == stop.generation) <= OVER + 100


@pytest.mark.parametrize(
    "sound", [say(OVER, "mhm"), say(OVER, "yeah okay"), say(OVER, "嗯"), say(OVER, "好的"), hum(OVER)]
)
def test_a_backchannel_does_not(sound: Sound) -> None:
    call = talked_over(sound)
    assert call.engine.decisions.backchannels == 1
    assert not call.of(StopReply)
    assert call.transcripts == ["turn on the light."]
    assert len(call.of(SpeechStarted)) == 1


@pytest.mark.parametrize("sound", [noise(OVER, 100), noise(OVER, 400), noise(OVER, 6000)])
def test_noise_does_not(sound: Sound) -> None:
    call = talked_over(sound)
    assert call.engine.decisions.noises == 1
    assert not call.of(StopReply)
    assert len(call.of(ResumeReply)) == 1


def test_a_click_goes_unnoticed() -> None:
    assert not talked_over(noise(OVER, 40)).of(Duck)


def test_it_resumes_at_the_sample_and_loses_none() -> None:
    quiet, disturbed = talked_over(), talked_over(say(OVER, "mhm"))
    assert sum(ms for _, _, ms in quiet.sent_at) == sum(ms for _, _, ms in disturbed.sent_at)
    ((at, resumed),) = disturbed.of(ResumeReply)
    assert isinstance(resumed, ResumeReply)
    assert resumed.at_ms == sum(ms for sent, _, ms in disturbed.sent_at if sent < at)


def test_a_short_yes_to_a_question_is_an_answer() -> None:
    asked = Plan(LONG[:-1] + ", shall it be?", expects_answer=True)
    call = talked_over(say(OVER, "yes"), plan=asked)
    assert call.transcripts == ["turn on the light.", "yes"]


def test_words_after_noise_in_one_breath_still_stop_it() -> None:
    call = talked_over(noise(OVER, 1500), say(OVER + 1500, "stop that"))
    assert call.engine.decisions.noises == 1
    assert len(call.of(StopReply)) == 1


def test_speech_over_the_last_sound_already_sent_cuts_the_history() -> None:
    call = talked_over(say(OVER, "no stop it"), ahead_ms=60_000)
    ((_, cut),) = call.of(TruncateReply)
    assert isinstance(cut, TruncateReply)
    assert not cut.client
    assert LONG.startswith(cut.heard)
    assert 0 < len(cut.heard) < len(LONG)


def test_with_interrupt_response_off_it_talks_on_and_answers_afterwards() -> None:
    rules = settings.of_profile("balanced", interrupt_response=False)
    call = talked_over(say(OVER, "no stop it"), rules=rules)
    assert not (call.of(Duck) or call.of(StopReply))
    assert len(call.of(CommitTurn)) == 2
    ended = max(at for at, g, _ in call.sent_at if g == 1)
    ((at, _),) = call.of(Respond)
    assert at >= ended


def test_interruption_switched_off_while_in_doubt_lets_it_speak_on() -> None:
    call = VirtualCall(Engine(), FakeEars([QUESTION, say(OVER, "mhm")]), FakeMind({"turn on the light.": Plan(LONG)}))
    call.client = [(OVER + 200, SettingsChanged(settings.of_profile("balanced", interrupt_response=False)))]
    call.run(OVER + 240)
    assert [at for at, _ in call.of(ResumeReply)] == [OVER + 200]


def test_a_microphone_that_dies_in_doubt_does_not_silence_it_for_ever() -> None:
    call = VirtualCall(Engine(), FakeEars([QUESTION, noise(OVER, 400)]), FakeMind({"turn on the light.": Plan(LONG)}))
    call.run(OVER + 200)
    call.microphone = False
    call.run(OVER + 5000)
    assert len(call.of(ResumeReply)) == 1


def test_the_client_cancels_and_the_call_goes_on() -> None:
    call = VirtualCall(
        Engine(), FakeEars([QUESTION, say(9000, "turn on the light.")]), FakeMind({"turn on the light.": Plan(LONG)})
    )
    call.client = list[tuple[int, Event]]([(OVER, Cancel("a")), (OVER, Cancel("b")), (OVER + 20, Cancel("c", 1))])
    call.run(15_000)
    assert [a.reason for _, a in call.of(StopReply) if isinstance(a, StopReply)] == ["client_cancelled"]
    refused = [action for _, action in call.of(Refused)]
    assert refused == [Refused("response_cancel_not_active", "b"), Refused("response_cancel_not_active", "c")]
    assert len(call.transcripts) == 2


def test_what_comes_of_a_stopped_reply_is_dropped() -> None:
    call = talked_over(say(OVER, "no stop it"), until_ms=6000)
    engine = call.engine
    assert engine.generation is None
    assert engine.on(ReplySound(1, 60_000, (TimedWord("unheard", 60_000),)), 6001) == []
    assert (engine.heard_ms(1) or 0) < 3000


# the judgement itself


@pytest.mark.parametrize(
    ("sounding", "spoken", "gap", "said", "verdict"),
    [
        (100, 0, 100, "", None),
        (100, 0, 500, "", "noise"),
        (200, 200, 500, "", "backchannel"),
        (800, 0, 0, "", "noise"),
        (1000, 1000, 0, "", "stop"),
        (400, 400, 0, "stop", "stop"),
        (300, 0, 0, "stop", None),
        (400, 400, 0, "mhm", None),
        (400, 400, 300, "mhm", "backchannel"),
        (1200, 1200, 0, "mhm", "stop"),
        (600, 600, 300, "yes yes yes yes", "stop"),
        (600, 600, 300, "yes but", "stop"),
    ],
)
def test_judgement(sounding: int, spoken: int, gap: int, said: str, verdict: str | None) -> None:
    burst = Burst(0, max(sounding, spoken), "", sounding, spoken)
    assert judge(burst, burst.last_ms + gap, words(said), answer_awaited=False) == verdict


def test_less_evidence_is_asked_of_an_answer_than_of_an_interruption() -> None:
    burst = Burst(0, 300, "", 300, 300)
    assert judge(burst, 600, ["yes"], answer_awaited=True) == "stop"
    assert judge(burst, 600, ["yes"], answer_awaited=False) is None


def test_only_words_of_the_burst_count() -> None:
    assert new_words("turn on the light no", "turn on the light") == ["no"]
    assert new_words("turn off", "turn on") == ["turn", "off"]
    assert words("It's 好的, OK!") == ["it's", "好", "的", "ok"]


def test_a_dropped_backchannel_is_no_part_of_the_next_turn() -> None:
    call = talked_over(say(OVER, "mhm"), say(16_000, "turn on the light."))
    assert call.transcripts == ["turn on the light.", "turn on the light."]
    assert any(isinstance(a, DropSound) and a.reason == "backchannel" for _, a in call.trace)


def test_loudness_follows_the_room() -> None:
    level = Loudness()
    room = [level.update(-60.0) for _ in range(50)]
    assert max(room) < 0.05
    assert level.update(-35.0) > 0.95
    assert level.update(float("-inf")) < 0.05
    noisy = [level.update(-30.0) for _ in range(50 * 15)]
    assert noisy[0] > 0.95 > 0.05 > noisy[40], "a steady sound is the room after 0.7 s"
    speech = [level.update(-5.0 - 15.0 * (n % 12 > 8)) for n in range(500)]
    assert min(speech[n] for n in range(400, 500) if n % 12 <= 8) > 0.95, "speech is not, however long"


def test_words_of_which_the_ears_are_not_sure_stop_nothing() -> None:
    def stops(confidence: float | None) -> bool:
        class Ears(FakeEars):
            def hear(self, audio_ms: int) -> Heard:
                return replace(super().hear(audio_ms), confidence=confidence if audio_ms >= OVER else 0.9)

        mind = FakeMind({"turn on the light.": Plan(LONG)})
        call = VirtualCall(Engine(), Ears([QUESTION, say(OVER, "stop it")]), mind)
        call.run(OVER + 4000)
        return bool(call.of(StopReply))

    assert stops(None)
    assert stops(0.5)
    assert not stops(0.1)
