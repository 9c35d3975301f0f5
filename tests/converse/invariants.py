"""What must hold of every call, whatever happens in it: each a function over its steps that yields complaints.

The numbers are those of the list of invariants that realtime voice protocols live by: ids and order 2, 4; time 7, 8;
cancel and truth 10 to 13; tools 14 to 16; input 17, 18; determinism 23.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields

from step_audio_mini.converse import actions as a
from step_audio_mini.converse import events as e
from tests.converse.chaos import Call

Invariant = Callable[[Call], Iterator[str]]
INVARIANTS: dict[str, Invariant] = {}
"""Name to check."""


def invariant(name: str) -> Callable[[Invariant], Invariant]:
    def named(check: Invariant) -> Invariant:
        INVARIANTS[name] = check
        return check

    return named


@invariant("2_each_response_is_created_once_and_over_once")
def created_and_done(call: Call) -> Iterator[str]:
    seen, running = set[int](), None
    for step in call.steps:
        if isinstance(step.event, e.ReplyEnded | e.ReplyFailed) and step.event.generation == running:
            running = None
        for action in step.actions:
            if isinstance(action, a.Respond | a.Release):
                if action.generation in seen:
                    yield f"{action} a second time"
                seen.add(action.generation)
                running = action.generation
            elif isinstance(action, a.StopReply):
                if action.generation != running:
                    yield f"{action} while {running} runs"
                running = None
        if step.active != running:
            yield f"{step.active} runs, {running} by its actions"


@invariant("4_at_most_one_active_response_and_the_loser_is_told")
def one_active(call: Call) -> Iterator[str]:
    running = None
    for step in call.steps:
        before = running
        if isinstance(step.event, e.ReplyEnded | e.ReplyFailed) and step.event.generation == running:
            running = None
        for action in step.actions:
            if isinstance(action, a.StopReply):
                running = None
            if isinstance(action, a.Respond | a.Release):
                if running is not None:
                    yield f"{action} beside {running}"
                running = action.generation
        if isinstance(step.event, e.CreateResponse):
            refused = [one for one in step.actions if isinstance(one, a.Refused)]
            wanted = [a.Refused("conversation_already_has_active_response", step.event.request)]
            if refused != (wanted if before is not None else []):
                yield f"{step.event} while {before} runs gave {refused}"
        if isinstance(step.event, e.Cancel) and before is None and a.Refused not in map(type, step.actions):
            yield "cancelled nothing without a word"


@invariant("7_times_are_whole_milliseconds_that_never_run_back")
def whole_milliseconds(call: Call) -> Iterator[str]:
    latest = audio_ms = 0
    for step in call.steps:
        if isinstance(step.event, e.Heard):
            audio_ms = max(audio_ms, step.event.audio_ms)
        for action in step.actions:
            times = {f.name: getattr(action, f.name) for f in fields(action) if f.name.endswith("_ms")}
            if any(type(time) is not int or time < 0 for time in times.values()):
                yield f"{action} has times of another kind"
            if isinstance(action, a.SpeechStarted | a.SpeechStopped):
                (time,) = times.values()
                if not latest <= time <= audio_ms:
                    yield f"{action} after {latest}, with sound until {audio_ms}"
                latest = time


@invariant("8_a_turn_is_its_span_of_sound_and_spans_do_not_meet")
def spans(call: Call) -> Iterator[str]:
    started: int | None = None
    end = 0
    for step in call.steps:
        stopped = None
        for action in step.actions:
            match action:
                case a.SpeechStarted(start):
                    if start < end:
                        yield f"{action} within the turn before"
                    started = start
                case a.SpeechStopped(stop, dropped):
                    stopped = None if dropped else (started, stop)
                    if started is None or stop < started:
                        yield f"{action} after {started}"
                    started = None
                    if dropped is any(isinstance(later, a.CommitTurn) for later in step.actions):
                        yield f"{action} tells the wrong end in {step.actions}"
                case a.CommitTurn(start, stop):
                    if stopped is not None and stopped != (start, stop):
                        yield f"{action} of {stopped}"
                    if not end <= start <= stop:
                        yield f"{action} after {end}"
                    end = stop
                case a.DropSound(stop, keep):
                    if keep < 0 or stop - keep < end:
                        yield f"{action} keeps what belongs to a turn"


@invariant("10_nothing_of_a_reply_that_is_over_is_let_out")
def silent_after_the_end(call: Call) -> Iterator[str]:
    dead = set[int]()
    active: int | None = None
    for step in call.steps:
        if isinstance(step.event, e.ReplyEnded | e.ReplyFailed) and step.event.generation == active:
            dead.add(step.event.generation)
        active = step.active
        for action in step.actions:
            generation = getattr(action, "generation", None)
            if generation in dead and not isinstance(action, a.TruncateReply):
                yield f"{action} of a reply that is over"
            if isinstance(action, a.StopReply | a.Discard):
                dead.add(action.generation)


@invariant("11_context_is_what_was_heard_however_often_it_is_cut")
def truncated(call: Call) -> Iterator[str]:
    words, sent = _told(call)
    for number, step in enumerate(call.steps):
        for action in step.actions:
            if isinstance(action, a.TruncateReply | a.StopReply):
                cut = action.audio_end_ms if isinstance(action, a.TruncateReply) else action.heard_ms
                told = words[number].get(action.generation, [])
                if action.heard != "".join(word.text for word in told if word.end_ms <= cut):
                    yield f"{action} of {told}"
        if isinstance(step.event, e.Truncate):
            length = sent[number].get(step.event.generation, 0)
            cuts = [one for one in step.actions if isinstance(one, a.TruncateReply)]
            legal = step.event.generation in call.visible and 0 <= step.event.audio_end_ms <= length + 1
            if bool(cuts) != legal:
                yield f"{step.event} of {length} ms gave {step.actions}"
            if cuts and cuts[0].audio_end_ms > step.event.audio_end_ms:
                yield f"{step.event} left {cuts[0].audio_end_ms}"
            again = call.steps[number - 1]
            if again.event == step.event and again.actions != step.actions:
                yield "cut twice is not cut once"


@invariant("12_playback_is_estimated_by_what_was_sent_and_when")
def estimate(call: Call) -> Iterator[str]:
    first: dict[int, int] = {}
    _, sent = _told(call)
    for number, step in enumerate(call.steps):
        if isinstance(step.event, e.ReplySound) and step.event.generation == step.active:
            first.setdefault(step.event.generation, step.now)
        for action in step.actions:
            match action:
                case a.StopReply(generation, heard_ms) | a.TruncateReply(generation, heard_ms, client=False):
                    most = min(sent[number].get(generation, 0), step.now - first.get(generation, step.now))
                    if heard_ms > most:
                        yield f"{action}: at most {most} ms can have been heard"


@invariant("13_heard_text_is_kept_and_is_how_the_reply_begins")
def heard_is_kept(call: Call) -> Iterator[str]:
    words, _ = _told(call)
    for number, step in enumerate(call.steps):
        for action in step.actions:
            if isinstance(action, a.StopReply):
                told = words[number].get(action.generation, [])
                if not "".join(word.text for word in told).startswith(action.heard):
                    yield f"{action} of {told}"
                if told and action.heard_ms >= told[0].end_ms and not action.heard:
                    yield f"{action} forgot {told[0]}"


@invariant("14_a_result_is_told_once_and_never_lost")
def results(call: Call) -> Iterator[str]:
    told: list[str] = []
    stopped = set[int]()
    owner: dict[str, e.ToolStarted] = {}
    owed, ended = set[str](), set[str]()
    unwanted, kept = set[int](), set[str]()
    for step in call.steps:
        event = step.event
        if isinstance(event, e.ToolStarted):
            owner.setdefault(event.call_id, event)
        if isinstance(event, e.ToolEnded) and event.call_id in owner and event.call_id not in ended:
            ended.add(event.call_id)
            tool = owner[event.call_id]
            if tool.generation in stopped and not tool.cancellable:
                (kept if tool.generation in unwanted else owed).add(event.call_id)
        for action in step.actions:
            if isinstance(action, a.StopReply):
                stopped.add(action.generation)
                unwanted |= {action.generation} if action.reason == "client_cancelled" else set()
            if isinstance(action, a.Respond):
                told += action.calls
                if action.reason in ("client", "tool") and not kept <= set(told):
                    yield f"{action} keeps back {kept - set(told)}"
    if len(told) != len(set(told)):
        yield f"told twice: {told}"
    if not set(told) <= ended:
        yield "told before it ended"
    if not owed <= set(told):
        yield f"never told: {owed - set(told)}"


@invariant("15_interrupting_cancels_no_tool_that_does_not_allow_it")
def tools_go_on(call: Call) -> Iterator[str]:
    may = {s.event.call_id for s in call.steps if isinstance(s.event, e.ToolStarted) and s.event.cancellable}
    for step in call.steps:
        for action in step.actions:
            if isinstance(action, a.CancelTool) and action.call_id not in may:
                yield f"{action}"


@invariant("16_nothing_new_is_said_while_the_user_has_the_turn")
def held(call: Call) -> Iterator[str]:
    speaking = False
    for step in call.steps:
        for number, action in enumerate(step.actions):
            if isinstance(action, a.SpeechStarted | a.SpeechStopped):
                speaking = isinstance(action, a.SpeechStarted)
            if not speaking:
                continue
            if isinstance(action, a.Release | a.ResumeReply | a.Filler):
                yield f"{action} while the user speaks"
            if isinstance(action, a.Respond):
                asked = action.reason == "client"
                later = step.actions[number:]
                if not asked or not (a.Duck(action.generation) in later or a.SpeechStopped in map(type, later)):
                    yield f"{action} while the user speaks"


@invariant("17_without_words_there_is_no_turn_and_no_reply")
def no_words(call: Call) -> Iterator[str]:
    text = ""
    for step in call.steps:
        if isinstance(step.event, e.Heard) and step.event.text != "late":
            text = step.event.text
        kinds = [type(action) for action in step.actions]
        own = a.TimeoutTriggered not in kinds and not isinstance(step.event, e.SpeechCommittedByClient)
        if a.CommitTurn in kinds and own and not text:
            yield f"{step.actions} of silence"
        if a.Speculate in kinds and not text:
            yield "a reply on trial to silence"


@invariant("18_a_reopened_turn_is_one_item_and_trials_are_not_seen")
def one_item(call: Call) -> Iterator[str]:
    speaking, held, answers, text = False, None, set[str](), ""
    for step in call.steps:
        if isinstance(step.event, e.Heard) and step.event.text != "late":
            text = step.event.text
        if isinstance(step.event, e.Speculated) and step.event.generation == held:
            answers.add(step.event.text)
        for action in step.actions:
            match action:
                case a.Release() if text not in answers:
                    yield f"{action} answers {answers}, not {text}"
                case a.SpeechStarted() | a.SpeechStopped():
                    if speaking is isinstance(action, a.SpeechStarted):
                        yield f"{action} twice"
                    speaking = not speaking
                case a.Speculate(generation):
                    if held is not None or not speaking:
                        yield f"{action} beside {held}"
                    held, answers = generation, {text}
                case a.Discard(generation) | a.Release(generation):
                    if held != generation:
                        yield f"{action} of {held}"
                    held = None
    trials = call.engine.decisions.speculation
    if trials.proposed != trials.accepted + trials.discarded + (held is not None):
        yield f"{trials} do not add up"


@invariant("23_the_same_events_give_the_same_actions")
def deterministic(call: Call) -> Iterator[str]:
    if call.seed % 10 == 0 and [s.actions for s in Call(call.seed).run().steps] != [
        s.actions for s in call.steps[: call.chaotic]
    ]:
        yield "the second time was different"


@invariant("every_call_recovers")
def recovers(call: Call) -> Iterator[str]:
    kinds = [type(action) for step in call.steps[call.recovered_at :] for action in step.actions]
    missing = {a.SpeechStarted, a.SpeechStopped, a.CommitTurn} - set(kinds)
    if missing or not {a.Respond, a.Release} & set(kinds):
        yield f"only {kinds}"


def _told(call: Call) -> tuple[list[dict[int, list[e.TimedWord]]], list[dict[int, int]]]:
    """By step, of each generation: words told and milliseconds sent while it ran."""
    words: dict[int, list[e.TimedWord]] = {}
    sent: dict[int, int] = {}
    told, lengths = [], []
    active = None
    for step in call.steps:
        if isinstance(step.event, e.ReplySound) and step.event.generation == active:
            known = words.get(active, [])
            for word in step.event.words:
                latest = known[-1].end_ms if known else 0
                known = [*known, e.TimedWord(word.text, max(latest, word.end_ms))]
            words = words | {active: known}
            sent = sent | {active: max(sent.get(active, 0), step.event.ms)}
        told.append(words)
        lengths.append(sent)
        active = step.active
    return told, lengths
