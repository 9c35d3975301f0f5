"""StepAudio2Mini: ears, mind and voice as one object. Read this page first: it is the way of a sound."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from step_audio_mini.audio import file as sound_file
from step_audio_mini.audio.array import as_batch, as_samples
from step_audio_mini.errors import UserError
from step_audio_mini.rooms import (
    EarStream,
    LanguageChoice,
    Mind,
    Packs,
    Rooms,
    ToolFunction,
    TrainedRooms,
    Voice,
    language_choice,
)
from step_audio_mini.text.lexicon import is_han
from step_audio_mini.think.functions import FunctionTool, by_name
from step_audio_mini.types import (
    SAMPLE_RATE,
    AudioChunk,
    Decision,
    Event,
    Hearing,
    Language,
    Samples,
    Style,
    Turn,
)

if TYPE_CHECKING:
    import torch

END_STEP = 0.1
"""How far the probability of an end moves before a stream tells it again, with the same words."""


class StepAudio2Mini:
    """Speech in, sensible speech out.

    Sound is a file of any kind, or an array at 16 kHz of floats within ±1 or of signed integers. `pack` names a
    scenario or a folder with a pack.yaml. With `language` "auto" the answer is in the language heard.
    """

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    @classmethod
    def from_pretrained(
        cls,
        name_or_folder: str | Path = "step-audio-2-mini",
        *,
        voice: str | None = None,
        tools: Mapping[str, ToolFunction] | Iterable[FunctionTool] = (),
        state: Path | None = None,
        hot_words: Iterable[str] = (),
    ) -> StepAudio2Mini:
        """Open the weights that come with the package, or a folder of weights.

        `voice`: name of a voice for its language. `tools`: made by `think.functions.tool`, or functions by tool name.
        `state`: file in which the shipped ones (a simulated home, timers) remember; without it they forget at the end.
        `hot_words`: names and phrases that the ears prefer, each `PHRASE` or `WORD = HOW IT SOUNDS`.
        """
        from step_audio_mini.runtime.manifest import Weights

        return cls(TrainedRooms(Weights.open(name_or_folder), voice, by_name(tools), state, hot_words))

    def talk(
        self,
        sound: str | Path | ArrayLike,
        pack: Packs = "home",
        language: LanguageChoice = "auto",
        dialogue: Any = None,
    ) -> Turn:
        """Hear one turn, whatever its pauses, and answer it. `dialogue`, of `open_dialogue`, remembers turns before."""
        blocks = _opened(sound)
        language_choice(language)
        ears = self._rooms.ears(pack, language)  # first: making its search takes memory that the others then use
        dialogue = self.open_dialogue(pack, language) if dialogue is None else dialogue
        mind, voice, watch = self._rooms.mind(pack), self._rooms.voice(), _Stopwatch()
        for block in blocks:
            ears.accept(block)
        with watch("listen"):
            hearing = ears.finish()
        *_, last = _answer(hearing, mind, dialogue, voice, watch)
        turn: Turn = last.data
        return turn

    def stream(
        self, chunks: Iterable[ArrayLike], pack: Packs = "home", language: LanguageChoice = "auto"
    ) -> Iterator[Event]:
        """Hear sound as it comes and answer turn after turn, in one dialogue.

        Events and their data: "partial" Hypothesis, "end_of_turn" Hearing, "tool_call" ToolCall, "decision" Decision,
        "audio" AudioChunk, "turn" Turn. Silence between turns is no turn. A "partial" comes when its words change, and
        when its `end_probability` (that the person has finished) moved by `END_STEP`.
        """
        self._rooms.ears(pack, language)  # first: making its search takes memory that the others then use
        dialogue = self.open_dialogue(pack, language)
        mind, voice = self._rooms.mind(pack), self._rooms.voice()
        sound, answered, more = map(as_samples, chunks), False, True
        while more:
            ears, watch = self._rooms.ears(pack, language), _Stopwatch()
            more = yield from _hear(ears, sound)
            with watch("listen"):
                likely, hearing = ears.end_probability, ears.finish()
            if hearing.nbest or not (more or answered):
                yield from _answer(hearing, mind, dialogue, voice, watch, likely)
                answered = True

    def generate(self, x: Any, match_length: bool = False, pack: Packs = "home") -> Any:
        """Answer each sound of a batch: (n,) or (B, n) in, (m,) or (B, m) out, shorter answers padded with zeros.

        A torch tensor gives a tensor on the same device, an array gives an array (float32). With `match_length` the
        answers are cut or padded to m = n.
        """
        tensor = type(x).__module__.partition(".")[0] == "torch"
        batch = as_batch((x.float() if x.is_floating_point() else x).detach().cpu().numpy() if tensor else x)
        answers = [self.talk(sound, pack).audio.samples for sound in batch]
        length = batch.shape[1] if match_length else max(map(len, answers), default=0)
        out = np.zeros((len(batch), length), np.float32)
        for row, answer in zip(out, answers, strict=True):
            row[: len(answer)] = answer[:length]
        out = out.reshape(*np.shape(x)[:-1], length)
        if not tensor:
            return out
        import torch

        return torch.from_numpy(out).to(x.device)

    def listen(self, sound: str | Path | ArrayLike, pack: Packs = "home", language: LanguageChoice = "auto") -> Hearing:
        """What is said in a sound of one turn."""
        blocks = _opened(sound)
        language_choice(language)
        ears = self._rooms.ears(pack, language)
        for block in blocks:
            ears.accept(block)
        return ears.finish()

    def think(self, hearing: Hearing, pack: Packs = "home", dialogue: Any = None) -> Decision:
        """What to do about what was heard; tools are run."""
        return self._rooms.mind(pack).decide(hearing, self.open_dialogue(pack) if dialogue is None else dialogue)

    def open_dialogue(self, pack: Packs = "home", language: LanguageChoice = "auto") -> Any:
        """A conversation's memory, for a pack; silence is answered in `language` until something was understood."""
        language_choice(language)
        return self._rooms.mind(pack).dialogue(None if language == "auto" else language)

    def speak(self, text: str, language: LanguageChoice = "auto", style: Style | None = None) -> AudioChunk:
        """Say a text, digits and all; `language` "auto" reads the digits of a text with Han characters in Mandarin."""
        language_choice(language)
        chosen: Language = language if language != "auto" else "zh" if any(map(is_han, text)) else "en"
        return AudioChunk(
            np.concatenate([c.samples for c in self._rooms.voice().stream(text, chosen, style or Style())])
        )

    @property
    def module(self) -> torch.nn.Module:
        """The whole as a torch module, (B, n) to (B, m), for pipelines in torch. It answers; it does not train."""
        import torch

        generate = self.generate

        class Module(torch.nn.Module):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                answer: torch.Tensor = generate(x)
                return answer

        return Module()


