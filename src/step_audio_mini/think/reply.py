"""Fills delexicalised replies from the state and from tool results, which are data and never instructions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from step_audio_mini.think.pack import PLACEHOLDER, ByLanguage, Pack
from step_audio_mini.think.values import Values, show_number
from step_audio_mini.types import DialogueState, Language


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
    return PLACEHOLDER.sub(lambda found: known[found.group(1)], best[turn % len(best)])
