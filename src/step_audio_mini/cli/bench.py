"""`step-audio bench`: what listening, speaking, a whole turn and many calls at once cost on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from step_audio_mini.cli import output
from step_audio_mini.cli.evaluate import line_of
from step_audio_mini.cli.options import BUILT_IN, JsonOption, WeightsOption
from step_audio_mini.errors import UserError
from step_audio_mini.evaluate.results import Results, Row


def bench(
    part: Annotated[str, typer.Argument(metavar="talk|listen|speak|load", help="what to measure")],
    recordings: Annotated[
        list[Path] | None, typer.Argument(metavar="IN.wav...", help="recordings of one turn each; load takes several")
    ] = None,
    pack: Annotated[str, typer.Option("--pack", "-p", help="scenario that is loaded")] = "home",
    weights: WeightsOption = BUILT_IN,
    calls: Annotated[str, typer.Option(help="load: numbers of calls at once")] = "1,2,4,6,8,10,12,16,20,24,32",
    seconds: Annotated[float, typer.Option(min=1.0, help="load: how long each number of calls talks")] = 60.0,
    out: Annotated[Path | None, typer.Option(help="write the result file here too")] = None,
    as_json: JsonOption = False,
) -> None:
    """Real-time factor, stages of a turn, memory and cold start, as medians of five runs in processor time.

    load: people who talk at the same time to one worker, in real time; time to the first sound, and how many it holds.
    """
    from step_audio_mini.evaluate import speed

    if part not in ("talk", "listen", "speak", "load"):
        raise UserError(f"nothing called {part!r} to measure; use load, talk, listen or speak")
    recordings = [] if part == "speak" else recordings or []
    if part != "speak" and not recordings:
        raise UserError(f"bench {part} needs a recording: step-audio bench {part} IN.wav")
    if part in ("talk", "listen") and len(recordings) > 1:
        raise UserError(f"bench {part} takes one recording; give several to bench load")
    if part == "load":
        rows, options = _load_rows(recordings, pack, weights, _numbers(calls), seconds)
    else:
        rows, options = _rows(part, recordings, pack, weights), ""
    names = "".join(f" {recording.name}" for recording in recordings)
    arguments = f"{names} --pack {pack}{options}" if recordings else ""
    facts = {"machine": speed.machine(), "memory": f"{speed.peak_megabytes():.0f} MB at most, this process"}
    results = Results("bench", f"step-audio bench {part}{arguments}", tuple(rows), facts)
    if out:
        results.write(out)
    if as_json:
        output.show_json(results.to_json())
    else:
        output.show([*facts.items(), *map(line_of, rows)])


def _rows(part: str, recordings: Sequence[Path], pack: str, weights: str) -> list[Row]:
    """One thing at a time."""
    from step_audio_mini.audio import file
    from step_audio_mini.evaluate import speed
    from step_audio_mini.model import StepAudio2Mini

    model = StepAudio2Mini.from_pretrained(weights)
    if part == "speak":
        return speed.speak_rows(model)
    if part == "listen":
        return speed.listen_rows(model, [file.read(recordings[0])], pack)
    return speed.talk_rows(model, recordings[0], pack, weights)


def _load_rows(
    recordings: Sequence[Path], pack: str, weights: str, counts: Sequence[int], seconds: float
) -> tuple[list[Row], str]:
    """Many calls at once, and the options that say how many."""
    from step_audio_mini.audio import file
    from step_audio_mini.evaluate import load
    from step_audio_mini.rooms import TrainedRooms
    from step_audio_mini.runtime.manifest import Weights
    from step_audio_mini.serve.worker import Worker

    sounds = [file.read(recording) for recording in recordings]
    rooms = TrainedRooms(Weights.open(weights), None, {}, None)
    rungs = asyncio.run(load.climb(lambda: Worker(rooms), sounds, pack, counts, seconds))
    held = asyncio.run(load.idle_megabytes(lambda: Worker(rooms), pack))
    rows = load.load_rows(rungs, held, f"{len(sounds)} recordings, {seconds:g} s each, pack {pack}")
    return rows, f" --calls {','.join(map(str, counts))} --seconds {seconds:g}"


def _numbers(text: str) -> list[int]:
    """Numbers of calls, upwards; UserError for anything else."""
    try:
        numbers = sorted({int(number) for number in text.split(",")})
    except ValueError:
        numbers = []
    if not numbers or numbers[0] < 1:
        raise UserError(f"--calls {text!r} are no numbers of calls; write 1,2,4")
    return numbers