class _Stopwatch:
    """Processor milliseconds by name, without what a caller does between two events."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        start = time.process_time()
        yield
        self.ms[name] = self.ms.get(name, 0.0) + 1000 * (time.process_time() - start)


def _hear(ears: EarStream, sound: Iterator[Samples]) -> Generator[Event, None, bool]:
    """Feed the ears until the turn ends; whether there may be more sound after it."""
    words, end = "", 0.0
    for samples in sound:
        ended = ears.accept(samples)
        partial, likely = ears.partial(), ears.end_probability
        if partial.text != words or abs(likely - end) >= END_STEP:
            words, end = partial.text, likely
            yield Event("partial", partial, likely)
        if ended:
            return True
    return False


def _answer(
    hearing: Hearing, mind: Mind, dialogue: Any, voice: Voice, watch: _Stopwatch, end_probability: float = 0.0
) -> Iterator[Event]:
    """Everything of a turn that comes after its sound."""
    yield Event("end_of_turn", hearing, end_probability)
    with watch("think"):
        decision = mind.decide(hearing, dialogue)
    yield from (Event("tool_call", call) for call in decision.tool_calls)
    yield Event("decision", decision)
    spoken: list[Samples] = []
    with watch("speak_first"):
        chunks = voice.stream(decision.reply, decision.language, decision.style)
        chunk = next(chunks, None)
    while chunk is not None:
        spoken.append(chunk.samples)
        yield Event("audio", chunk)
        with watch("speak"):
            chunk = next(chunks, None)
    total = sum(watch.ms.values())
    timings = {name: watch.ms[name] for name in ("listen", "think", "speak_first")} | {"total": total}
    yield Event("turn", Turn(hearing, decision, AudioChunk(np.concatenate(spoken)), timings))


def _opened(sound: str | Path | ArrayLike) -> Iterator[Samples]:
    """The blocks of a sound, the first one read: what is no sound is refused before anything is loaded for it."""
    if isinstance(sound, str | Path):
        blocks = sound_file.blocks(sound)
        return chain([next(blocks)], blocks)
    samples = as_samples(sound)
    if not len(samples):
        raise UserError("the sound holds no samples; give at least one")
    if len(samples) > sound_file.MAX_SECONDS * SAMPLE_RATE:
        raise UserError(
            f"the sound lasts {len(samples) / SAMPLE_RATE:.0f} s; a turn lasts {sound_file.MAX_SECONDS:g} s"
        )
    return iter([samples])
