"""Recipes by name, and `key=value` settings for them: what `step-audio train` can train and how it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from step_audio_mini.errors import UserError

if TYPE_CHECKING:
    from step_audio_mini.train.loop import LoopConfig, Recipe

RECIPES = {
    "ears": "speech to phone posteriors and vectors",
    "mind": "words to state, tool call, reply and style, from generated dialogues",
    "join": "the mind again, over what the ears really give",
    "voice": "phones to mel, F0 and energy",
    "vocoder": "mel and F0 to samples",
    "speaker": "speech to who speaks: embedding, gender, age band, language",
}
"""Name of each recipe (a module of `train/recipes`) and what it trains."""


class RecipeModule(Protocol):
    """What a module of `train/recipes` offers."""

    Options: type[Any]
    """A frozen dataclass of what can be set beside the loop; every field has a default."""
    LOOP: LoopConfig

    def make(self, data: Path, options: Any) -> Recipe:
        """The recipe over a folder of prepared data."""


def recipe_module(name: str) -> RecipeModule:
    """The module of a recipe."""
    if name not in RECIPES:
        raise UserError(f"no recipe '{name}'; there are {', '.join(RECIPES)}")
    return cast(RecipeModule, import_module(f"step_audio_mini.train.recipes.{name}"))


def set_up(name: str, data: Path, settings: Mapping[str, str]) -> tuple[Recipe, LoopConfig]:
    """A recipe and its loop with settings applied; a key is looked for in the recipe's options, then in the loop."""
    module = recipe_module(name)
    options, loop = module.Options(), module.LOOP
    own, general = ({f.name for f in fields(thing)} for thing in (options, loop))
    for key, text in settings.items():
        if key in own:
            options = replace(options, **{key: _parsed(key, text, getattr(options, key))})
        elif key in general:
            loop = replace(loop, **{key: _parsed(key, text, getattr(loop, key))})
        else:
            raise UserError(f"{name} has no setting '{key}'; there are {', '.join(sorted(own | general))}")
    return module.make(data, options), loop


def _parsed(key: str, text: str, default: Any) -> Any:
    """The text as the default's type."""
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[text.lower()]
        return type(default)(text)
    except (KeyError, ValueError):
        raise UserError(f"setting {key}={text} is no {type(default).__name__}; mend the value") from None
