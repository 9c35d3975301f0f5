"""Decides who speaks when: events of a call in, orders out, time as an argument.

Read `events` and `actions` first. The engine knows nothing of sockets and models, waits for nothing and raises for no
order of events: what comes too late, twice or for something unknown changes nothing. Two clocks are kept apart. What
concerns the user's speech goes by the sound (`audio_ms`), so that a sender ten times faster than real time gets the
same turns; what concerns the assistant's (playback, fillers, idleness) goes by `now_ms`.
"""

from __future__ import annotations

from step_audio_mini.converse import events
from step_audio_mini.converse.actions import (
    Action,
    CommitTurn,
    Discard,
    DropReason,
    DropSound,
    Duck,
    Filler,
    Refused,
    Release,
    Respond,
    RespondReason,
    ResumeReply,
    Speculate,
    SpeechStarted,
    SpeechStopped,
    StopReason,
    TimeoutTriggered,
)
from step_audio_mini.converse.decisions import Decisions
from step_audio_mini.converse.events import Event, Heard
from step_audio_mini.converse.listening import Finding, Listening
from step_audio_mini.converse.replies import Replies
from step_audio_mini.converse.settings import Settings
from step_audio_mini.converse.speculation import Speculation

REOPEN_MS, REOPEN_HEARD_MS = 1200, 300
"""Speech so soon after a turn, of whose answer no more than this was heard, goes on with that turn."""
FILLER_MS, NEXT_FILLER_MS = 700, 8000
"""Silence of the assistant while its tool runs, before it says so, and says so again."""
MUTED_MS = 2000
"""Without any sound from the client for so long, a doubt about what was heard is given up."""
GONE_MS = 5000
"""... and a turn that has begun is over."""
DEAD_REPLY_MS = 30_000
"""A reply that gives no sign of life for so long, no tool of it running, is given up."""


