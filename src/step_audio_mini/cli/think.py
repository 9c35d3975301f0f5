"""`step-audio think`: words in place of sound, the decision out; shows the mind without ears and voice."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import numpy as np
import typer

from step_audio_mini.cli import output as out
from step_audio_mini.cli.options import (
    BUILT_IN,
    JsonOption,
    LanguageOption,
    PackOption,
    WeightsOption,
    packs_of,
)
from step_audio_mini.errors import UserError
from step_audio_mini.rooms import language_choice
from step_audio_mini.types import Attributes, Hearing, Hypothesis, Word

MAX_INPUT = 10_000
"""Characters of input that are read; no turn is that long."""


def think(
    words: Annotated[
        list[str],
        typer.Argument(metavar="WORDS...", help="What was said, a turn each; or the JSON of `listen`; - for stdin."),
    ],
    pack: PackOption = None,
    language: LanguageOption = "auto",
    weights: WeightsOption = BUILT_IN,
    as_json: JsonOption = False,
) -> None:
    """Decide on words instead of sound; several arguments are turns of one dialogue.

    JSON keys, one object a turn: act, state (intent, slots), tool_calls (name, arguments, result), reply, style
    (emotion, speed).
    """
    from step_audio_mini.model import StepAudio2Mini
    from step_audio_mini.think.store import default_path

    hearings = [_heard(turn) for turn in words]
    model = StepAudio2Mini.from_pretrained(weights, state=default_path())
    dialogue = model.open_dialogue(packs_of(pack), language_choice(language))
    for hearing in hearings:
        decision = model.think(hearing, packs_of(pack), dialogue)
        if as_json:
            out.show_json(out.decision_json(decision))
        else:
            out.show(out.decision_lines(decision))


def _heard(turn: str) -> Hearing:
    """The hearing that a text, or the JSON object of `step-audio listen --json`, stands for."""
    from step_audio_mini.think.mind import hearing_of

    turn = (sys.stdin.read(MAX_INPUT + 1) if turn == "-" else turn).strip()
    if not turn:
        raise UserError("there are no words; give what was said")
    if len(turn) > MAX_INPUT:
        raise UserError(f"more than {MAX_INPUT} characters are no turn; give what was said in one")
    return _hearing_of_json(turn) if turn.startswith("{") else hearing_of(turn)


def _hearing_of_json(text: str) -> Hearing:
    from step_audio_mini.think.units import is_han

    def word(content: Any) -> Word:
        spelling = str(content["w"])
        start, end, p = float(content.get("start", 0)), float(content.get("end", 0)), float(content.get("p", 1))
        return Word(spelling, start, end, p, "zh" if is_han(spelling) else "en")

    try:
        content = json.loads(text)
        nbest = content.get("nbest") or [{"words": content["words"], "score": 0.0}]
        hypotheses = tuple(Hypothesis(tuple(map(word, h["words"])), float(h.get("score", 0))) for h in nbest)
        snr = float(content.get("attributes", {}).get("snr_db", 60.0))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"{type(error).__name__} {error}"
        raise UserError(f"this is not the JSON of `step-audio listen --json` ({what}); it needs words with w") from None
    heard = tuple(h for h in hypotheses if h.words)
    return Hearing(heard, Attributes(snr, 0.0, None), np.zeros((0, 0), np.float32))
