"""Tools run beside the talk: fillers, held results, and nothing lost when somebody interrupts."""

from __future__ import annotations

import pytest

from step_audio_mini.converse.actions import (
    Action,
    CancelTool,
    CommitTurn,
    Duck,
    Filler,
    Release,
    Respond,
    ResumeReply,
    StopReply,
)
from step_audio_mini.converse.engine import FILLER_MS, NEXT_FILLER_MS, Engine
from step_audio_mini.converse.events import (
    Cancel,
    CreateResponse,
    ReplyFailed,
    ReplySound,
    ReplyStarted,
    Tick,
    ToolEnded,
    ToolStarted,
)
from tests.converse.fakes import FakeEars, FakeMind, Plan, Sound, VirtualCall, hum, noise, say

pytestmark = pytest.mark.unit

QUESTION = say(1000, "what time is it?")


def asked(*sounds: Sound, tool_ms: int, cancellable: bool = False, until_ms: int = 20_000) -> VirtualCall:
    mind = FakeMind({"what time is it?": Plan("It is twelve.", tools=(("clock", tool_ms, cancellable),))})
    call = VirtualCall(Engine(), FakeEars([QUESTION, *sounds]), mind)
    call.run(until_ms)
    return call


def replies(call: VirtualCall) -> list[Action]:
    return [a for _, a in call.trace if isinstance(a, Respond | Release | StopReply | Filler | CancelTool)]


def test_a_quick_tool_needs_no_filler() -> None:
    assert replies(asked(tool_ms=600)) == [Release(1)]


def test_a_slow_one_is_bridged_once_and_again_after_long() -> None:
    call = asked(tool_ms=10_500)
    released = call.of(Release)[0][0]
    first, second = (at for at, _ in call.of(Filler))
    assert first - released - FILLER_MS <= 80
    assert NEXT_FILLER_MS <= second - first <= NEXT_FILLER_MS + 1500
    assert replies(call) == [Release(1), Filler(1), Filler(1)]


def test_interrupting_cancels_no_tool_and_its_result_is_told_when_nobody_speaks() -> None:
    call = asked(say(3000, "turn on the light please now thanks.", word_ms=400), tool_ms=1500)
    stopped = call.of(StopReply)[0][0]
    committed = call.of(CommitTurn)[1][0]
    at, told = call.of(Respond)[-1]
    assert isinstance(told, Respond)
    assert (told.reason, told.calls) == ("tool", ("clock-1",))
    assert stopped < committed < at
    assert not call.of(CancelTool)


def test_a_cancellable_tool_is_cancelled_and_not_told() -> None:
    call = asked(say(3000, "turn on the light please."), tool_ms=4000, cancellable=True)
    assert CancelTool("clock-1") in replies(call)
    assert not [a for _, a in call.of(Respond) if isinstance(a, Respond) and a.reason == "tool"]


@pytest.mark.parametrize("sound", [noise(3400, 500), hum(3400, 400)])
def test_a_result_that_comes_into_doubt_waits_and_is_spoken_by_its_own_reply(sound: Sound) -> None:
    call = asked(sound, tool_ms=900)
    assert replies(call) == [Release(1), Filler(1)] or replies(call) == [Release(1)]
    (ducked, _), (resumed, _) = call.of(Duck)[0], call.of(ResumeReply)[0]
    assert not [at for at, _, _ in call.sent_at if ducked < at < resumed]
    assert max(at for at, _, _ in call.sent_at) > resumed


def test_the_call_hears_and_obeys_while_a_tool_hangs() -> None:
    call = asked(say(4000, "turn on the light."), say(8000, "what else is there."), tool_ms=10**9, until_ms=14_000)
    assert len(call.transcripts) == 3
    assert len(call.of(Release)) == 3


def result_cut_off() -> Engine:
    """A reply is cancelled by the client when its tool has ended and nothing of it was said."""
    engine = Engine()
    engine.on(CreateResponse(), 0)
    engine.on(ToolStarted(1, "a"), 10)
    engine.on(ToolEnded("a"), 500)
    assert engine.on(Cancel(), 510) == [StopReply(1, 0, "", "client_cancelled")]
    assert engine.on(Tick(), 5000) == []
    return engine


def test_a_result_of_which_nothing_was_heard_is_told_when_the_client_asks_again() -> None:
    assert result_cut_off().on(CreateResponse("r"), 6000) == [Respond(2, "client", "r", ("a",))]


def test_or_after_the_next_answer() -> None:
    call = VirtualCall(result_cut_off(), FakeEars([QUESTION]), FakeMind({"what time is it?": Plan("It is twelve.")}))
    call.now = call.audio_ms = 0
    call.run(20_000)
    assert [a.calls for _, a in call.of(Respond) if isinstance(a, Respond)] == [("a",)]
    assert call.of(Release)[0][0] < call.of(Respond)[0][0]


def test_a_result_that_the_client_cut_off_is_not_told_again() -> None:
    engine = Engine()
    engine.on(CreateResponse(), 0)
    engine.on(ToolStarted(1, "a"), 10)
    engine.on(ToolEnded("a"), 500)
    engine.on(ReplySound(1, 200), 510)
    assert engine.on(Cancel(), 600) == [StopReply(1, 90, "", "client_cancelled")]
    assert engine.on(Tick(), 5000) == []


def test_a_result_comes_once_however_often_it_is_reported() -> None:
    engine = Engine()
    engine.on(CreateResponse(), 0)
    engine.on(ToolStarted(1, "a"), 10)
    engine.on(Cancel(), 20)
    assert engine.on(ToolEnded("a"), 500) == [], "who has cancelled is not spoken to before he asks"
    assert engine.on(CreateResponse(), 505) == [Respond(2, "client", None, ("a",))]
    engine.on(ToolStarted(2, "a"), 510)
    assert engine.on(ToolEnded("a"), 520) == []


def test_in_manual_mode_the_client_gets_the_results_with_its_next_request() -> None:
    from step_audio_mini.converse.settings import MANUAL

    engine = Engine(MANUAL)
    engine.on(CreateResponse(), 0)
    engine.on(ToolStarted(1, "a"), 10)
    engine.on(Cancel(), 20)
    assert engine.on(ToolEnded("a"), 500) == []
    assert engine.on(CreateResponse("r"), 600) == [Respond(2, "client", "r", ("a",))]


def test_a_reply_that_fails_or_dies_frees_the_call() -> None:
    engine = Engine()
    engine.on(CreateResponse(), 0)
    engine.on(ReplyFailed(1), 10)
    assert engine.on(CreateResponse(), 20) == [Respond(2, "client")]
    engine.on(ReplyStarted(2), 30)
    deadline = engine.next_deadline_ms
    assert deadline == 30_030
    assert engine.on(Tick(), 30_029) == []
    assert engine.on(Tick(), 30_030) == [StopReply(2, 0, "", "failed")]
