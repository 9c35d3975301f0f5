"""The recipe `mind`: learns to understand from generated dialogues that look as if the ears had heard them.

The acoustic stream stays closed here (no vectors); the recipe `join` opens it on real recordings.
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from step_audio_mini.errors import UserError
from step_audio_mini.think.alphabet import Role
from step_audio_mini.think.model import MindConfig, MindNet
from step_audio_mini.think.pack import Pack, Value, join
from step_audio_mini.think.pack_file import load_pack
from step_audio_mini.think.phrases import Phrases
from step_audio_mini.think.reading import Reader, SentencePieces
from step_audio_mini.think.units import join as join_units
from step_audio_mini.think.units import split
from step_audio_mini.think.values import Values
from step_audio_mini.train.confusion import Confusion, confusion_from_lexicons
from step_audio_mini.train.dialogues import Person, Sources
from step_audio_mini.train.loop import LoopConfig
from step_audio_mini.train.mindbatch import Example, MindBatch, collate, example
from step_audio_mini.train.mindtexts import MindTexts
from step_audio_mini.train.people import said_by_people
from step_audio_mini.types import Language

GROUP = 4
"""Steps whose turns are drawn together."""
# weight of a wrong choice: state and call decide what happens, style only colours it
_WEIGHT = {Role.STYLE: 0.2, Role.REPLY: 0.2}


@dataclass(frozen=True)
class MindData:
    """Where the mind's training data comes from."""

    texts: Path
    """Folder of the text packs (lm_text, msbot, nlu_en, lex_en, lex_zh)."""
    pieces: Path
    """The sub-word model (`train_pieces` makes it)."""
    packs: tuple[str, ...] = ("home", "clock-weather", "coffee")
    mixtures: tuple[tuple[str, ...], ...] = (("home",), ("clock-weather",), ("coffee",), ("home", "clock-weather"))
    shares: tuple[float, ...] = (0.36, 0.22, 0.17, 0.25)
    homes: int = 12
    """Variants of each mixture whose open lists hold invented names."""


class Setting:
    """One pack as one simulated household has it: its reader and its people, in one split.

    What `others` are for is none of this pack's business.
    """

    def __init__(self, pack: Pack, pieces: SentencePieces, texts: MindTexts, others: Sequence[Pack] = ()) -> None:
        values = Values(pack)
        foreign = {language: list(_foreign(others, language, texts)) for language in pack.languages}
        sources = Sources(
            texts.messages,
            {language: texts.elsewhere[language] + foreign[language] for language in pack.languages},
            said_by_people(texts.folder, texts.split, pack, values),
        )
        self.person = Person(pack, texts.split, sources)
        # hints never know the phrasings that are held out
        self.reader = Reader(pack, values, pieces, "train")


def _foreign(others: Sequence[Pack], language: Language, texts: MindTexts) -> Iterator[str]:
    rng = random.Random(3)
    for pack in others:
        if language in pack.languages:
            phrases = Phrases(pack, texts.split, texts.messages)
            for number in range(1000):
                said = phrases.request(pack.intent_names[number % len(pack.intents)], language, rng)
                if said:
                    yield join_units(said.units)


