"""Fills delexicalised replies from the state and from tool results, which are data and never instructions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml

from step_audio_mini.think.pack import PLACEHOLDER, ByLanguage, Pack
from step_audio_mini.think.values import Values, show_number
from step_audio_mini.types import DialogueState, Language

TWO_STOPS = re.compile(r"(?<!\.)\.\.(?!\.)")
"""A value that ends in a full stop ("a.m.") at the end of a sentence."""


@cache
def repair() -> Mapping[str, Mapping[str, ByLanguage]]:
    """What every pack shares: `sentences` of repair acts, words `around` any request, and `replies`."""
    file = Path(__file__).parent.parent / "packs" / "repair.yaml"
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")))


class Replies:
    """The replies of a loaded pack."""

    def __init__(self, pack: Pack, values: Values) -> None:
        self._pack, self._values = pack, values

    def shared(self, name: str, language: Language, turn: int, heard: str = "") -> str:
        """A reply that no intent owns: `not_understood`, `out_of_scope`, ..."""
        by_language = self._pack.replies.get(name) or repair()["replies"][name]
        variants = by_language.get(language) or repair()["replies"][name][language]
        return variants[turn % len(variants)].replace("[heard]", heard)

    def ask(self, slot: str, language: Language, turn: int) -> str:
        """The question for a slot."""
        questions = self._pack.slots[slot].ask
        variants = questions.get(language) or next(iter(questions.values()), [])
        return variants[turn % len(variants)] if variants else self.shared("not_understood", language, turn)

    def outcome(
        self, state: DialogueState, outcome: str, language: Language, turn: int, result: Mapping[str, Any]
    ) -> str | None:
        """The intent's reply for an outcome: the variant that can be filled and says most; None where there is none."""
        if state.intent is None:
            return None
        known = {slot: self._values.show(slot, value, language) for slot, value in state.slots.items()}
        known |= {f"result.{key}": show_number(value) for key, value in result.items()}
        by_language = self._pack.intents[state.intent].replies.get(outcome, {})
        variants = by_language.get(language) or next(iter(by_language.values()), [])
        return _fill(variants, known, turn)

    def opening(self, state: DialogueState, language: Language) -> str:
        """What a reply begins with before any result is in: "It is", where every reply that is no apology does.

        Empty where one of them tells no result: it would tell of something done that is not done yet.
        """
        known = {slot: self._values.show(slot, value, language) for slot, value in state.slots.items()}
        replies = self._pack.intents[str(state.intent)].replies
        starts: list[str] = []
        for outcome in set(replies) - {"confirm", "failed", "timeout", "unconnected"}:
            for text in replies[outcome].get(language) or next(iter(replies[outcome].values()), []):
                keys = PLACEHOLDER.findall(text)
                if any(not (key.startswith("result.") or known.get(key)) for key in keys):
                    continue
                before, result, _ = text.partition("[result.")
                if not result:
                    return ""
                starts.append(PLACEHOLDER.sub(lambda found: known[found.group(1)], before))
        columns = takewhile(lambda letters: len(set(letters)) == 1, zip(*starts, strict=False))
        shared = "".join(letters[0] for letters in columns)
        if shared not in starts and language == "en":  # not within a word
            shared = shared[: shared.rfind(" ") + 1]
        return shared if any(map(str.isalnum, shared)) else ""


def _fill(variants: Sequence[str], known: Mapping[str, str], turn: int) -> str | None:
    fits: list[tuple[int, str]] = []
    for text in variants:
        keys = PLACEHOLDER.findall(text)
        if all(known.get(key) for key in keys):
            fits.append((len(keys), text))
    if not fits:
        return None
    most = max(count for count, _ in fits)
    best = [text for count, text in fits if count == most]
    filled = PLACEHOLDER.sub(lambda found: known[found.group(1)], best[turn % len(best)])
    return TWO_STOPS.sub(".", filled)
