"""What `/v1/models` tells of the packs behind a name, so that a page can say what to ask for."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from step_audio_mini.think.pack import Pack
from step_audio_mini.think.phrases import Phrases
from step_audio_mini.think.units import join
from step_audio_mini.types import Language

EXAMPLES = 4
"""Sentences to try, in each language."""
_DRAWN, _LENGTH = 24, 6
"""Phrasings of an intent to choose from, and the words of the one wanted."""
_BETWEEN: dict[Language, str] = {"en": "; ", "zh": "；"}


def about(packs: Sequence[Pack], *, examples: bool) -> dict[str, Any]:
    """Languages they are spoken to in; in words what they are about, each thing they can do, and sentences to try."""
    languages = [name for name in ("en", "zh") if any(name in pack.languages for pack in packs)]
    told: dict[str, Any] = {"languages": languages, "about": {}, "can": {}}
    for name, between in _BETWEEN.items():
        described = [pack.describe[name] for pack in packs if name in pack.describe]
        can = [intent.describe.get(name) for pack in packs for intent in pack.intents.values()]
        told["about"] |= {name: between.join(described)} if described else {}
        told["can"] |= {name: list(dict.fromkeys(filter(None, can)))} if any(can) else {}
    if examples:
        told["examples"] = {name: _examples(packs, name) for name in _BETWEEN if name in languages}
    return told


def _examples(packs: Sequence[Pack], language: Language) -> list[str]:
    """The same ones every time, of each pack in turn."""
    queues = [_sentences(pack, language) for pack in packs if language in pack.languages]
    longest = max(map(len, queues), default=0)
    turns = [queue[place] for place in range(longest) for queue in queues if place < len(queue)]
    return turns[:EXAMPLES]


def _sentences(pack: Pack, language: Language) -> list[str]:
    """A usual sentence of each intent, that leaves nothing to be asked, where there is one."""
    phrases, found = Phrases(pack, None, {}), []
    for name, intent in pack.intents.items():
        if language not in intent.sentences:
            continue
        rng = random.Random(1)
        drawn = [phrases.request(name, language, rng, usual=True) for _ in range(_DRAWN)]
        whole = [said for said in drawn if said and not intent.missing(said.values)]
        if whole:
            best = min(whole, key=lambda said: (-min(len(said.values), 2), abs(len(said.units) - _LENGTH)))
            found.append(join(best.units))
    return found
