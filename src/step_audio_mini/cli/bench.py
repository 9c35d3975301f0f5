"""`step-audio bench`: what listening, speaking, a whole turn, a call and many at once cost on this machine."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from step_audio_mini.cli import output
from step_audio_mini.cli.evaluate import line_of
from step_audio_mini.cli.options import BUILT_IN, JsonOption, WeightsOption
from step_audio_mini.errors import UserError

if TYPE_CHECKING:
    from step_audio_mini.evaluate.results import Row
    from step_audio_mini.types import Samples

app = typer.Typer(help="Measure speed and memory.", no_args_is_help=True)

RecordingArgument = Annotated[Path, typer.Argument(metavar="IN.wav", help="recording of one turn")]
RecordingsArgument = Annotated[list[Path], typer.Argument(metavar="IN.wav...", help="recordings of one turn each")]
PackOption = Annotated[str, typer.Option("--pack", "-p", help="scenario that is loaded")]
OutOption = Annotated[Path | None, typer.Option(help="write the result file here too")]
FRAMES = 500
"""How much sound is sent to a server without models: ten seconds."""


@app.command()
def talk(
    recording: RecordingArgument,
    pack: PackOption = "home",
    weights: WeightsOption = BUILT_IN,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """A whole turn: stages, memory and cold start, as medians of five runs in processor time."""
    from step_audio_mini.evaluate import speed
    from step_audio_mini.model import StepAudio2Mini

    rows = speed.talk_rows(StepAudio2Mini.from_pretrained(weights), recording, pack, weights)
    _tell(f"talk {recording.name} --pack {pack}", rows, out, as_json)


@app.command()
def listen(
    recording: RecordingArgument,
    pack: PackOption = "home",
    weights: WeightsOption = BUILT_IN,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Listening: real-time factor, as the median of five runs in processor time."""
    from step_audio_mini.evaluate import speed
    from step_audio_mini.model import StepAudio2Mini

    rows = speed.listen_rows(StepAudio2Mini.from_pretrained(weights), _sounds([recording]), pack)
    _tell(f"listen {recording.name} --pack {pack}", rows, out, as_json)


@app.command()
def speak(weights: WeightsOption = BUILT_IN, out: OutOption = None, as_json: JsonOption = False) -> None:
    """Speaking: real-time factor, as the median of five runs in processor time."""
    from step_audio_mini.evaluate import speed
    from step_audio_mini.model import StepAudio2Mini

    _tell("speak", speed.speak_rows(StepAudio2Mini.from_pretrained(weights)), out, as_json)


@app.command()
def load(
    recordings: RecordingsArgument,
    pack: PackOption = "home",
    calls: Annotated[str, typer.Option(help="numbers of calls at once")] = "1,2,4,6,8,10,12,16,20,24,32",
    seconds: Annotated[float, typer.Option(min=1.0, help="how long each number of calls talks")] = 60.0,
    weights: WeightsOption = BUILT_IN,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """People who talk at once to one worker, in real time: time to the first sound, and how many it holds."""
    from step_audio_mini.evaluate import load as many
    from step_audio_mini.serve.worker import Worker

    counts, sounds, rooms = _numbers(calls), _sounds(recordings), _rooms(weights)
    rungs = asyncio.run(many.climb(lambda: Worker(rooms), sounds, pack, counts, seconds))
    held = asyncio.run(many.idle_megabytes(lambda: Worker(rooms), pack))
    rows = many.load_rows(rungs, held, f"{len(sounds)} recordings, {seconds:g} s each, pack {pack}")
    shown = f"--pack {pack} --calls {','.join(map(str, counts))} --seconds {seconds:g}"
    _tell(f"load {_names(recordings)} {shown}", rows, out, as_json)


@app.command()
def call(
    recordings: RecordingsArgument,
    pack: PackOption = "home",
    turns: Annotated[int, typer.Option(min=1, help="how many turns the call has")] = 100,
    weights: WeightsOption = BUILT_IN,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """One call to the server of `serve`, in real time: from the decision that a turn is over to the first sound.

    Measured at a client of the protocol in this process; and what the server takes for sound beside the models.
    """
    from step_audio_mini.cli.local_server import app_without_models, served
    from step_audio_mini.evaluate import served as calls
    from step_audio_mini.serve.app import make_app
    from step_audio_mini.serve.service import Options
    from step_audio_mini.serve.tools import ToolRunner
    from step_audio_mini.serve.worker import Worker

    sounds, rooms = _sounds(recordings), _rooms(weights)
    with served(app_without_models()) as (url, clock):
        frames = [
            asyncio.run(calls.frame_seconds(url, sounds[0], FRAMES, pause, clock)) for pause in (calls.FRAME_S, 0.0)
        ]
    whole = make_app(Worker(rooms), lambda made: ToolRunner(made.mind.toolbox), Options(packs={"": (pack,)}))
    with served(whole) as (url, _):
        made = asyncio.run(calls.converse(url, sounds, turns, lambda line: print(line, file=sys.stderr, flush=True)))
    rows = [*calls.talk_rows(made, f"a call, {len(sounds)} recordings, pack {pack}"), *calls.frame_rows(*frames)]
    _tell(f"call {_names(recordings)} --pack {pack} --turns {turns}", rows, out, as_json)


def _tell(command: str, rows: Sequence[Row], out: Path | None, as_json: bool) -> None:
    """Show what was measured, with the command and the machine; write it too."""
    from step_audio_mini.evaluate import speed
    from step_audio_mini.evaluate.results import Results

    facts = {"machine": speed.machine(), "memory": f"{speed.peak_megabytes():.0f} MB at most, this process"}
    results = Results("bench", f"step-audio bench {command}", tuple(rows), facts)
    if out:
        results.write(out)
    if as_json:
        output.show_json(results.to_json())
    else:
        output.show([*facts.items(), *map(line_of, rows)])


def _sounds(recordings: Sequence[Path]) -> list[Samples]:
    from step_audio_mini.audio import file

    return [file.read(recording) for recording in recordings]


def _names(recordings: Sequence[Path]) -> str:
    return " ".join(recording.name for recording in recordings)


def _rooms(weights: str) -> Any:
    """What a worker is made of (`TrainedRooms`); tools remember nothing beyond the process."""
    from step_audio_mini.rooms import TrainedRooms
    from step_audio_mini.runtime.manifest import Weights

    return TrainedRooms(Weights.open(weights), None, {}, None)


def _numbers(text: str) -> list[int]:
    """Numbers of calls, upwards; UserError for anything else."""
    try:
        numbers = sorted({int(number) for number in text.split(",")})
    except ValueError:
        numbers = []
    if not numbers or numbers[0] < 1:
        raise UserError(f"--calls {text!r} are no numbers of calls; write 1,2,4")
    return numbers