class MindRecipe:
    """Batches of generated turns, all choices at once (teacher forcing), cross-entropy over what the grammar allows."""

    name = "mind"

    def __init__(self, data: MindData, *, seed: int = 1, width: int = 192, turns: int = 48, ears: int = 192) -> None:
        self.data, self.seed, self.turns = data, seed, turns
        self.pieces = SentencePieces(data.pieces.read_bytes())
        self.config = MindConfig(pieces=len(self.pieces), width=width, ears=ears)
        self._texts = MindTexts(data.texts, "train")
        self._group: tuple[int, list[Example]] = (-1, [])

    def build(self) -> nn.Module:
        """A fresh network."""
        return MindNet(self.config)

    @cached_property
    def confusion(self) -> Confusion:
        """The channel; its words are those of the packs."""
        return confusion_from_lexicons(self.data.texts, words_of_packs(self))

    @cached_property
    def settings(self) -> list[list[Setting]]:
        """For each mixture the shipped pack, then its variants."""
        rng = random.Random(self.seed)
        made = []
        for mixture in self.data.mixtures:
            pack, others = self.packs_of(mixture)
            variants = (
                [invented(pack, self._texts, rng) for _ in range(self.data.homes)] if "coffee" not in mixture else []
            )
            made.append([Setting(p, self.pieces, self._texts, others) for p in (pack, *variants)])
        return made

    def packs_of(self, mixture: Sequence[str]) -> tuple[Pack, list[Pack]]:
        """The packs of a mixture as one, and the others."""
        others = [load_pack(name) for name in self.data.packs if name not in mixture]
        return join([load_pack(name) for name in mixture]), others

    def batch(self, step: int) -> MindBatch:
        """The turns of a step; `GROUP` steps share a mixture and split its turns by length: little is padding."""
        group, place = divmod(step, GROUP)
        rng = random.Random(f"{self.seed} {group}")
        settings = rng.choices(self.settings, self.data.shares)[0]
        order = rng.sample(range(GROUP), GROUP)
        if self._group[0] != group:
            self._group = group, self._turns(settings, rng)
        first = order[place] * self.turns
        return collate(self._group[1][first : first + self.turns], settings[0].reader, self.config.ears)

    def _turns(self, settings: Sequence[Setting], rng: random.Random) -> list[Example]:
        """Turns of a group, shortest first; households mixed half and half shipped and invented."""
        examples: list[Example] = []
        while len(examples) < GROUP * self.turns:
            setting = settings[0] if rng.random() < 0.5 else rng.choice(settings)
            for turn in setting.person.dialogue(rng):
                examples.append(example(turn, setting.reader, self.confusion, rng))
        return sorted(examples[: GROUP * self.turns], key=lambda e: len(e.reading.pieces))

    def loss(self, model: nn.Module, batch: MindBatch) -> tuple[Tensor, dict[str, float]]:
        """Mean cross-entropy of the free choices."""
        assert isinstance(model, MindNet)
        scores = choice_scores(model, batch)
        nats = functional.cross_entropy(
            scores.flatten(0, 1), batch.targets.flatten(), ignore_index=-100, reduction="none"
        )
        weights = torch.tensor([_WEIGHT.get(role, 1.0) for role in Role])[batch.roles.flatten()]
        weights = weights * (batch.targets.flatten() >= 0)
        right = (scores.argmax(-1) == batch.targets).flatten()[batch.targets.flatten() >= 0]
        return (nats * weights).sum() / weights.sum(), {"right": float(right.float().mean())}

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Choices of held-out phrasings and values, teacher-forced: nats, then shares of right choices by role."""
        assert isinstance(model, MindNet)
        figures: dict[str, float] = {"nats": 0.0}
        count: dict[str, list[float]] = {}
        for batch in self.dev:
            loss, _ = self.loss(model, batch)
            figures["nats"] += float(loss) / len(self.dev)
            right = choice_scores(model, batch).argmax(-1) == batch.targets
            for role in Role:
                told = right[(batch.roles == role) & (batch.targets >= 0)]
                count.setdefault(role.name.lower(), []).extend(told.float().tolist())
        return figures | {name: sum(v) / len(v) for name, v in count.items() if v}

    @cached_property
    def dev(self) -> Sequence[MindBatch]:
        """Fixed batches of the dev split, through the channel."""
        texts = MindTexts(self.data.texts, "dev")
        batches = []
        for number, mixture in enumerate(self.data.mixtures):
            pack, others = self.packs_of(mixture)
            setting = Setting(pack, self.pieces, texts, others)
            rng = random.Random(1000 + number)
            examples: list[Example] = []
            while len(examples) < 80:
                examples += [example(t, setting.reader, self.confusion, rng) for t in setting.person.dialogue(rng)]
            batches.append(collate(examples[:80], setting.reader, self.config.ears))
        return batches


def words_of_packs(recipe: MindRecipe) -> set[str]:
    """Units that people say to the recipe's packs, from a few thousand sentences."""
    pack, rng = join([load_pack(name) for name in recipe.data.packs]), random.Random(recipe.seed)
    phrases = Phrases(pack, "train", {})
    drawn = (
        phrases.request(rng.choice(pack.intent_names), language, rng)
        for _ in range(3000)
        for language in pack.languages
    )
    return {unit for said in drawn if said for unit in said.units}


