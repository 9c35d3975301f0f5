"""Ten minutes of talk in virtual time: everything that happens in a call, the same every run."""

from __future__ import annotations

import hashlib
import random
import time
from collections import Counter
from functools import cache

import numpy as np
import pytest

from step_audio_mini.converse.actions import Action, CommitTurn, Respond, SpeechStarted, SpeechStopped, StopReply
from step_audio_mini.converse.engine import Engine
from step_audio_mini.converse.events import CreateResponse, Event
from step_audio_mini.converse.frames import FRAME_MS, Framer
from step_audio_mini.converse.settings import of_profile, server_vad
from tests.converse.fakes import FakeEars, FakeMind, Plan, Sound, VirtualCall, hum, noise, say

pytestmark = pytest.mark.unit

MINUTES = 10
TRACE = "30f1574f"
"""First letters of the SHA-256 of the trace. A change of the engine's numbers changes it: look at the trace then."""

PLANS = {
    "turn on the light.": Plan("The light is on now, and it is as bright as it can be. "),
    "what time is it?": Plan("It is seven o'clock.", tools=(("clock", 2500, False),)),
    "play some music": Plan("Shall I play something quiet?", expects_answer=True),
    "把客厅的灯打开": Plan("好的，客厅的灯打开了，还要我做什么吗？", tools=(("light", 200, False),)),
}


def talk(seed: int = 5) -> list[Sound]:
    """Questions, pauses inside them, words over the answers, coughs and hums."""
    r, at, sounds = random.Random(seed), 1000, list[Sound]()
    while at < MINUTES * 60_000 - 20_000:
        said = say(at, r.choice(list(PLANS)))
        sounds.append(said)
        at = said.end_ms
        if r.random() < 0.3:
            sounds.append(say(at + r.randrange(300, 900), "in the kitchen please."))
            at = sounds[-1].end_ms
        over = at + r.randrange(900, 2500)
        match r.randrange(5):
            case 0:
                sounds.append(say(over, "no wait"))
            case 1:
                sounds.append(say(over, "mhm", word_ms=300))
            case 2:
                sounds.append(noise(over, r.randrange(80, 700)))
            case 3:
                sounds.append(hum(over))
        at = max(at, sounds[-1].end_ms) + r.randrange(3000, 9000)
    return sounds


@cache
def ten_minutes(again: bool = False) -> VirtualCall:
    """The call; `again` makes it a second time."""
    call = VirtualCall(Engine(of_profile("balanced")), FakeEars(talk()), FakeMind(PLANS))
    call.client = list[tuple[int, Event]]((at, CreateResponse(f"c{at}")) for at in range(50_000, 500_000, 90_000))
    call.run(MINUTES * 60_000)
    return call


def digest(call: VirtualCall) -> str:
    return hashlib.sha256("\n".join(f"{at} {action}" for at, action in call.trace).encode()).hexdigest()


def test_ten_minutes_in_seconds_and_the_same_every_time() -> None:
    began = time.process_time()
    call = ten_minutes()
    assert time.process_time() - began < 5
    assert digest(call) == digest(ten_minutes(again=True))
    assert digest(call).startswith(TRACE), digest(call)


def test_ten_minutes_have_everything_in_them() -> None:
    call = ten_minutes()
    seen = Counter(type(action).__name__ for _, action in call.trace)
    decisions = call.engine.decisions
    assert decisions.turns > 40
    assert min(decisions.stops, decisions.backchannels, decisions.noises, decisions.fillers) >= 2, decisions
    assert decisions.speculation.accepted > 20
    assert decisions.speculation.discarded >= 2
    assert seen["ResumeReply"] == seen["Duck"] - sum(1 for _, a in call.trace if isinstance(a, StopReply)), seen
    assert len(call.of(Respond)) + decisions.speculation.accepted == len({g for _, g, _ in call.sent_at}) + sum(
        1 for _, a in call.of(StopReply) if isinstance(a, StopReply) and a.heard_ms == 0
    )


def test_the_estimate_of_playback_is_what_the_loudspeaker_played() -> None:
    call = ten_minutes()
    for _, action in call.of(StopReply):
        assert isinstance(action, StopReply)
        assert abs(action.heard_ms - call.speaker.played.get(action.generation, 0)) <= FRAME_MS


def turns_heard(cut_ms: int) -> list[Action]:
    """The user's turns where the client sends pieces of `cut_ms`."""
    ears, framer = FakeEars(talk()[:20]), Framer()
    engine = Engine(server_vad(create_response=False))
    actions: list[Action] = []
    audio_ms = 0
    for sent in range(cut_ms, 60_000 + 1, cut_ms):
        for _ in framer.push(np.zeros(16 * cut_ms, np.float32)):
            audio_ms += FRAME_MS
            done = engine.on(ears.hear(audio_ms), sent)
            if any(isinstance(action, CommitTurn) for action in done):
                ears.reset(audio_ms)
            actions += done
    return actions


@pytest.mark.parametrize("cut_ms", [1, 7, 100, 1000])
def test_turns_do_not_depend_on_how_the_sound_was_cut(cut_ms: int) -> None:
    whole = turns_heard(20)
    assert {SpeechStarted, SpeechStopped, CommitTurn} <= set(map(type, whole))
    same = turns_heard(cut_ms)
    assert same == whole[: len(same)]
    assert len(whole) - len(same) <= (1 if cut_ms == 7 else 0)


def test_pieces_have_one_length_and_keep_every_sample() -> None:
    framer, sound = Framer(), np.arange(1000, dtype=np.float32)
    pieces = [piece for cut in (1, 319, 5, 600, 75) for piece in framer.push(sound[:cut])]
    assert [len(piece) for piece in pieces] == [320] * 3
    assert framer.clear() == 40
    assert framer.push(sound[:319]) == []