class Engine:
    """One call. Call `on` with every event, and with `Tick` at `next_deadline_ms`; do what it returns, in order."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.decisions = Decisions()
        self._user, self._replies = Listening(), Replies()
        self._trial = Speculation(self.decisions.speculation)
        self._trial_expects_answer = False
        self._out: list[Action] = []
        self._now = self._heard_at = 0
        self._turn_owed = False
        """A turn was committed that wants an answer."""
        self._answer: tuple[int, int] | None = None
        """Generation of the reply to the latest turn, and where that turn ended."""
        self._idle_from: int | None = None
        self._idle_audio_ms = 0

    @property
    def generation(self) -> int | None:
        """The visible reply that runs; None where there is none."""
        return self._replies.active.generation if self._replies.active else None

    @property
    def user_speaking(self) -> bool:
        """Whether the user has a turn, begun and not over."""
        return self._user.turn is not None

    def heard_ms(self, generation: int) -> int | None:
        """Estimate of how much of a reply was heard by the latest event; None for one that was never visible."""
        reply = self._replies.find(generation)
        return None if reply is None else reply.heard_ms(self._now)

    def on(self, event: Event, now_ms: int) -> list[Action]:
        """Take an event; what to do about it. A clock that goes back stands still."""
        self._now = max(self._now, now_ms)
        self._out = []
        if isinstance(event, Heard):
            self._heard(event)
        elif not self._of_client(event):
            self._of_assistant(event)
        self._settle()
        return self._out

    def _of_client(self, event: Event) -> bool:
        match event:
            case events.SpeechCommittedByClient(request):
                self._committed_by_client(request)
            case events.BufferCleared():
                self._end_of_sound("cleared")
            case events.CreateResponse(request):
                self._create(request)
            case events.Cancel(request, generation):
                self._cancel(request, generation)
            case events.Truncate():
                self._out.append(self._replies.truncate(event))
            case events.SettingsChanged(settings):
                self._change(settings)
            case _:
                return False
        return True

    def _of_assistant(self, event: Event) -> None:
        match event:
            case events.Speculated(generation, text):
                self._trial.answers(generation, text)
            case events.ReplyStarted(generation, expects_answer):
                self._started(generation, expects_answer)
            case events.ReplySound():
                self._replies.sound(event, self._now)
            case events.ReplyEnded(generation):
                self._over(generation)
            case events.ReplyFailed(generation):
                if generation == self._trial.generation:
                    self._discard()
                self._over(generation)
            case events.ToolStarted():
                self._out += self._replies.tool_started(event)
            case events.ToolEnded(call_id):
                self._replies.tool_ended(call_id, self._now)

    # the user

    def _heard(self, heard: Heard) -> None:
        self._heard_at = self._now
        reply = self._replies.audible(self._now) if self.settings.interrupt_response else None
        rules = self.settings.turns
        found = self._user.hear(heard, rules, reply is not None, reply is not None and reply.expects_answer)
        turn = self._user.turn
        if turn is not None and self._trial.generation is not None and not self._trial.fits(turn.text):
            self._discard()
        if found is not None:
            self._found(found)

    def _found(self, found: Finding) -> None:
        match found:
            case "began":
                self._begin_turn()
            case "interrupts":
                self.decisions.stops += 1
                self._begin_turn()
                self._out += self._replies.stop("turn_detected", self._now) or self._replies.cut_tail(self._now)
            case "doubtful":
                self.decisions.ducks += 1  # `_settle` silences the reply
            case "backchannel" | "noise":
                self.decisions.backchannels += found == "backchannel"
                self.decisions.noises += found == "noise"
                if self._user.burst_over:  # noise that goes on may hide the beginning of speech: it is kept
                    self._drop(0, found)
            case "pausing":
                self._try()
            case "over":
                self._end_turn()
            case "nothing":
                assert self.settings.turns is not None
                padding, kept = self.settings.turns.prefix_padding_ms, self._user.audio_ms - self._user.floor_ms
                self._drop(min(padding, kept), "silence")

    def _begin_turn(self) -> None:
        assert self.settings.turns is not None
        self._idle_from = None
        turn = self._user.begin(self.settings.turns.prefix_padding_ms, self._continues())
        self._out.append(SpeechStarted(turn.start_ms))

    def _continues(self) -> bool:
        if self._answer is None or self._user.burst is None:
            return False
        generation, ended = self._answer
        heard_ms = self.heard_ms(generation)
        return self._user.burst.start_ms - ended <= REOPEN_MS and (heard_ms or 0) <= REOPEN_HEARD_MS

    def _try(self) -> None:
        """Begin a reply before the turn is over."""
        turn = self._user.turn
        if turn is None or not self._may_answer() or not self._trial.worth(turn.text):
            return
        generation = self._replies.next_generation()
        self._trial.begin(generation, turn.text)
        self._trial_expects_answer = False
        self._out.append(Speculate(generation, turn.continues))

    def _may_answer(self) -> bool:
        return self.settings.create_response and self._replies.active is None

    def _end_turn(self) -> None:
        """The turn is over by our own decision: an item and a reply if something was said, nothing otherwise."""
        turn = self._user.turn
        if turn is None:
            return
        if not turn.said:
            self.decisions.wordless += 1
            self._end_of_sound("noise")
            return
        keep = self._trial.fits(turn.text) and self._may_answer()
        self._commit(turn.start_ms, turn.continues, keep)
        self._turn_owed = self.settings.create_response  # paid at once by `_settle`, unless another reply runs

    def _commit(self, start_ms: int, continues: bool = False, keep_trial: bool = False) -> None:
        if self._user.turn is not None:
            self._out.append(SpeechStopped(self._user.audio_ms))
        if not keep_trial:
            self._discard()
        self._out.append(CommitTurn(start_ms, self._user.audio_ms, continues))
        self.decisions.turns += 1
        self._fresh()
        self._answer = self._idle_from = None

    def _end_of_sound(self, reason: DropReason) -> None:
        """The sound so far is no turn."""
        if self._user.turn is not None:
            self._out.append(SpeechStopped(self._user.audio_ms, dropped=True))
            if self._replies.last() is not None:
                self._wait_from(self._now)
        self._discard()
        self._drop(0, reason)

    def _drop(self, keep_ms: int, reason: DropReason) -> None:
        self._out.append(DropSound(self._user.audio_ms, keep_ms, reason))
        self._fresh(keep_ms)

    def _fresh(self, keep_ms: int = 0) -> None:
        self._user.fresh(keep_ms)
        self._trial.next_turn()

    # the client

    def _committed_by_client(self, request: str | None) -> None:
        user = self._user
        if user.audio_ms <= user.floor_ms:
            self._out.append(Refused("input_audio_buffer_commit_empty", request))
            return
        self._commit(user.turn.start_ms if user.turn else user.floor_ms)

    def _create(self, request: str | None) -> None:
        if self._replies.active is not None:
            self._out.append(Refused("conversation_already_has_active_response", request))
            return
        self._turn_owed = False
        self._respond("client", request)

    def _cancel(self, request: str | None, generation: int | None) -> None:
        active = self._replies.active
        if active is None or generation not in (None, active.generation):
            self._out.append(Refused("response_cancel_not_active", request))
            return
        self._stop("client_cancelled")

    def _change(self, settings: Settings) -> None:
        self.settings = settings
        if settings.turns is None and self._user.leave():
            self._out.append(SpeechStopped(self._user.audio_ms, dropped=True))
        if settings.turns is not None and self._user.left_over:  # the client made no turn of it
            self._drop(0, "cleared")
        if settings.turns is None or not settings.interrupt_response:
            self._user.calm()
        if settings.turns is None or not settings.create_response:
            self._discard()
            self._turn_owed = False

    # the assistant

    def _started(self, generation: int, expects_answer: bool) -> None:
        if generation == self._trial.generation:
            self._trial_expects_answer = expects_answer
        elif (reply := self._replies.running(generation)) is not None:
            reply.expects_answer, reply.stirred_ms = expects_answer, self._now

    def _over(self, generation: int) -> None:
        reply = self._replies.running(generation)
        if reply is not None:
            self._replies.finish()
            self._wait_from(max(self._now, reply.playback.quiet_from(self._now)))

    def _stop(self, reason: StopReason) -> None:
        self._out += self._replies.stop(reason, self._now)
        self._wait_from(self._now)

    def _wait_from(self, now_ms: int) -> None:
        self._idle_from, self._idle_audio_ms = now_ms, self._user.audio_ms

    def _discard(self) -> None:
        if (generation := self._trial.drop()) is not None:
            self._out.append(Discard(generation))

    def _respond(self, reason: RespondReason, request: str | None = None) -> None:
        calls = self._replies.pay() if reason in ("client", "tool") else ()
        self._begin_reply(generation := self._replies.next_generation())
        self._out.append(Respond(generation, reason, request, calls))

    def _begin_reply(self, generation: int, expects_answer: bool = False) -> None:
        self._replies.begin(generation, self._now, expects_answer)
        self._idle_from = None

    def _answer_turn(self) -> None:
        """Begin the reply to the turn committed, with the one held if it fits."""
        self._turn_owed = False
        if (held := self._trial.accept()) is not None:
            self._begin_reply(held, self._trial_expects_answer)
            self._out.append(Release(held))
        else:
            self._respond("turn")
        if (generation := self.generation) is not None:
            self._answer = (generation, self._user.floor_ms)

    # what follows from the state of things

    def _settle(self) -> None:
        self._give_up()
        self._hold()
        if self._replies.active is None and self._user.free:
            if self._turn_owed:
                self._answer_turn()
            elif self._replies.owed and self.settings.create_response and self.settings.turns is not None:
                self._respond("tool")
        if (at := self._filler_at()) is not None and self._now >= at:
            self._fill()
        if (at := self._idle_at()) is not None and self._now >= at:
            self._time_out()

    def _give_up(self) -> None:
        """End what nobody will end any more."""
        silent = self._now - self._heard_at
        if silent >= GONE_MS:
            self._end_turn()
        if self._user.turn is None and silent >= MUTED_MS:
            self._user.calm()
        if self._user.doubt and self._replies.audible(self._now) is None:
            self._user.doubt = False
        if (at := self._dead_at()) is not None and self._now >= at:
            self._stop("failed")

    def _hold(self) -> None:
        """Silence the active reply while there is doubt, or from its start where the user has the turn."""
        reply = self._replies.active
        if reply is None:
            return
        unsaid = self._user.turn is not None and (reply.held or reply.playback.sent_ms == 0)
        if (self._user.doubt or unsaid) == reply.held:
            return
        reply.held, reply.stirred_ms = not reply.held, self._now
        sent = reply.playback.sent_ms
        self._out.append(Duck(reply.generation) if reply.held else ResumeReply(reply.generation, sent))

    def _fill(self) -> None:
        reply = self._replies.active
        assert reply is not None
        reply.fillers += 1
        reply.stirred_ms = self._now
        self.decisions.fillers += 1
        self._out.append(Filler(reply.generation))

    def _time_out(self) -> None:
        user = self._user
        start = max(user.floor_ms, self._idle_audio_ms)
        self.decisions.timeouts += 1
        self._out.append(TimeoutTriggered(start, user.audio_ms))
        self._commit(start)
        self._respond("idle")

    # deadlines

    @property
    def next_deadline_ms(self) -> int | None:
        """When `Tick` is wanted next, by the clock of `now_ms`; None: not before another event."""
        times = [self._filler_at(), self._idle_at(), self._dead_at()]
        if self._user.turn is not None:
            times.append(self._heard_at + GONE_MS)
        elif self._user.burst is not None or self._user.doubt:
            times.append(self._heard_at + MUTED_MS)
        return min((time for time in times if time is not None), default=None)

    def _filler_at(self) -> int | None:
        reply = self._replies.active
        if reply is None or reply.held or not self._replies.working() or not self._user.free:
            return None
        first = not reply.playback.sent_ms and not reply.fillers
        quiet_from = max(reply.stirred_ms, reply.playback.quiet_from(self._now))
        return quiet_from + (FILLER_MS if first else NEXT_FILLER_MS)

    def _idle_at(self) -> int | None:
        timeout, waiting = self.settings.idle_timeout_ms, self._idle_from
        if self.settings.turns is None or timeout is None or waiting is None:
            return None
        return waiting + timeout if self._replies.active is None and self._user.free else None

    def _dead_at(self) -> int | None:
        reply = self._replies.active
        return None if reply is None or reply.held or self._replies.working() else reply.stirred_ms + DEAD_REPLY_MS
