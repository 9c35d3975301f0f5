"""`step-audio evaluate`: figures with intervals from recordings that nobody trained on, and the report made of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from step_audio_mini.cli import output
from step_audio_mini.cli.options import BUILT_IN, JsonOption, WeightsOption

if TYPE_CHECKING:
    from step_audio_mini.data.cache import Cache
    from step_audio_mini.evaluate.results import Row
    from step_audio_mini.evaluate.talk import TalkTest

app = typer.Typer(help="Measure a part of the model, or the whole.", no_args_is_help=True)

CacheOption = Annotated[Path, typer.Option(help="folder that `step-audio prepare --cache` made")]
OutOption = Annotated[Path | None, typer.Option(help="write the result file here too")]
MostOption = Annotated[int, typer.Option(help="most clips of each kind, evenly spaced: a quick look")]


@app.command()
def ears(
    cache: CacheOption,
    out: OutOption = None,
    most: MostOption = 1000,
    most_peer: Annotated[
        int, typer.Option(help="clips of each English pack for the comparison with PocketSphinx")
    ] = 40,
    weights: WeightsOption = BUILT_IN,
    as_json: JsonOption = False,
) -> None:
    """Phone, syllable and word error on the test clips of every pack, PocketSphinx beside us."""
    from step_audio_mini.data.cache import Cache
    from step_audio_mini.evaluate.ears import EarsTest, OurEars, lexicon_of, measure
    from step_audio_mini.evaluate.peers import PocketSphinx
    from step_audio_mini.evaluate.trained import trained_speakers
    from step_audio_mini.runtime.manifest import Weights

    opened = Weights.open(weights)
    test = EarsTest(Cache.open(cache), lexicon_of(opened), most, most_peer, trained_speakers(opened))
    command = "ears --cache DIR" + _option("--most", most, 1000) + _option("--most-peer", most_peer, 40)
    _run(command, weights, out, as_json, lambda tell: measure(test, OurEars(opened), PocketSphinx(), tell))


@app.command()
def speaker(
    cache: CacheOption, out: OutOption = None, weights: WeightsOption = BUILT_IN, as_json: JsonOption = False
) -> None:
    """Gender, age band and language of strangers, and who is the same person; clean and in noise."""
    from step_audio_mini.data.cache import Cache
    from step_audio_mini.errors import UserError
    from step_audio_mini.evaluate.conditions import World
    from step_audio_mini.evaluate.speaker import SpeakerTest, measure
    from step_audio_mini.evaluate.trained import trained_speakers
    from step_audio_mini.listen.speaker_attributes import PART, SpeakerModel
    from step_audio_mini.runtime.manifest import Weights

    opened, sound = Weights.open(weights), Cache.open(cache)
    model = SpeakerModel.open(opened)
    if model is None:
        raise UserError(f"weights at {opened.folder} have no part '{PART}'; make it with `step-audio export {PART}`")
    test = SpeakerTest(sound, model, World.of(sound), trained_speakers(opened, PART))
    _run("speaker --cache DIR", weights, out, as_json, lambda tell: measure(test, tell))


@app.command()
def mind(out: OutOption = None, weights: WeightsOption = BUILT_IN, as_json: JsonOption = False) -> None:
    """Intents, states, calls and dialogues on text: phrasings and values that training never saw."""
    from functools import cache as remembered

    from step_audio_mini.evaluate.mind import measure
    from step_audio_mini.runtime.manifest import Weights
    from step_audio_mini.think.mind import Mind

    opened = Weights.open(weights)
    minds = remembered(lambda pack: Mind.load(pack, opened, phrasings="train"))
    _run("mind", weights, out, as_json, lambda tell: measure(minds, tell))


@app.command()
def voice(
    cache: CacheOption,
    out: OutOption = None,
    most: MostOption = 1000,
    weights: WeightsOption = BUILT_IN,
    as_json: JsonOption = False,
) -> None:
    """How well others understand the voice, and how near it is to the natural readings."""
    from step_audio_mini.data.cache import Cache
    from step_audio_mini.evaluate.ears import OurEars
    from step_audio_mini.evaluate.peers import PocketSphinx
    from step_audio_mini.evaluate.voice import VoiceTest, measure
    from step_audio_mini.model import StepAudio2Mini
    from step_audio_mini.runtime.manifest import Weights
    from step_audio_mini.train.pitch import track

    model = StepAudio2Mini.from_pretrained(weights)
    test = VoiceTest(
        Cache.open(cache),
        lambda text, language: model.speak(text, language).samples,
        OurEars(Weights.open(weights)),
        PocketSphinx(),
        track,
        most,
    )
    _run(_over("voice", most), weights, out, as_json, lambda tell: measure(test, tell))


@app.command()
def talk(
    cache: CacheOption,
    out: OutOption = None,
    most: MostOption = 1000,
    weights: WeightsOption = BUILT_IN,
    as_json: JsonOption = False,
) -> None:
    """The whole way: orders, requests by voice, false calls, clean answers, delays."""
    from step_audio_mini.data.cache import Cache
    from step_audio_mini.evaluate.talk import measure

    test = _talk_test(Cache.open(cache), most, weights)
    _run(_over("talk", most), weights, out, as_json, lambda tell: measure(test, tell))


@app.command()
def robust(
    cache: CacheOption,
    out: OutOption = None,
    most: MostOption = 1000,
    weights: WeightsOption = BUILT_IN,
    as_json: JsonOption = False,
) -> None:
    """Orders and read speech in noise, in rooms, over telephone and Opus; the error of the SNR estimate."""
    from step_audio_mini.data.cache import Cache
    from step_audio_mini.evaluate.conditions import World
    from step_audio_mini.evaluate.ears import OurEars, lexicon_of
    from step_audio_mini.evaluate.robust import RobustTest, measure
    from step_audio_mini.runtime.manifest import Weights

    opened, sounds = Weights.open(weights), Cache.open(cache)
    world = World.of(sounds)
    test = RobustTest(_talk_test(sounds, most, weights), OurEars(opened), lexicon_of(opened), world)
    _run(_over("robust", most), weights, out, as_json, lambda tell: measure(test, tell))


@app.command()
def rejection(
    cache: CacheOption,
    out: OutOption = None,
    most: MostOption = 1000,
    weights: WeightsOption = BUILT_IN,
    as_json: JsonOption = False,
) -> None:
    """Whether read sentences are left alone, and how many orders are rejected with them."""
    from step_audio_mini.data.cache import Cache
    from step_audio_mini.evaluate.rejection import PACK, measure
    from step_audio_mini.think.mind import Mind

    test, mind = _talk_test(Cache.open(cache), most, weights), Mind.load(PACK, weights)
    command = _over("rejection", most)
    _run(command, weights, out, as_json, lambda tell: measure(test, mind, tell))


@app.command()
def names(
    cache: CacheOption,
    out: OutOption = None,
    most: MostOption = 1000,
    weights: WeightsOption = BUILT_IN,
    as_json: JsonOption = False,
) -> None:
    """Ten rare names, each taught by a line of a pack or a hot word: found when said, and when not."""
    from step_audio_mini.data.cache import Cache
    from step_audio_mini.evaluate.names import FOLDER, NamesTest, measure, read_names
    from step_audio_mini.model import StepAudio2Mini

    plain = StepAudio2Mini.from_pretrained(weights)
    hot = StepAudio2Mini.from_pretrained(weights, hot_words=[name.line for name in read_names()])
    taught = {
        "taught by lines of a pack": lambda sound: plain.listen(sound, FOLDER).best.text,
        "taught as hot words": lambda sound: hot.listen(sound, "home").best.text,
    }
    untaught = StepAudio2Mini.from_pretrained(weights)
    talk = _talk_test(Cache.open(cache), most, weights)
    test = NamesTest(taught, lambda sound: untaught.listen(sound, "home").best.text, talk)
    _run(_over("names", most), weights, out, as_json, lambda tell: measure(test, tell))


@app.command()
def chunks(
    cache: CacheOption,
    out: OutOption = None,
    most: MostOption = 1000,
    weights: WeightsOption = BUILT_IN,
    as_json: JsonOption = False,
) -> None:
    """Errors, delay and cost of one model in chunks of 160, 320 and 640 ms, on the same clips."""
    from step_audio_mini.data.cache import Cache
    from step_audio_mini.evaluate.chunks import CHUNKS, ChunksTest, measure
    from step_audio_mini.evaluate.ears import OurEars, lexicon_of
    from step_audio_mini.runtime.manifest import Weights

    opened = Weights.open(weights)
    by_chunk = {chunk: OurEars(opened, chunk) for chunk in CHUNKS}
    test = ChunksTest(by_chunk, lexicon_of(opened), _talk_test(Cache.open(cache), most, weights))
    _run(_over("chunks", most), weights, out, as_json, lambda tell: measure(test, tell))


@app.command()
def endurance(
    cache: CacheOption,
    out: OutOption = None,
    minutes: Annotated[int, typer.Option(help="minutes of sound")] = 60,
    pack: Annotated[str, typer.Option("--pack", "-p", help="scenario that is loaded")] = "home",
    weights: WeightsOption = BUILT_IN,
    as_json: JsonOption = False,
) -> None:
    """An hour of speech through ears and search: whether memory stays flat, and the real-time factor."""
    from step_audio_mini.data.cache import Cache
    from step_audio_mini.evaluate.endurance import measure
    from step_audio_mini.evaluate.names import OTHER_PACKS
    from step_audio_mini.evaluate.speed import machine

    talk = _talk_test(Cache.open(cache), 1000, weights)
    clips = [talk.cache.samples(clip) for clip in talk.clips(OTHER_PACKS, 1000)]
    command = (
        "endurance --cache DIR" + _option("--minutes", minutes, 60) + ("" if pack == "home" else f" --pack {pack}")
    )
    _run(command, weights, out, as_json, lambda _: measure(weights, pack, clips, minutes), {"machine": machine()})


@app.command()
def runs(
    cache: CacheOption,
    named: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=RUN...", help="folders of `step-audio train ears`; the first is the one compared with"
        ),
    ],
    out: OutOption = None,
    most: Annotated[int, typer.Option(help="most clips of each pack")] = 60,
    weights: WeightsOption = BUILT_IN,
    as_json: JsonOption = False,
) -> None:
    """Training runs of the ears on the same dev clips: what each change was worth."""
    from step_audio_mini.cli.train import pairs_of
    from step_audio_mini.data.cache import Cache
    from step_audio_mini.evaluate.ears import lexicon_of
    from step_audio_mini.runtime.manifest import Weights
    from step_audio_mini.train.compare import measure

    opened, sound = lexicon_of(Weights.open(weights)), Cache.open(cache)
    folders = {name: Path(folder) for name, folder in pairs_of(named).items()}
    command = "runs --cache DIR" + _option("--most", most, 60) + "".join(f" '{name}=RUN'" for name in folders)
    _run(command, weights, out, as_json, lambda tell: measure(sound, opened, folders, most, tell))


@app.command()
def handover(
    cache: Annotated[
        Path | None, typer.Option(help="of `step-audio prepare --cache`: recordings are heard too")
    ] = None,
    out: OutOption = None,
    most: MostOption = 1000,
    weights: WeightsOption = BUILT_IN,
    as_json: JsonOption = False,
) -> None:
    """What would be handed over to a chat endpoint: requests falsely, open questions rightly."""
    from step_audio_mini.data.cache import Cache
    from step_audio_mini.evaluate import handover as over
    from step_audio_mini.runtime.manifest import Weights
    from step_audio_mini.think.mind import Mind

    opened = Weights.open(weights)

    def measure(tell: Callable[[str], None]) -> list[Row]:
        rows = over.measure(Mind.load(over.PACKS, opened, phrasings="train"), tell)
        if cache is None:
            return rows
        test = _talk_test(Cache.open(cache), most, weights)
        return rows + over.measure_voices(test, Mind.load(over.VOICE_PACK, opened), tell)

    command = "handover" + (" --cache DIR" if cache else "") + _option("--most", most, 1000)
    _run(command, weights, out, as_json, measure)


@app.command()
def report(
    results: Annotated[Path, typer.Argument(help="folder of result files")] = Path("docs/results"),
    out: Annotated[Path, typer.Option(help="where the tables go")] = Path("docs/results.md"),
) -> None:
    """Write docs/results.md and its pictures from the result files; no number in it is typed by hand."""
    from step_audio_mini.errors import UserError
    from step_audio_mini.evaluate.pictures import draw
    from step_audio_mini.evaluate.report import read_all
    from step_audio_mini.evaluate.report import report as tables

    found = read_all(results)
    draw(found, results)
    text = tables(found, results, os.path.relpath(results, out.parent))
    beside = out.with_name(out.name + ".part")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(out)
    except OSError as wrong:
        raise UserError(f"{out} cannot be written ({wrong.strerror}); choose another place") from wrong


def _talk_test(cache: Cache, most: int, weights: str) -> TalkTest:
    """The whole model on the recordings of strangers."""
    from step_audio_mini.evaluate.talk import TalkTest
    from step_audio_mini.evaluate.trained import trained_speakers
    from step_audio_mini.model import StepAudio2Mini
    from step_audio_mini.rooms import TrainedRooms
    from step_audio_mini.runtime.manifest import Weights

    opened = Weights.open(weights)
    strict = StepAudio2Mini(TrainedRooms(opened, None, {}, None, phrasings="train"))
    model = StepAudio2Mini.from_pretrained(weights)
    return TalkTest(model, cache, most, weights, strict, trained_speakers(opened))


def _run(
    command: str,
    weights: str,
    out: Path | None,
    as_json: bool,
    measure: Callable[[Callable[[str], None]], list[Row]],
    more: Mapping[str, str] | None = None,
) -> None:
    """Measure with the name of each part on standard error, then write and print the results."""
    from rich.console import Console

    from step_audio_mini.evaluate.results import Results

    console = Console(stderr=True, highlight=False)
    with console.status("") as status:
        rows = measure(status.update)
    part = command.split(maxsplit=1)[0]
    results = Results(part, f"step-audio evaluate {command}", tuple(rows), _facts(part, weights) | dict(more or {}))
    if out:
        results.write(out)
    if as_json:
        output.show_json(results.to_json())
    else:
        output.show([line_of(row) for row in rows])


def line_of(row: Row) -> tuple[str, str]:
    """A figure for people: value first, then interval, measure and data."""
    unit = "" if row.unit == "x" else f" {row.unit}"
    who = "" if row.system == "step-audio-mini" else f", {row.system}"
    interval = f"[{row.low:.3g} ... {row.high:.3g}, n = {row.n}, {row.kind}]"
    return f"{row.value:.3g}{unit}", f"{interval}  {row.measure}{who}: {row.data}"


HEARING = ("ears", "letters", "lexicon", "words")
MEASURED = {
    **dict.fromkeys(("chunks", "ears", "endurance", "names", "reliability", "turns"), HEARING),
    "mind": ("mind_decoder", "mind_encoder", "mind_pieces"),
    "voice": ("acoustic", "ears", "letters", "lexicon", "vocoder"),
    "speaker": ("speaker",),
    "runs": ("lexicon",),
}
"""Parts of the weights that a measurement depends on; all of them where none are named."""


def _facts(part: str, weights: str) -> dict[str, Any]:
    """What the figures belong to: version, and the first letters of the checksum of each weight file in use."""
    from importlib.metadata import version

    from step_audio_mini.runtime.manifest import Weights

    parts = sorted(Weights.open(weights).parts.items())
    wanted = MEASURED.get(part) or [name for name, _ in parts]
    sums = ", ".join(f"{name} {one.sha256[:8]}" for name, one in parts if name in wanted)
    return {"version": version("step-audio-mini"), "weights": sums}


def _over(name: str, most: int) -> str:
    """The command of a measurement over a cache."""
    return f"{name} --cache DIR" + _option("--most", most, 1000)


def _option(name: str, value: int, default: int) -> str:
    """An option as typed, where it is not the default."""
    return "" if value == default else f" {name} {value}"


from step_audio_mini.cli import evaluate_reliability, evaluate_turns  # noqa: E402, F401 - add their commands
