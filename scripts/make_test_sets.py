"""Draws the held-out test sets of the mind from phrasings and values that its training never sees, once and for all.

    python scripts/make_test_sets.py --texts DIR        (DIR holds the text packs lm_text, msbot, nlu_en)

The files are part of the repository: a later change of a pack or of the generator does not change what is measured.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from step_audio_mini.think.pack_file import load_pack
from step_audio_mini.think.state import Dialogue
from step_audio_mini.think.units import join
from step_audio_mini.train.dialogues import Person, Turn, after
from step_audio_mini.train.mindtexts import MindTexts
from step_audio_mini.types import Language

OUT = Path(__file__).parent.parent / "src" / "step_audio_mini" / "evaluate" / "sets"
PHRASINGS = (("home", "en", 60), ("home", "zh", 60), ("clock-weather", "en", 40), ("clock-weather", "zh", 40))
DIALOGUES = (
    ("home", "en", 30), ("home", "zh", 30), ("clock-weather", "en", 20), ("clock-weather", "zh", 20),
    ("coffee", "en", 20),
)  # fmt: skip
IDLE = (("home", "en", 70), ("home", "zh", 70), ("clock-weather", "en", 30), ("clock-weather", "zh", 30))
"""(pack, language, how many) of each set."""


class Sure(random.Random):
    """Dice of an assistant that is always sure and whose tools never fail."""

    def random(self) -> float:
        """Never small."""
        return 0.99


def written(units: Sequence[str]) -> str:
    """Units as a sentence; a plural `s` that a template cut off is put back."""
    return re.sub(r"(?<=[a-z]) s\b", "s", join(units))


def phrasings(person: Person, language: Language, count: int, rng: random.Random) -> Iterator[dict[str, Any]]:
    """Complete first requests, every intent in turn, no text twice."""
    names = [name for name, intent in person.pack.intents.items() if language in intent.sentences]
    seen: set[str] = set()
    for step in range(count * 200):
        if len(seen) == count:
            return
        said = person.phrases.request(names[step % len(names)], language, rng)
        if said is None or written(said.units) in seen:
            continue
        name = names[step % len(names)]
        intent, text = person.pack.intents[name], written(said.units)
        if intent.missing(said.values) or "message" in said.values:
            continue
        seen.add(text)
        slots = {slot: said.values[slot] for slot in intent.slots if slot in said.values}
        yield {"text": text, "intent": name, "slots": slots, "tool": intent.tool}


def dialogue(person: Person, language: Language, rng: random.Random, idle: bool) -> list[Turn]:
    """Two to four turns; with `idle`, one or two of which none asks for a call."""
    memory, turns = Dialogue(language=language), list[Turn]()
    for _ in range(rng.choice([1, 2]) if idle else rng.choice([2, 2, 3, 4])):
        turn = person._next(memory, language, rng)
        if turn is None or (idle and turn.call not in ("none", "ask")):
            break
        turns.append(turn)
        memory = after(person.pack, turn, Sure())
    return turns


def dialogues(
    person: Person, language: Language, count: int, rng: random.Random, idle: bool, seen: set[str]
) -> Iterator[dict[str, Any]]:
    """Dialogues not `seen` before; idle ones are mostly sentences that are none of the pack's business."""
    enough = len(seen) + count
    while len(seen) < enough:
        turns = dialogue(person, language, rng, idle)
        texts = [written(turn.said.units) for turn in turns]
        if len(turns) < (1 if idle else 2) or "/".join(texts) in seen or any("message" in t.slots for t in turns):
            continue
        if idle and turns[0].act != "out_of_scope" and rng.random() < 0.8:
            continue
        if idle and any(turn.intent and turn.call == "none" for turn in turns):
            continue
        seen.add("/".join(texts))
        rows = [
            {
                "text": text,
                "act": turn.act,
                "intent": turn.state.intent,
                "slots": dict(turn.state.slots),
                "call": turn.call,
            }
            for text, turn in zip(texts, turns, strict=True)
        ]
        yield {"turns": rows}


def write(name: str, rows: list[dict[str, Any]]) -> None:
    """One JSON object a line, numbered."""
    OUT.mkdir(exist_ok=True)
    lines = (json.dumps({"id": f"{name}-{n:03d}"} | row, ensure_ascii=False) + "\n" for n, row in enumerate(rows))
    (OUT / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    print(f"{name}: {len(rows)}")


def main() -> None:
    """Write the three sets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, required=True)
    texts = MindTexts(parser.parse_args().texts, "test")
    people = {
        name: Person(load_pack(name), "test", texts.messages, texts.elsewhere)
        for name in ("home", "clock-weather", "coffee")
    }
    rng = random.Random(2026)
    plans = {"phrasings": PHRASINGS, "dialogues": DIALOGUES, "idle": IDLE}
    for name, plan in plans.items():
        rows: list[dict[str, Any]] = []
        seen: set[str] = set()
        for pack, language, count in plan:
            if name == "phrasings":
                made = phrasings(people[pack], language, count, rng)
            else:
                made = dialogues(people[pack], language, count, rng, name == "idle", seen)
            rows += [{"pack": pack, "lang": language} | row for row in made]
        write(name, rows)


if __name__ == "__main__":
    main()
