"""The three rooms behind one door: what the model needs of them, and how a folder of weights makes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from step_audio_mini.types import AudioChunk, Decision, Hearing, Hypothesis, Language, Samples, SlotValue, Style

if TYPE_CHECKING:
    from step_audio_mini.listen.recogniser import Recogniser
    from step_audio_mini.runtime.manifest import Weights
    from step_audio_mini.think.mind import Mind as TrainedMind

LanguageChoice = Literal["auto", "zh", "en"]
Packs = str | Path | Sequence[str | Path]
"""A scenario by its name, a folder with a pack.yaml, or several of them."""
ToolFunction = Callable[[Mapping[str, SlotValue]], Mapping[str, Any]]
"""A tool: arguments in, a flat result out."""


class EarStream(Protocol):
    """The ears of one turn."""

    def accept(self, samples: Samples) -> bool:
        """Take the next samples, (n,) at 16 kHz; whether the person has stopped speaking."""

    def partial(self) -> Hypothesis:
        """What is understood so far."""

    def finish(self) -> Hearing:
        """What was understood. The stream is used up."""


class Mind(Protocol):
    """A loaded pack; what one conversation remembers is its dialogue."""

    def dialogue(self, language: Language | None = None) -> Any:
        """A new conversation."""

    def decide(self, hearing: Hearing, dialogue: Any) -> Decision:
        """Understand, run tools and fill the reply; the dialogue moves on."""


class Voice(Protocol):
    """The mouth."""

    def stream(self, text: str, language: Language, style: Style) -> Iterator[AudioChunk]:
        """Speak, clause by clause."""


class Rooms(Protocol):
    """Where the three parts come from; whatever is heavy is loaded when first needed, and once."""

    def ears(self, pack: Packs, language: LanguageChoice) -> EarStream:
        """Ears for one turn, with the pack's sentences as context."""

    def mind(self, pack: Packs) -> Mind:
        """The mind with a pack."""

    def voice(self) -> Voice:
        """The mouth."""


class TrainedRooms:
    """The rooms that a folder of weights makes."""

    def __init__(
        self, weights: Weights, voice: str | None, tools: Mapping[str, ToolFunction], state: Path | None
    ) -> None:
        self._weights, self._voice_name, self._tools, self._state = weights, voice, tools, state
        self._recognisers: dict[tuple[str, ...], Recogniser] = {}
        self._minds: dict[tuple[str, ...], TrainedMind] = {}
        self._voice: Voice | None = None

    def ears(self, pack: Packs, language: LanguageChoice) -> EarStream:
        """Ears for one turn; the search graph of new packs is built once and kept in the user's cache folder."""
        from step_audio_mini.listen.context import default_cache
        from step_audio_mini.listen.recogniser import Recogniser
        from step_audio_mini.listen.stream import Stream
        from step_audio_mini.think.pack import join
        from step_audio_mini.think.pack_file import load_pack
        from step_audio_mini.think.phrases import context_sentences

        key = (language, *_names(pack))
        if key not in self._recognisers:
            loaded = join([load_pack(name) for name in _names(pack)])
            if language in loaded.languages:
                loaded = loaded.model_copy(update={"languages": [language]})
            contexts = [context_sentences(loaded)]
            self._recognisers[key] = Recogniser.open(
                self._weights,
                contexts=contexts,
                language=None if language == "auto" else language,
                cache=default_cache(),
            )
        return Stream(self._recognisers[key])

    def mind(self, pack: Packs) -> Mind:
        """The mind with packs, which share the state file."""
        from step_audio_mini.think.mind import Mind as TrainedMind

        key = _names(pack)
        if key not in self._minds:
            self._minds[key] = TrainedMind.load(key, self._weights, tools=self._tools, state=self._state)
        return self._minds[key]

    def voice(self) -> Voice:
        """The mouth."""
        if self._voice is None:
            self._voice = self._load_voice()
        return self._voice

    def _load_voice(self) -> Voice:
        from step_audio_mini.speak.speaker import Speaker
        from step_audio_mini.text.letters import LetterToSound
        from step_audio_mini.text.lexicon import Lexicon

        letters = LetterToSound.from_bytes(self._weights.read("letters"))
        lexicon = Lexicon.from_bytes(self._weights.read("lexicon"), letters)
        return Speaker.load(self._weights, lexicon, self._voice_name)


def _names(pack: Packs) -> tuple[str, ...]:
    return (str(pack),) if isinstance(pack, str | Path) else tuple(map(str, pack))
