"""`step-audio bench`: what listening, speaking and a whole turn cost on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from step_audio_mini.cli import output
from step_audio_mini.cli.evaluate import line_of
from step_audio_mini.cli.options import BUILT_IN, JsonOption, WeightsOption
from step_audio_mini.errors import UserError


def bench(
    part: Annotated[str, typer.Argument(metavar="talk|listen|speak", help="what to measure")],
    recording: Annotated[Path | None, typer.Argument(metavar="IN.wav", help="a recording of one turn")] = None,
    pack: Annotated[str, typer.Option("--pack", "-p", help="scenario that is loaded")] = "home",
    weights: WeightsOption = BUILT_IN,
    out: Annotated[Path | None, typer.Option(help="write the result file here too")] = None,
    as_json: JsonOption = False,
) -> None:
    """Medians of five runs in processor time: real-time factor, stages of a turn, memory, cold start."""
    from step_audio_mini.audio import file
    from step_audio_mini.evaluate import speed
    from step_audio_mini.evaluate.results import Results
    from step_audio_mini.model import StepAudio2Mini

    if part not in ("talk", "listen", "speak"):
        raise UserError(f"nothing called {part!r} to measure; use talk, listen or speak")
    if part != "speak" and recording is None:
        raise UserError(f"bench {part} needs a recording: step-audio bench {part} IN.wav")
    model = StepAudio2Mini.from_pretrained(weights)
    if part == "speak" or recording is None:
        rows = speed.speak_rows(model)
    elif part == "listen":
        rows = speed.listen_rows(model, [file.read(recording)], pack)
    else:
        rows = speed.talk_rows(model, recording, pack, weights)
    arguments = "" if recording is None or part == "speak" else f" {recording.name} --pack {pack}"
    facts = {"machine": speed.machine(), "memory": f"{speed.peak_megabytes():.0f} MB at most, this process"}
    results = Results("bench", f"step-audio bench {part}{arguments}", tuple(rows), facts)
    if out:
        results.write(out)
    if as_json:
        output.show_json(results.to_json())
    else:
        output.show([*facts.items(), *map(line_of, rows)])
