"""Writes docs/results.md from result files, so that no number in it was ever typed by hand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from step_audio_mini.errors import UserError
from step_audio_mini.evaluate.pictures import PICTURES
from step_audio_mini.evaluate.results import Results, Row

PARTS = (
    *("talk", "ears", "chunks", "reliability", "robust", "rejection", "names", "speaker", "mind", "voice", "bench"),
    *("turns", "handover", "endurance", "churn", "runs"),
)
"""Order of the sections."""
HEAD = """# Results

Written by `step-audio evaluate report` from the files in `docs/results/`; do not edit.
Every row: what was measured, on which data (split; recordings of people are *real*, synthetic voices *synthetic*,
dialogues without sound *text*), by which system, n, the value with its 95 % bootstrap interval (1,000 resamples over
what is named), and the command that prints it. `DIR` stands for the folder that `step-audio prepare --cache` made.
"""
COLUMNS = "| measure | data | system | n | value | 95 % interval | command |\n|---|---|---|--:|--:|---|---|\n"


def report(results: Iterable[Results], pictures: Path, linked: str) -> str:
    """Markdown of results, with the pictures in a folder that is `linked` so; the same files give the same text."""
    known = {part: place for place, part in enumerate(PARTS)}
    ordered = sorted(results, key=lambda one: (known.get(one.part, len(PARTS)), one.command))
    return HEAD + "".join(_section(one, pictures, linked) for one in ordered)


def read_all(folder: Path) -> list[Results]:
    """All `*.json` result files of a folder."""
    results = [Results.read(path) for path in sorted(folder.glob("*.json"))]
    if not results:
        raise UserError(
            f"{folder} holds no results; make some with `step-audio evaluate ears --out {folder}/ears.json`"
        )
    return results


def _section(results: Results, pictures: Path, linked: str) -> str:
    facts = "; ".join(f"{name}: {value}" for name, value in results.facts.items())
    lines = [_line(row, results.command) for row in results.rows]
    notes = _notes(results.rows)
    shown = "".join(
        f"![{picture.caption}]({linked}/{picture.file})\n\n"
        for picture in PICTURES
        if picture.part == results.part and (pictures / picture.file).is_file()
    )
    return f"\n## {results.part}\n\n{facts}\n\n{shown}{COLUMNS}{''.join(lines)}{notes}"


def _line(row: Row, command: str) -> str:
    data = f"{row.data} {row.split}, {row.kind}"
    value = f"{_number(row.value)}{_unit(row)}"
    interval = f"{_number(row.low)} ... {_number(row.high)} ({row.over})"
    return f"| {row.measure} | {data} | {row.system} | {row.n} | {value} | {interval} | `{command}` |\n"


def _notes(rows: Iterable[Row]) -> str:
    notes = [f"* {row.measure}, {row.data}: {row.note}\n" for row in rows if row.note]
    return "\n" + "".join(dict.fromkeys(notes)) if notes else ""


def _unit(row: Row) -> str:
    return "" if row.unit == "x" else f" {row.unit}"


def _number(value: float) -> str:
    """Three significant digits, as far as they mean something."""
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"