def choice_scores(model: MindNet, batch: MindBatch) -> Tensor:
    """(B, Q, C) scores with what the grammar forbids at -1e4."""
    memory = model.encode(batch.inputs)
    cache = model.empty_cache(len(batch.previous)).to(batch.previous.device)
    scores, _ = model.decode(memory, batch.previous, batch.roles, cache)
    return scores.masked_fill(~batch.allowed, -1e4)


def invented(pack: Pack, texts: MindTexts, rng: random.Random) -> Pack:
    """The same pack in another household: every list that users own holds invented names."""
    values = {}
    for name, kind in pack.types.items():
        if kind.kind != "list" or not kind.open:
            continue
        forms = {language: texts.names(language, rng, 16) for language in pack.languages}
        kept = [v for v in kind.values if rng.random() < 0.3]
        values[name] = kept + [
            Value(
                value=f"v{i}",
                en=[forms["en"][i]] if "en" in forms else [],
                zh=[forms["zh"][i]] if "zh" in forms else [],
            )
            for i in range(rng.randint(6, 16))
        ]
    return pack.with_values(values)


@dataclass(frozen=True)
class Options:
    """What can be set of the mind beside the loop."""

    size: int = 192
    """Width of the network, a multiple of 64: the one dial."""
    turns: int = 48
    """Turns of dialogues in a batch."""
    pieces: str = ""
    """The sub-word model; made from the texts, and kept beside them, when not given."""


LOOP = LoopConfig(steps=6000, rate=1.2e-3, warmup=100, ema=0.995, evaluate_every=250)


def make(data: Path, options: Options) -> MindRecipe:
    """The recipe over a folder of text packs."""
    pieces = Path(options.pieces) if options.pieces else data / "mind_pieces.model"
    found = MindData(data, pieces)
    if not pieces.exists():
        if options.pieces:
            raise UserError(f"no sub-word model at {pieces}; leave `pieces` out to have one made")
        beside = pieces.with_suffix(".part")
        beside.write_bytes(train_pieces(found))
        beside.replace(pieces)
    return MindRecipe(found, width=options.size, turns=options.turns)


def train_pieces(data: MindData, size: int = 4500, seed: int = 1) -> bytes:
    """A sub-word model over units of general sentences and of the packs' own; every Han character stands alone."""
    import sentencepiece  # slow to import

    texts, rng = MindTexts(data.texts, "train"), random.Random(seed)
    lines = [" ".join(split(s)) for found in texts.elsewhere.values() for s in found]
    setting_pack = join([load_pack(p) for p in data.packs])
    person = Person(setting_pack, "train", Sources(texts.messages, texts.elsewhere))
    lines += [" ".join(t.said.units) for _ in range(8000) for t in person.dialogue(rng)]
    for intent in setting_pack.intents.values():
        lines += [" ".join(split(text)) for text in intent.describe.values()] * 5
    target = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=target, vocab_size=size, model_type="unigram",
        character_coverage=0.9995, normalization_rule_name="identity", bos_id=-1, eos_id=-1, pad_id=-1, unk_id=0,
        split_digits=True, num_threads=1, minloglevel=2, seed_sentencepiece_size=200_000,
    )  # fmt: skip
    return target.getvalue()
