"""Writes the mind's test sets: phrasings, dialogues and foreign sentences that training never sees, as JSON lines.

The sets are a pure function of the packs and the test split of the texts; `packs/held_out.jsonl` is the copy that the
evaluation reads. Each line is one dialogue: kind, packs, language and turns with what was said and what is right.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from step_audio_mini.think.pack import Pack, join
from step_audio_mini.think.pack_file import load_pack
from step_audio_mini.think.state import Dialogue
from step_audio_mini.think.units import join as join_units
from step_audio_mini.think.values import Values
from step_audio_mini.train.dialogues import Person, Shape, Sources, Turn
from step_audio_mini.train.mindtexts import MindTexts
from step_audio_mini.train.people import said_by_people
from step_audio_mini.types import Language

Row = dict[str, Any]
EVERYDAY = ("home", "clock-weather")
PHRASINGS, DIALOGUES, FOREIGN = 100, 60, 110
"""Lines of each kind for each language."""
_STEADY = Shape(unsure=0.0, elsewhere=0.06, people=0.0)


def held_out(texts: Path) -> Iterator[Row]:
    """All lines: phrasings, dialogues of two to four turns, orders, words of real people, and what no pack is for."""
    test = MindTexts(texts, "test")
    pack = join([load_pack(name) for name in EVERYDAY])
    person = _person(pack, test)
    languages: tuple[Language, ...] = ("en", "zh")
    for language in languages:
        yield from _phrasings(pack, person, language)
        yield from _dialogues(person, EVERYDAY, language)
    coffee = _person(load_pack("coffee"), test)
    yield from _dialogues(coffee, ("coffee",), "en")
    yield from _real(pack, test)
    for language in languages:
        yield from _foreign(test, language)


def write_held_out(texts: Path, target: Path) -> int:
    """Write the file, one JSON object a line; returns how many."""
    lines = [json.dumps(row, ensure_ascii=False) for row in held_out(texts)]
    beside = target.with_suffix(".part")
    beside.write_text("\n".join(lines) + "\n", encoding="utf-8")
    beside.replace(target)
    return len(lines)


def _person(pack: Pack, texts: MindTexts) -> Person:
    return Person(pack, texts.split, Sources(texts.messages, texts.elsewhere), _STEADY)


def _row(kind: str, packs: Sequence[str], language: Language, turns: Sequence[Turn]) -> Row:
    said = [
        {
            "said": join_units(turn.said.units),
            "act": turn.act,
            "intent": turn.state.intent,
            "slots": dict(turn.state.slots),
            "call": turn.call == "call",
        }
        for turn in turns
    ]
    return {"kind": kind, "packs": list(packs), "language": language, "turns": said}


def _phrasings(pack: Pack, person: Person, language: Language) -> Iterator[Row]:
    """The same number of every intent, as far as it has held-out phrasings; every phrasing once."""
    rng, seen, number = random.Random(f"phrasings {language}"), set[str](), 0
    for attempt in range(40 * PHRASINGS):
        name = pack.intent_names[attempt % len(pack.intents)]
        said = person.phrases.request(name, language, rng)
        if said is None or said.key in seen:
            continue
        seen.add(said.key)
        number += 1
        yield _row("phrasing", EVERYDAY, language, [person.request_turn(Dialogue(language=language), said, name)])
        if number == PHRASINGS:
            return


def _dialogues(person: Person, packs: Sequence[str], language: Language) -> Iterator[Row]:
    rng, number = random.Random(f"dialogues {packs} {language}"), 0
    while number < DIALOGUES:
        turns = person.dialogue(rng, language)
        if 2 <= len(turns) <= 4:
            number += 1
            yield _row("dialogue", packs, language, turns)


def _real(pack: Pack, texts: MindTexts) -> Iterator[Row]:
    """Words of real people in collections: only their intent is known for certain."""
    found = said_by_people(texts.folder, texts.split, pack, Values(pack))
    rng = random.Random("real")
    for (name, language), utterances in sorted(found.items()):
        if name in pack.intents:
            for said in rng.sample(utterances, min(20, len(utterances))):
                turn = {"said": join_units(said.units), "act": "request", "intent": name}
                yield {"kind": "people", "packs": list(EVERYDAY), "language": language, "turns": [turn]}


def _foreign(texts: MindTexts, language: Language) -> Iterator[Row]:
    rng = random.Random(f"foreign {language}")
    for sentence in rng.sample(texts.elsewhere[language], FOREIGN):
        turn: Row = {"said": sentence, "act": "out_of_scope", "intent": None, "slots": {}, "call": False}
        yield {"kind": "foreign", "packs": list(EVERYDAY), "language": language, "turns": [turn]}
