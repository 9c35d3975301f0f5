"""The assistant's side of a call: the reply that runs, those before it, and the tools that outlive them."""

from __future__ import annotations

from step_audio_mini.converse.actions import Action, CancelTool, Refused, StopReason, StopReply, TruncateReply
from step_audio_mini.converse.events import ReplySound, ToolStarted, Truncate
from step_audio_mini.converse.playback import Playback, Script

REMEMBERED = 256
"""Replies and tool calls that are still known after their end: a call's memory is bounded."""
UNTOLD_MS = 300
"""A result of which less was heard than this has not been told."""


class Reply:
    """One visible reply; what becomes of it before (`Speculation`) is none of its business."""

    def __init__(self, generation: int, now_ms: int, after_ms: int, expects_answer: bool) -> None:
        self.generation, self.expects_answer = generation, expects_answer
        self.playback, self.script = Playback(after_ms), Script()
        self.held = self.stopped = self.unwanted = False
        self.fillers = 0
        self.stirred_ms = now_ms
        """When it last gave a sign of life."""
        self.cut_ms: int | None = None
        self.cut_by_client = False
        self.results: list[tuple[str, int]] = []
        """Calls that ended while it ran, and how much of it had been sent then."""

    def heard_ms(self, now_ms: int) -> int:
        """What was played, and not cut since."""
        heard = self.playback.heard(now_ms)
        return heard if self.cut_ms is None else min(heard, self.cut_ms)

    def cut(self, now_ms: int) -> tuple[int, str]:
        """Cut it by the estimate; where that is, and the text up to there."""
        self.cut_ms = self.heard_ms(now_ms)
        return self.cut_ms, self.script.until(self.cut_ms)

    def cut_at(self, ms: int) -> int:
        """Cut it where the client says, who knows better than the estimate; later word does not give sound back."""
        if self.cut_by_client and self.cut_ms is not None:
            ms = min(ms, self.cut_ms)
        if self.cut_ms is not None or ms < self.playback.sent_ms:
            self.cut_ms, self.cut_by_client = ms, True
        return ms


