"""What an evaluation leaves behind: rows with n and interval and the command that made them, as one JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from step_audio_mini.errors import UserError
from step_audio_mini.evaluate.intervals import Figure

Kind = Literal["real", "synthetic", "text"]
"""Recordings of people, synthetic voices, or text alone: never mixed in one row."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of a results table, in the unit it is printed in."""

    measure: str
    """What is measured, as a heading: `toneless-syllable error, greedy`."""
    data: str
    """Pack or set it was measured on."""
    split: str
    kind: Kind
    unit: str
    """%, ms, x (ratio), dB, ..."""
    value: float
    low: float
    high: float
    """Ends of the 95 % interval."""
    n: int
    over: str
    """What the interval resamples: speakers, clips, dialogues."""
    system: str = "step-audio-mini"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Results:
    """All rows of one command."""

    part: str
    """ears, mind, voice, talk or bench."""
    command: str
    """What prints these rows again; places of data on a machine are written as DIR."""
    rows: tuple[Row, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Weights (checksums), versions, kind of processor."""

    def to_json(self) -> dict[str, Any]:
        """A JSON object with sorted, rounded numbers."""
        rows = [{k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(row).items()} for row in self.rows]
        return {"part": self.part, "command": self.command, "facts": dict(self.facts), "rows": rows}

    def write(self, path: Path) -> None:
        """Write the JSON beside `path`, then put it there."""
        beside = path.with_name(path.name + ".part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            beside.replace(path)
        except OSError as wrong:
            raise UserError(f"results {path} cannot be written ({wrong.strerror}); choose another place") from wrong

    @classmethod
    def read(cls, path: Path) -> Results:
        """Read what `write` wrote; UserError for anything else."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            rows = tuple(Row(**row) for row in content["rows"])
            return cls(content["part"], content["command"], rows, content["facts"])
        except (OSError, ValueError, KeyError, TypeError) as wrong:
            raise UserError(f"{path} is no results file ({wrong}); make it with `step-audio evaluate`") from wrong


def row(measure: str, data: str, figure: Figure, kind: Kind, unit: str = "%", **more: str) -> Row:
    """A row from a figure; shares (unit %) become per cent. `split` is test unless given; see `Row` for the rest."""
    scale = 100.0 if unit == "%" else 1.0
    value, low, high = (scale * end for end in (figure.value, figure.low, figure.high))
    named = {"split": "test"} | more
    return Row(measure, data, named.pop("split"), kind, unit, value, low, high, figure.n, figure.over, **named)
