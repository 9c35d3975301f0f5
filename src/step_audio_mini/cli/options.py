"""Arguments and options that several commands share, with one wording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from step_audio_mini.runtime import manifest

BUILT_IN = manifest.BUILT_IN

PackOption = Annotated[
    list[str] | None,
    typer.Option("--pack", "-p", help="Scenario, or a folder with a pack.yaml; may be given again (default: home)."),
]
LanguageOption = Annotated[str, typer.Option("--language", "-l", metavar="[auto|zh|en]", help="Language spoken.")]
VoiceOption = Annotated[str | None, typer.Option("--voice", help="Voice of the answer, for the language it speaks.")]
WeightsOption = Annotated[str, typer.Option("--weights", metavar="NAME|FOLDER", help="Weights of the model.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of words.")]
HotWordOption = Annotated[
    list[str] | None,
    typer.Option("--hot-word", help="A name to prefer, or 'NAME = how it sounds'; may be given again."),
]
HotWordsOption = Annotated[Path | None, typer.Option("--hot-words", metavar="FILE", help="Hot words, one a line.")]
SoundArgument = Annotated[Path, typer.Argument(metavar="IN.wav", help="A recording of one turn, in any sound format.")]
OutputOption = Annotated[Path, typer.Option("--output", "-o", metavar="OUT.wav", help="Where the answer goes.")]


def packs_of(option: list[str] | None) -> list[str]:
    """The packs of --pack."""
    return option or ["home"]


def hot_words_of(words: list[str] | None, file: Path | None) -> list[str]:
    """The lines of --hot-word and --hot-words."""
    from step_audio_mini.listen.hotwords import read_lines

    return [*(words or []), *(read_lines(file) if file else [])]
