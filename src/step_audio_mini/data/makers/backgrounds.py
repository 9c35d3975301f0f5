"""Noises and measured rooms from many small free sources; two tables beside this file name licences and authors."""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.resources import files

import numpy as np
import soundfile as sf

from step_audio_mini.data.makers.draft import Draft, Rules, resampled
from step_audio_mini.data.makers.maker import Maker, Open
from step_audio_mini.data.makers.repository import Repository
from step_audio_mini.data.makers.splits import Split
from step_audio_mini.types import SAMPLE_RATE, Samples

CHUNK, LONGEST = 60 * SAMPLE_RATE, 600 * SAMPLE_RATE
"""Long noises are cut into pieces of a minute, at most ten."""


@dataclass(frozen=True, slots=True)
class Source:
    """One line of a table: where a sound lies, its split by hand (frequent kinds occur on both sides), its licence."""

    id: str
    repository: str
    path: str
    """`archive.tar.gz!member` for a file inside an archive."""
    split: str
    kind: str
    licence: str
    author: str = ""
    origin: str = ""
    loop: str = ""
    """`loop` where the author made the sound to be repeated."""


def read_table(name: str) -> list[Source]:
    """Rows of a table that lies beside this module."""
    text = (files("step_audio_mini.data.makers") / name).read_text(encoding="utf-8")
    return [Source(**row) for row in csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)]


def shaped_response(wave: Samples, seconds: float = 4.0) -> Samples:
    """A response from 2 ms before its peak to where its energy ends (-60 dB), faded out, peak 0.9."""
    wave = wave[max(0, int(np.argmax(np.abs(wave))) - int(0.002 * SAMPLE_RATE)) :]
    energy = np.cumsum((wave**2)[::-1])[::-1]
    end = int(np.flatnonzero(energy > energy[0] * 1e-6)[-1]) + 1
    wave = wave[: max(min(end, int(seconds * SAMPLE_RATE)), 400)].copy()
    fade = min(len(wave) // 10, 400)
    wave[len(wave) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return np.asarray(wave / np.abs(wave).max() * np.float32(0.9), np.float32)


def decay_time(wave: Samples) -> float | None:
    """RT60 in seconds from the slope between -5 and -25 dB of the energy decay (Schroeder 1965)."""
    energy = np.cumsum((wave.astype(np.float64) ** 2)[::-1])[::-1]
    level = 10 * np.log10(energy / energy[0] + 1e-12)
    start, end = np.flatnonzero(level <= -5), np.flatnonzero(level <= -25)
    return round(float(end[0] - start[0]) / SAMPLE_RATE * 3, 3) if len(start) and len(end) else None


def _read(repository: Repository, path: str) -> bytes:
    outer, _, member = path.partition("!")
    content = repository.read(outer)
    if not member:
        return content
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        stream = archive.extractfile(member)
        return stream.read() if stream else b""


def _fill(
    draft: Draft, open_: Open, sources: list[Source], add: Callable[[Draft, Source, Samples, str], None]
) -> Split:
    repositories = {name: open_(name) for name in sorted({source.repository for source in sources})}
    for source in sources:
        repository = repositories[source.repository]
        try:
            wave, rate = sf.read(io.BytesIO(_read(repository, source.path)), dtype="float32", always_2d=True)
        except sf.SoundFileError:
            draft.drop("undecodable")
            continue
        # of a room the first channel: a mean of two microphones is a comb filter
        mono = wave[:, 0] if draft.name == "rir_real" else wave.mean(axis=1)
        add(draft, source, resampled(mono, rate, SAMPLE_RATE), repository.source(source.path))
    splits = {source.id: source.split for source in sources}
    return lambda row: splits[row["sound"]]


def _add_noise(draft: Draft, source: Source, wave: Samples, place: str) -> None:
    if source.loop and len(wave) < 8 * SAMPLE_RATE:
        wave = np.tile(wave, -(-8 * SAMPLE_RATE // len(wave)))[: 12 * SAMPLE_RATE]
    labels = {"noise_type": source.kind, "author": source.author, "origin": source.origin, "sound": source.id}
    wave = wave[:LONGEST]
    if len(wave) <= 1.2 * CHUNK:
        draft.add_sound(wave, SAMPLE_RATE, source.id, source=place, licence=source.licence, **labels)
        return
    for number, start in enumerate(range(0, len(wave), CHUNK)):
        piece = wave[start : start + CHUNK]
        if len(piece) >= 5 * SAMPLE_RATE:
            name = f"{source.id}_{number:02d}"
            draft.add_sound(piece, SAMPLE_RATE, name, source=place, licence=source.licence, **labels)


def _add_room(draft: Draft, source: Source, wave: Samples, place: str) -> None:
    response = shaped_response(wave)
    labels = {"label": "rir", "rt60": decay_time(response), "room": source.kind, "sound": source.id}
    draft.add_sound(response, SAMPLE_RATE, source.id, source=place, licence=source.licence, **labels)


def _maker(name: str, what: str, table: str, add: Callable[[Draft, Source, Samples, str], None]) -> Maker:
    sources = read_table(table)
    repositories = tuple(sorted({source.repository for source in sources}))
    rules = Rules(seconds=(0.02, 700), min_peak=1e-5)
    return Maker(name, what, repositories, "", partial(_fill, sources=sources, add=add), rules, trim=False)


MAKERS = (
    _maker("ambient", "37 kinds of background noise", "ambient.tsv", _add_noise),
    _maker("rir_real", "measured rooms, many large halls", "rooms.tsv", _add_room),
)
