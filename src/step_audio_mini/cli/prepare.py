"""`step-audio prepare`: clones of public repositories in, packs out; packs in, what training reads out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from step_audio_mini.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from step_audio_mini.data.makers.draft import Draft
    from step_audio_mini.data.makers.maker import Maker
    from step_audio_mini.data.makers.text_maker import TextMaker


def prepare(
    mirror: Annotated[Path | None, typer.Option(help="folder of clones, each at DIR/<owner>+<name>")] = None,
    packs: Annotated[str, typer.Option(help="packs to make, by commas: NAME, CORPUS=DIR, requests=COUNT")] = "",
    out: Annotated[Path | None, typer.Option(help="folder of the packs that are made")] = None,
    sources: Annotated[list[Path] | None, typer.Option("--from", help="folder of packs; a later one replaces")] = None,
    cache: Annotated[Path | None, typer.Option(help="decode packs into this folder, for training")] = None,
    bundle: Annotated[Path | None, typer.Option(help="pack a part of the cache into this folder")] = None,
    max_mb: Annotated[float, typer.Option(help="size of the bundle in megabytes")] = 60.0,
    kbps: Annotated[float, typer.Option(help="write Opus at this rate (small, slow); 0 writes FLAC")] = 0.0,
) -> None:
    """Make packs from clones, a cache from packs, a bundle from a cache; each step alone or in one go.

    An interrupted run leaves no half pack, and the same command goes on where it stopped.
    """
    from rich.console import Console

    console = Console(highlight=False, stderr=True, soft_wrap=True)
    if not (mirror or packs or cache or bundle):
        _list(Console(highlight=False, soft_wrap=True))
        return
    if mirror or packs:
        _make(packs, mirror, out, sources or [], kbps, console)
    if cache and (sources or out):
        _cache([*(sources or []), *([out] if out else [])], cache, console)
    if bundle:
        _bundle(cache, bundle, max_mb, kbps, console)


def _list(console: Console) -> None:
    """Print the packs that can be made and what each needs."""
    from step_audio_mini.data.makers.catalogue import MAKERS, TEXT_MAKERS

    makers: list[Maker | TextMaker] = [*MAKERS.values(), *TEXT_MAKERS.values()]
    for maker in makers:
        console.print(f"{maker.name}: {maker.what}. {maker.licence or 'licence of each clip in its manifest'}")
        for repository in (name.partition("@")[0] for name in maker.repositories):
            console.print(f"    git clone https://github.com/{repository} DIR/{repository.replace('/', '+')}")


def _make(
    packs: str, mirror: Path | None, out: Path | None, sources: list[Path], kbps: float, console: Console
) -> None:
    from step_audio_mini.data.makers.catalogue import find

    asked = [name.strip() for name in packs.split(",") if name.strip()]
    names, corpora = [name for name in asked if "=" not in name], [name for name in asked if "=" in name]
    if not asked or out is None or (names and mirror is None):
        raise UserError(
            "making packs needs --packs NAMES, --mirror DIR and --out DIR; `step-audio prepare` alone lists the packs"
        )
    for corpus in corpora:
        (_requests if corpus.startswith("requests=") else _corpus)(corpus, out, kbps, console)
    for maker in find(names):
        assert mirror is not None
        with console.status(maker.name):
            line = _one(maker, mirror, out, sources, kbps)
        console.print(line)


def _one(maker: Maker | TextMaker, mirror: Path, out: Path, sources: list[Path], kbps: float) -> str:
    """Make a pack from clones; what it holds, in one line."""
    from step_audio_mini.data.makers.maker import Maker, make
    from step_audio_mini.data.makers.text_maker import make_text

    if isinstance(maker, Maker):
        return _told(*make(maker, mirror, out, kbps))
    folder, lines = make_text(maker, mirror, out, _held_out([*sources, out]))
    return f"{folder}: " + ", ".join(f"{count} lines of {name}" for name, count in lines.items())


def _corpus(corpus: str, out: Path, kbps: float, console: Console) -> None:
    from step_audio_mini.data.makers.official import CORPORA, make_official

    name, _, folder = corpus.partition("=")
    if name not in CORPORA or not folder:
        raise UserError(f"{corpus} is not NAME=DIR with one of {', '.join(CORPORA)}")
    with console.status(name):
        line = _told(*make_official(CORPORA[name], Path(folder), out, kbps))
    console.print(line)


def _requests(asked: str, out: Path, kbps: float, console: Console) -> None:
    from step_audio_mini.train.requests import say_requests

    count = asked.partition("=")[2]
    if not count.isdigit() or not int(count):
        raise UserError(f"{asked} is not requests=COUNT, such as requests=3000")
    with console.status("requests of the packs, said by synthesisers"):
        line = _told(*say_requests(int(count), out, kbps))
    console.print(line)


def _told(folder: Path, draft: Draft) -> str:
    """What a pack holds and what was left out of it."""
    left_out = ", ".join(f"{count} {reason}" for reason, count in sorted(draft.dropped.items()))
    hours = sum(row["seconds"] for row in draft.rows) / 3600
    return f"{folder}: {len(draft.rows)} clips, {hours:.2f} h" + (f"; left out: {left_out}" if left_out else "")


def _held_out(roots: list[Path]) -> frozenset[str]:
    """Dev and test transcripts of the packs of recordings below some folders; text packs leave them out."""
    from step_audio_mini.data.makers.text_maker import held_out
    from step_audio_mini.data.packs import find_packs, read_manifest

    packs = find_packs(root for root in roots if root.is_dir())
    if not packs:
        raise UserError("text packs leave out what test clips say; name packs of recordings with --from DIR")
    return held_out(clip for folder in packs.values() for clip in read_manifest(folder))


def _cache(sources: list[Path], cache: Path, console: Console) -> None:
    from rich.progress import Progress

    from step_audio_mini.data.cache import build_cache
    from step_audio_mini.data.packs import check_replacement, find_packs, read_manifest

    packs: dict[str, Path] = {}
    for source in sources:
        found = find_packs([source])
        for name in packs.keys() & found.keys():
            check_replacement(read_manifest(packs[name]), read_manifest(found[name]))
        packs |= found
    if not packs:
        raise UserError(
            f"no packs in {', '.join(map(str, sources))}; make some with --mirror DIR --packs NAMES --out DIR"
        )
    with Progress(console=console) as progress:
        tasks = {name: progress.add_task(name, total=None) for name in packs}
        build_cache(
            packs.values(), cache, lambda name, done, total: progress.update(tasks[name], completed=done, total=total)
        )


def _bundle(cache: Path | None, bundle: Path, max_mb: float, kbps: float, console: Console) -> None:
    from step_audio_mini.data.bundle import write_bundle
    from step_audio_mini.data.cache import Cache

    if cache is None:
        raise UserError("--bundle needs --cache DIR, the cache to take clips from")
    clips, seconds = write_bundle(Cache.open(cache), bundle, max_mb, kbps)
    console.print(f"{bundle}: {clips} clips, {seconds / 3600:.2f} h")
