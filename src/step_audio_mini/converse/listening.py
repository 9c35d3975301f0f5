"""What the user's sound amounts to, piece by piece; goes by the input-sample clock alone."""

from __future__ import annotations

from typing import Literal

from step_audio_mini.converse import barge_in
from step_audio_mini.converse.burst import Burst, Bursts
from step_audio_mini.converse.events import Heard
from step_audio_mini.converse.settings import TurnRules
from step_audio_mini.converse.turn import UserTurn

Finding = Literal["began", "doubtful", "interrupts", "backchannel", "noise", "pausing", "over", "nothing"]
"""`began` and `interrupts`: somebody takes the turn, the latter from the assistant. `doubtful`: sound over the
assistant, of what kind is not known yet; `backchannel` and `noise`: it was but that. `pausing`: he may have finished;
`over`: he has. `nothing`: the ears have listened to nothing for long."""

ONSET_MS = 600
"""With so much evidence of speech there is a turn, even before its first word is understood."""
FORGET_MS, NOISE_FORGET_MS = 10_000, 20_000
"""The ears begin afresh after this much silence, or noise, that is no turn: their memory is bounded."""
LONGEST_BURST_MS = 1500
"""What is not known to be speech by then keeps nobody from speaking."""


class Listening:
    """The user's side of a call. It finds; what follows from it is decided elsewhere."""

    def __init__(self) -> None:
        self.audio_ms = self.floor_ms = 0
        """Sound taken, and sound that no later turn can hold."""
        self.turn: UserTurn | None = None
        self.doubt = False
        """The assistant was silenced by something not yet known."""
        self.left_over = False
        """Words were said, or a turn begun, of which the client was to make a turn."""
        self._bursts = Bursts()
        self._ears_ms = 0

    @property
    def burst(self) -> Burst | None:
        """Sound that is no turn yet."""
        return self._bursts.now

    @property
    def free(self) -> bool:
        """Whether the assistant may begin to speak."""
        burst = self.burst
        new = burst is not None and not burst.settled and self.audio_ms - burst.start_ms < LONGEST_BURST_MS
        return self.turn is None and not self.doubt and not new

    def hear(self, heard: Heard, rules: TurnRules | None, over: bool, answer_awaited: bool) -> Finding | None:
        """Take a piece. `over`: the assistant speaks, and may be interrupted. Without rules only the clock moves."""
        since = self.audio_ms
        if heard.audio_ms <= since:
            return None
        self.audio_ms = heard.audio_ms
        if rules is None:
            self.left_over = self.left_over or bool(heard.text)
            return None
        sounding = self._bursts.update(since, heard, rules.threshold)
        if self.turn is not None:
            self.turn.burst.weigh(heard.speech, self._bursts.told_ms, rules.threshold)
            state = self.turn.update(heard, sounding, rules)
            return None if state == "speaking" else state
        if self.burst is not None and (found := self._weigh(self.burst, heard, over, answer_awaited)) is not None:
            return found
        patience = NOISE_FORGET_MS if self.burst else FORGET_MS
        return "nothing" if self.audio_ms - self._ears_ms >= patience and not self.doubt else None

    def _weigh(self, burst: Burst, heard: Heard, over: bool, answer_awaited: bool) -> Finding | None:
        said = barge_in.new_words(heard.text, burst.text_before) if barge_in.believed(heard.confidence) else []
        if not over:
            least = barge_in.EXPECTED_MS if said else ONSET_MS
            return "began" if burst.spoken_ms >= least else None
        verdict = barge_in.judge(burst, self.audio_ms, said, answer_awaited)
        if verdict == "stop":
            return "interrupts"
        if burst.settled:
            return None
        if verdict is not None:
            burst.settled, self.doubt = True, False
            return verdict
        if not self.doubt and burst.sounding_ms >= barge_in.DUCK_MS:
            self.doubt = True
            return "doubtful"
        return None

    @property
    def burst_over(self) -> bool:
        """Whether the present burst has ended, so that the sound up to here can be dropped."""
        return self.burst is not None and self.audio_ms - self.burst.last_ms >= barge_in.ENDED_MS

    def begin(self, prefix_padding_ms: int, continues: bool) -> UserTurn:
        """The burst becomes a turn."""
        burst = self.burst or Burst(self.audio_ms, self.audio_ms, "")
        start = max(self.floor_ms, burst.start_ms - prefix_padding_ms)
        self.turn = UserTurn(start, burst, self.audio_ms, continues)
        self.calm()
        return self.turn

    def leave(self) -> bool:
        """Leave the sound of the turn under way to the client; whether there was one."""
        begun, self.turn = self.turn is not None, None
        self.left_over = self.left_over or begun
        return begun

    def calm(self) -> None:
        """Forget the burst, and the doubt."""
        self.doubt = False
        self._bursts.reset()

    def fresh(self, keep_ms: int = 0) -> None:
        """The ears begin afresh, with the last `keep_ms`: nothing before can be part of a turn any more."""
        self.floor_ms, self._ears_ms = self.audio_ms - keep_ms, self.audio_ms
        self.turn, self.doubt, self.left_over = None, False, False
        self._bursts.reset(ears=True)
