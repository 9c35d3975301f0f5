"""The three rooms behind one door: what the model needs of them, and how a folder of weights makes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast, get_args
from weakref import WeakValueDictionary

from step_audio_mini.errors import UserError
from step_audio_mini.types import AudioChunk, Decision, Hearing, Hypothesis, Language, Samples, SlotValue, Style

if TYPE_CHECKING:
    from step_audio_mini.listen.recogniser import Recogniser, WordModel
    from step_audio_mini.listen.speaker_attributes import SpeakerModel
    from step_audio_mini.listen.stream import Stream
    from step_audio_mini.runtime.manifest import Weights
    from step_audio_mini.runtime.session import Graph
    from step_audio_mini.speak.speaker import Speaker
    from step_audio_mini.think.mind import Mind as TrainedMind
    from step_audio_mini.think.network import ExportedNet
    from step_audio_mini.think.pack import Pack
    from step_audio_mini.think.reading import SentencePieces

LanguageChoice = Literal["auto", "zh", "en"]
Packs = str | Path | Sequence[str | Path]
"""A scenario by its name, a folder with a pack.yaml, or several of them."""
KEPT = 2
"""Recognisers kept when no call uses them: each takes 30 to 80 MB, and half a second of the processor to make again."""
ToolFunction = Callable[[Mapping[str, SlotValue]], Mapping[str, Any]]
"""A tool: arguments in, a flat result out."""


def language_choice(text: str) -> LanguageChoice:
    """The text as a choice of language; UserError for any other."""
    if text not in get_args(LanguageChoice):
        raise UserError(f"no language {text!r}; use auto, zh or en", code="unknown_language")
    return cast(LanguageChoice, text)


class EarStream(Protocol):
    """The ears of one turn."""

    def accept(self, samples: Samples) -> bool:
        """Take the next samples, (n,) at 16 kHz; whether the person has stopped speaking."""

    @property
    def end_probability(self) -> float:
        """Probability 0...1 that the person has finished, from the silence and from what was said; 0 before speech."""

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
        self,
        weights: Weights,
        voice: str | None,
        tools: Mapping[str, ToolFunction],
        state: Path | None,
        hot_words: Iterable[str] = (),
        phrasings: str | None = None,
    ) -> None:
        """`phrasings` keeps search and mind to one split of the packs' phrasings, for measuring on the others."""
        from step_audio_mini.listen.hotwords import hot_words as parsed

        self._weights, self._voice_name, self._tools, self._state = weights, voice, tools, state
        self._hot_words, self._phrasings = parsed(hot_words), phrasings
        self._recognisers = WeakValueDictionary[tuple[str, ...], "Recogniser"]()
        self._kept: list[Recogniser] = []
        """The last ones used, the latest last."""
        self._minds: dict[tuple[str, ...], TrainedMind] = {}

    def ears(self, pack: Packs, language: LanguageChoice) -> Stream:
        """Ears for one turn; the search graph of new packs is built once and kept in the user's cache folder."""
        from step_audio_mini.listen.stream import Stream

        key = (language, *_names(pack))
        recogniser = self._recognisers.get(key)
        if recogniser is None:
            del self._kept[: len(self._kept) - KEPT + 1]  # gone unless a call uses it, before another is made
            recogniser = self._recognisers[key] = self._recogniser(_names(pack), language)
        self._kept = [known for known in self._kept if known is not recogniser] + [recogniser]
        return Stream(recogniser, self._speaker_model)

    def _recogniser(self, packs: tuple[str, ...], language: LanguageChoice) -> Recogniser:
        from step_audio_mini.listen.alignment import calibration_of
        from step_audio_mini.listen.context import default_cache
        from step_audio_mini.listen.recogniser import Expected, Recogniser, Tuning
        from step_audio_mini.think.phrases import context_sentences

        pack = _joined(packs)
        if language in pack.languages:
            pack = pack.model_copy(update={"languages": [language]})
        return Recogniser(
            *self._ears,
            expected=Expected([context_sentences(pack, split_name=self._phrasings)], self._hot_words, pack.sounds_like),
            language=None if language == "auto" else language,
            tuning=Tuning(calibration=calibration_of(self._weights)),
            cache=default_cache(),
        )

    @cached_property
    def _ears(self) -> tuple[Graph, WordModel]:
        """What the recognisers of all packs share."""
        from step_audio_mini.listen.recogniser import WordModel
        from step_audio_mini.runtime.session import Graph

        return Graph(self._weights.read("ears"), "ears"), WordModel.load(self._weights)

    @cached_property
    def _speaker_model(self) -> SpeakerModel | None:
        from step_audio_mini.listen.speaker_attributes import SpeakerModel

        return SpeakerModel.open(self._weights)

    def mind(self, pack: Packs) -> TrainedMind:
        """The mind with packs; all minds share the network and what the tools remember."""
        from step_audio_mini.think.mind import Mind as TrainedMind

        key = _names(pack)
        if key not in self._minds:
            joined = _joined(key)
            network, pieces, tools = self._thinking
            self._minds[key] = TrainedMind(
                joined, network, pieces, tools, ears=network.ears_width, phrasings=self._phrasings
            )
        return self._minds[key]

    @cached_property
    def _thinking(self) -> tuple[ExportedNet, SentencePieces, Mapping[str, ToolFunction]]:
        from step_audio_mini.think.mind import shipped_tools
        from step_audio_mini.think.network import load_network
        from step_audio_mini.think.store import Store

        return *load_network(self._weights), shipped_tools(Store(self._state)) | dict(self._tools)

    def voice(self) -> Speaker:
        """The mouth."""
        return self._speaker

    @cached_property
    def _speaker(self) -> Speaker:
        from step_audio_mini.speak.speaker import Speaker
        from step_audio_mini.text.letters import LetterToSound
        from step_audio_mini.text.lexicon import Lexicon

        letters = LetterToSound.from_bytes(self._weights.read("letters"))
        lexicon = Lexicon.from_bytes(self._weights.read("lexicon"), letters)
        speaker = Speaker.load(self._weights, lexicon, self._voice_name)
        for language in {voice.language for voice in speaker.voices}:  # dictionaries load now, not when one waits
            next(speaker.stream({"en": "one 1", "zh": "一1"}[language], language))
        return speaker


def _names(pack: Packs) -> tuple[str, ...]:
    return (str(pack),) if isinstance(pack, str | Path) else tuple(map(str, pack))


def _joined(packs: tuple[str, ...]) -> Pack:
    from step_audio_mini.think.pack import join
    from step_audio_mini.think.pack_file import load_pack

    if not packs:
        raise UserError("no pack given; name at least one", code="unknown_pack")
    return join([load_pack(name) for name in packs])
