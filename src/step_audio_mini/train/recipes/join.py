"""The recipe `join`: the mind again, over what the ears really heard, with their vectors beside the words.

Real orders and real read sentences (which ask for nothing) share every group of steps with generated dialogues, so that
nothing is forgotten. `sound=false` leaves the gate closed: the twin that shows what the vectors are worth.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from torch import nn

from step_audio_mini.errors import UserError
from step_audio_mini.think.model import MindNet
from step_audio_mini.think.phrases import Utterance
from step_audio_mini.think.reading import MAX_HYPOTHESES
from step_audio_mini.think.state import Dialogue
from step_audio_mini.think.units import split, units_of
from step_audio_mini.think.values import Values
from step_audio_mini.train.confusion import Confusion, confusion_from_lexicons, learn_rates, share_of_errors
from step_audio_mini.train.dialogues import Turn
from step_audio_mini.train.hearings import Heard, read_hearings
from step_audio_mini.train.loop import LoopConfig
from step_audio_mini.train.mindbatch import LOST, Example, MindBatch, collate, heard_example
from step_audio_mini.train.recipes.mind import MindData, MindRecipe, Setting, choice_scores, words_of_packs

REAL = 0.5
"""Share of the turns of a batch that were really heard."""
ASKED = 0.6
"""Share of these in which something was asked for; the others are sentences that were read aloud."""


class JoinRecipe(MindRecipe):
    """Batches half generated, half heard; hearings of `train` are learnt from, those of `dev` are judged on."""

    name = "join"

    def __init__(
        self, data: MindData, hearings: Path, *, seed: int = 2, width: int = 192, turns: int = 48, sound: bool = True
    ) -> None:
        super().__init__(data, seed=seed, width=width, turns=turns)
        self._heard, self._sound = read_hearings(hearings), sound
        if not any(h.split == "train" for h in self._heard):
            raise UserError(f"the hearings in {hearings} hold no clips to train on; hear train clips too")

    @cached_property
    def confusion(self) -> Confusion:
        """The channel with the rates that the ears showed where the words were the pack's own and known."""
        pairs = [
            (split(h.text), units_of(h.hearing.best))
            for h in self._heard
            if h.intent is not None and h.text and h.hearing.nbest
        ]
        return confusion_from_lexicons(self.data.texts, words_of_packs(self), learn_rates(pairs))

    def real(self, setting: Setting, split_name: str) -> list[Heard]:
        """Clips of a split that mean something to a pack: its own intents, and read sentences."""
        intents = setting.person.pack.intents
        return [h for h in self._heard if h.split == split_name and (h.intent is None or h.intent in intents)]

    def _turns(self, settings: Sequence[Setting], rng: random.Random) -> list[Example]:
        generated = super()._turns(settings, rng)
        known = self._real_of[id(settings[0])]
        count = int(REAL * len(generated)) if known else 0
        asked, read = [h for h in known if h.intent is not None], [h for h in known if h.intent is None]
        real = [
            self.example(rng.choice(asked if asked and (not read or rng.random() < ASKED) else read), settings[0])
            for _ in range(count)
        ]
        mixed = rng.sample(generated, len(generated) - count) + real
        return sorted(mixed, key=lambda e: len(e.reading.pieces))

    @cached_property
    def _real_of(self) -> dict[int, list[Heard]]:
        return {id(variants[0]): self.real(variants[0], "train") for variants in self.settings}

    def example(self, heard: Heard, setting: Setting) -> Example:
        """A clip as one first turn of a dialogue."""
        said = Utterance(tuple(split(heard.text)), dict(heard.slots), {}, heard.id, heard.hearing.best.language)
        before = Dialogue(language=said.language)
        if heard.intent is None:
            turn = Turn(before, said, "out_of_scope")
        else:
            turn = setting.person.request_turn(before, said, heard.intent)
        hearing = heard.hearing if self._sound else replace(heard.hearing, vectors=heard.hearing.vectors[:0])
        return heard_example(turn, setting.reader, hearing, lost=is_lost(heard, setting.reader.values))

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """The figures of `mind`, and the share of right choices on real dev clips."""
        assert isinstance(model, MindNet)
        right: list[float] = []
        for batch in self.real_dev:
            told = batch.targets >= 0
            right += (choice_scores(model, batch).argmax(-1) == batch.targets)[told].float().tolist()
        return super().evaluate(model) | ({"real": sum(right) / len(right)} if right else {})

    @cached_property
    def real_dev(self) -> list[MindBatch]:
        """Real dev clips, one batch for each pack that has some."""
        batches = []
        for variants in self.settings:
            found = [self.example(h, variants[0]) for h in self.real(variants[0], "dev")[:200]]
            if found:
                batches.append(collate(found, variants[0].reader, self.config.ears))
        return batches


def is_lost(heard: Heard, values: Values) -> bool:
    """True where so little of a request was heard that the right answer is: not understood.

    Without a transcript the values of the request must do: none of them was heard.
    """
    if heard.intent is None:
        return False
    readings = [[unit.text for unit in units_of(h)] for h in heard.hearing.nbest[:MAX_HYPOTHESES]]
    if heard.text:
        said = split(heard.text)
        return all(share_of_errors(said, units) >= LOST for units in readings)
    return bool(heard.slots) and not any(
        values.normalise(slot, units[match.first : match.last + 1]) == value
        for units in readings
        for match in values.matches(units)
        for slot, value in heard.slots.items()
        if values.pack.slot_names.index(slot) in match.slots
    )


@dataclass(frozen=True)
class Options:
    """What can be set of `join` beside the loop."""

    hearings: str = "hearings"
    """Folder of what the ears heard, within the data."""
    size: int = 192
    turns: int = 48
    pieces: str = ""
    """The sub-word model of the run that this one starts from."""
    sound: bool = True
    """The ears' vectors beside the words."""


LOOP = LoopConfig(steps=1500, rate=4e-4, warmup=50, ema=0.995, evaluate_every=250)


def make(data: Path, options: Options) -> JoinRecipe:
    """The recipe over a folder of text packs with hearings in it."""
    pieces = Path(options.pieces) if options.pieces else data / "mind_pieces.model"
    if not pieces.exists():
        raise UserError(f"no sub-word model at {pieces}; train `mind` first, join starts from it")
    hearings = data / options.hearings
    return JoinRecipe(MindData(data, pieces), hearings, width=options.size, turns=options.turns, sound=options.sound)