class Replies:
    """At most one reply is active. Numbers of generations only grow."""

    def __init__(self) -> None:
        self.active: Reply | None = None
        self.owed: list[str] = []
        """Calls whose results nobody was told."""
        self._later: list[str] = []
        """Of these, what the client did not want to hear at once: owed from the next reply on."""
        self._generation = 0
        self._past: dict[int, Reply] = {}
        self._tools: dict[str, ToolStarted] = {}
        self._ended_tools: dict[str, None] = {}

    def next_generation(self) -> int:
        """A number never used before."""
        self._generation += 1
        return self._generation

    def begin(self, generation: int, now_ms: int, expects_answer: bool = False) -> None:
        """A reply becomes visible; it is played after what is left of the one before."""
        last = self.last()
        busy_until = last.playback.quiet_from(now_ms) if last is not None and last.cut_ms is None else 0
        self.active = Reply(generation, now_ms, max(now_ms, busy_until), expects_answer)
        self.owed += self._later
        self._later.clear()

    def pay(self) -> tuple[str, ...]:
        """The calls whose results are to be told by the reply about to begin; they are owed no more."""
        calls = (*self.owed, *self._later)
        self.owed.clear()
        self._later.clear()
        return calls

    def find(self, generation: int) -> Reply | None:
        """A reply that is or was visible."""
        if self.active is not None and self.active.generation == generation:
            return self.active
        return self._past.get(generation)

    def running(self, generation: int) -> Reply | None:
        """The active reply, if it is that one."""
        return self.active if self.active is not None and self.active.generation == generation else None

    def last(self) -> Reply | None:
        """The latest reply that is over."""
        return next(reversed(self._past.values()), None)

    def audible(self, now_ms: int) -> Reply | None:
        """The reply that speech would be over: the active one, or one of which the client still has sound."""
        if self.active is not None:
            return self.active
        last = self.last()
        left = last is not None and last.cut_ms is None and last.playback.heard(now_ms) < last.playback.sent_ms
        return last if left else None

    def sound(self, event: ReplySound, now_ms: int) -> None:
        """Sound was sent; of a reply that is over, nothing is."""
        reply = self.running(event.generation)
        if reply is not None:
            reply.script.add(event.words)
            reply.playback.sent(event.ms, now_ms)
            reply.stirred_ms = now_ms

    def finish(self) -> None:
        """The active reply is over."""
        if self.active is not None:
            self._past[self.active.generation] = self.active
            self.active = None
            if len(self._past) > REMEMBERED:
                del self._past[next(iter(self._past))]

    def stop(self, reason: StopReason, now_ms: int) -> list[Action]:
        """Stop the active reply; its results that nobody heard are owed from now on, its tools go on.

        A client that cancels a reply does not want it again: of its results only those are owed of which no sound had
        been sent, or that are still to come, and not before the next reply.
        """
        reply = self.active
        if reply is None:
            return []
        heard_ms, heard = reply.cut(now_ms)
        reply.stopped, reply.unwanted = True, reason == "client_cancelled"
        if reply.unwanted:
            self._later += [call for call, sent in reply.results if reply.playback.sent_ms <= sent]
        else:
            self.owed += [call for call, sent in reply.results if heard_ms < sent + UNTOLD_MS]
        self.finish()
        own = [tool for tool in self._tools.values() if tool.generation == reply.generation and tool.cancellable]
        return [StopReply(reply.generation, heard_ms, heard, reason), *(CancelTool(tool.call_id) for tool in own)]

    def cut_tail(self, now_ms: int) -> list[Action]:
        """Cut what the client still has of the latest reply."""
        tail = self.audible(now_ms)
        return [] if tail is None else [TruncateReply(tail.generation, *tail.cut(now_ms), client=False)]

    def truncate(self, event: Truncate) -> Action:
        """Cut a reply on the client's word."""
        reply = self.find(event.generation)
        if reply is None:
            return Refused("item_truncate_invalid_item_id", event.request)
        # a client that counts its samples may round the last, unfinished millisecond up (openai-agents does)
        if not 0 <= event.audio_end_ms <= reply.playback.sent_ms + 1:
            return Refused("item_truncate_invalid_audio_end_ms", event.request)
        ms = reply.cut_at(min(event.audio_end_ms, reply.playback.sent_ms))
        return TruncateReply(event.generation, ms, reply.script.until(ms), client=True)

    # tools

    def tool_started(self, event: ToolStarted) -> list[Action]:
        """A call is made once; one that starts when its reply has been stopped is cancelled if it may be."""
        if event.call_id in self._tools or event.call_id in self._ended_tools:
            return []
        self._tools[event.call_id] = event
        reply = self.find(event.generation)
        late = event.cancellable and reply is not None and reply.stopped
        return [CancelTool(event.call_id)] if late else []

    def tool_ended(self, call_id: str, now_ms: int) -> None:
        """A result belongs to its reply if that still runs; otherwise it is owed, unless the call was cancelled."""
        tool = self._tools.pop(call_id, None)
        if tool is None:
            return
        self._ended_tools[call_id] = None
        if len(self._ended_tools) > REMEMBERED:
            del self._ended_tools[next(iter(self._ended_tools))]
        reply = self.find(tool.generation)
        if reply is not None and reply is self.active:
            reply.results.append((call_id, reply.playback.sent_ms))
            reply.stirred_ms = now_ms
        elif reply is not None and not (tool.cancellable and reply.stopped):
            (self._later if reply.unwanted else self.owed).append(call_id)

    def working(self) -> bool:
        """Whether a tool of the active reply runs."""
        active = self.active
        return active is not None and any(tool.generation == active.generation for tool in self._tools.values())
