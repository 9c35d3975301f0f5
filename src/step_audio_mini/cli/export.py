"""`step-audio export`: a training run becomes a part of a folder of weights, with what it was made from beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from step_audio_mini.cli import output as out
from step_audio_mini.cli.train import pairs_of

if TYPE_CHECKING:
    from step_audio_mini.runtime.manifest import Weights

app = typer.Typer(no_args_is_help=True)

DataOption = Annotated[Path, typer.Option(help="Folder of prepared data that the run was trained on.")]
RunOption = Annotated[Path, typer.Option(help="Folder of the run.")]
FolderOption = Annotated[Path, typer.Option(help="Folder of weights.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="key=value, as the run was trained with.")]


@app.command()
def ears(
    data: DataOption,
    run: RunOption,
    weights: FolderOption,
    storage: Annotated[
        str, typer.Option(metavar="[float|half|int8|int8-weights]", help="How the matrices are stored.")
    ] = "int8",
    settings: SetOption = None,
) -> None:
    """The recogniser's network."""
    from step_audio_mini.train.export_ears import STORAGE, export_ears

    if storage not in STORAGE:
        raise typer.BadParameter(f"no storage {storage!r}; use {', '.join(STORAGE)}")
    recipe = _recipe("ears", data, settings)
    _tell(export_ears(recipe, run, weights, storage, _command("ears", settings)), "ears")


@app.command()
def mind(
    data: DataOption,
    run: RunOption,
    weights: FolderOption,
    words_alone: Annotated[
        bool, typer.Option(help="The run never learnt from the ears' vectors: ignore them.")
    ] = False,
    settings: SetOption = None,
) -> None:
    """The mind's encoder, decoder and sub-word model, from a run of `mind` or `join`."""
    from step_audio_mini.train.export import dev_figures, load_averaged
    from step_audio_mini.train.export_mind import add_mind, shut_gate
    from step_audio_mini.train.export_search import SOURCES

    recipe = _recipe("mind", data, settings)
    network = recipe.build()
    load_averaged(network, run)
    if words_alone:
        shut_gate(network)
    training = {"command": _command("mind", settings), "sources": SOURCES}
    opened = add_mind(
        weights, network, recipe.data.pieces.read_bytes(), {"training": training, "quality": dev_figures(run)}
    )
    _tell(opened, "mind_encoder", "mind_decoder", "mind_pieces")


@app.command()
def voice(
    data: DataOption,
    run: RunOption,
    weights: FolderOption,
    cache: Annotated[Path, typer.Option(help="Cache that the voices were prepared from.")],
    settings: SetOption = None,
) -> None:
    """The acoustic model of the voices."""
    from step_audio_mini.data.cache import Cache
    from step_audio_mini.train.export_voice import export_voice

    recipe = _recipe("voice", data, settings)
    clips = Cache.open(cache).clips
    _tell(export_voice(recipe, run, weights, clips, _command("voice", settings)), "acoustic")


@app.command()
def vocoder(data: DataOption, run: RunOption, weights: FolderOption, settings: SetOption = None) -> None:
    """The vocoder."""
    from step_audio_mini.train.export_vocoder import export_vocoder

    recipe = _recipe("vocoder", data, settings)
    _tell(export_vocoder(recipe, run, weights, _command("vocoder", settings)), "vocoder")


@app.command()
def speaker(data: DataOption, run: RunOption, weights: FolderOption, settings: SetOption = None) -> None:
    """The network that tells of the speaker."""
    from step_audio_mini.train.export_speaker import export_speaker

    recipe = _recipe("speaker", data, settings)
    _tell(export_speaker(recipe, run, weights, _command("speaker", settings)), "speaker")


@app.command()
def words(
    texts: Annotated[Path, typer.Option(help="Folder of the text packs.")],
    weights: FolderOption,
    speech: Annotated[list[Path], typer.Option(help="Folders of speech packs whose test transcripts stay out.")],
) -> None:
    """The word graph, the lexicon and letter-to-sound; nothing of them is trained by steps."""
    from step_audio_mini.train.export_search import export_search

    figures = export_search(texts, speech, weights)
    out.show([(name, str(value)) for name, value in figures.items()])


@app.command()
def hearings(
    data: DataOption,
    weights: FolderOption,
    out_folder: Annotated[Path, typer.Option("--out", help="Folder that gets what was heard.")],
    most: Annotated[int, typer.Option(help="Most clips of each kind.")] = 2000,
) -> None:
    """What the ears of some weights hear of orders, requests and read sentences, for `train join`."""
    from step_audio_mini.data.cache import Cache
    from step_audio_mini.runtime.manifest import Weights
    from step_audio_mini.train.hear import ears_of, hear_all

    counts = hear_all(Cache.open(data), ears_of(Weights.open(weights)), out_folder, most)
    out.show([(kind, f"{count} clips heard") for kind, count in counts.items()])


@app.command()
def calibration(
    data: DataOption,
    weights: FolderOption,
    most: Annotated[int, typer.Option(help="Most dev clips of each pack.")] = 60,
) -> None:
    """How sure the ears are of words, scaled by their dev clips; after every change of the ears or of their words."""
    from step_audio_mini.data.cache import Cache
    from step_audio_mini.evaluate.ears import OurEars
    from step_audio_mini.listen.alignment import calibration_of
    from step_audio_mini.runtime.manifest import Weights
    from step_audio_mini.train.calibrate import calibrate

    opened = Weights.open(weights)
    found = calibration_of(calibrate(Cache.open(data), opened, OurEars(opened), most))
    out.show([(language, " ".join(f"{one:g}" for one in numbers)) for language, numbers in found.items()])


@app.command()
def transcripts(
    data: DataOption,
    run: RunOption,
    pack: Annotated[str, typer.Option(help="Scenario whose sentences were said.")],
    out_file: Annotated[Path, typer.Option("--out", help="File that gets the words.")],
    settings: SetOption = None,
) -> None:
    """Words of train clips that come with intent and slots but without words, found by the ears of a run."""
    from step_audio_mini.think.pack_file import load_pack
    from step_audio_mini.train.orders import words_of, write_transcripts
    from step_audio_mini.train.recipes.ears import EarsRecipe

    recipe = _recipe("ears", data, settings)
    assert isinstance(recipe, EarsRecipe)
    clips = [clip for clip in recipe.cache.clips if clip.split == "train" and not clip.text]
    found = words_of(clips, load_pack(pack), recipe.lexicon, recipe.listener(run))
    count = write_transcripts(found, out_file)
    out.show([("transcripts", f"{count} of {len(clips)} clips without words")])


def _recipe(name: str, data: Path, settings: list[str] | None) -> Any:
    from step_audio_mini.train.registry import set_up

    return set_up(name, data, pairs_of(settings or []))[0]


def _command(recipe: str, settings: list[str] | None) -> str:
    """How the run was trained; of places on the machine that did it only the last name stays."""
    told = {key: value.rpartition("/")[2] for key, value in pairs_of(settings or []).items()}
    return " ".join(["step-audio train", recipe, "--data DATA --out RUN", *(f"--set {k}={v}" for k, v in told.items())])


def _tell(weights: Weights, *names: str) -> None:
    out.show([(name, f"{weights.part(name).file}, {weights.part(name).parameters:,} parameters") for name in names])
