"""`step-audio train`: run a recipe in a folder, with progress and time left; run it again to go on where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from step_audio_mini.errors import UserError


def train(
    recipe: Annotated[str, typer.Argument(help="ears, mind, join, voice or vocoder")],
    data: Annotated[Path, typer.Option(help="folder of prepared data (step-audio prepare)")],
    out: Annotated[Path, typer.Option(help="folder of the run; an old run in it goes on")],
    start: Annotated[Path | None, typer.Option(help="run whose weights a new run starts from")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="key=value, of the recipe or the loop")] = None,
    until: Annotated[int | None, typer.Option(help="stop after this step")] = None,
) -> None:
    """Train a part of the model. Stop it at any time: the same command goes on from the last step."""
    from rich.console import Console

    from step_audio_mini.train.loop import Progress, Trainer
    from step_audio_mini.train.registry import set_up

    chosen, loop = set_up(recipe, data, pairs_of(settings or []))
    trainer = Trainer(chosen, loop, out)
    if start is not None and trainer.step == 0:
        trainer.start_from(start)
    console = Console()

    def tell(progress: Progress) -> None:
        figures = "  ".join(f"{name} {value:.4g}" for name, value in progress.figures.items())
        minutes = progress.seconds_left / 60
        console.print(f"step {progress.step}/{progress.steps}  {minutes:.0f} min left  {figures}", highlight=False)

    figures = trainer.run(tell, until)
    console.print("  ".join(f"{name} {value:.4g}" for name, value in figures.items()), highlight=False)


def pairs_of(settings: list[str]) -> dict[str, str]:
    """`key=value` texts as a mapping."""
    out = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise UserError(f"{setting} is not NAME=VALUE")
        out[key] = value
    return out
