"""`weights/manifest.json`: which files make the model, what they are, and whether they are whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from step_audio_mini.errors import UserError

FORMAT = 1
"""Version of the manifest's layout."""
BUILT_IN = "step-audio-2-mini"
"""Name of the weights that come with the package."""


@dataclass(frozen=True)
class Part:
    """One file of the weights."""

    file: str
    sha256: str
    parameters: int = 0
    """Trained numbers in the file."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What a loader must know: alphabets, sizes."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """What it was trained on: packs with hours, licences and sources; left-out speakers; the command."""
    quality: Mapping[str, Any] = field(default_factory=dict)
    """Measured figures with their commands."""


class Weights:
    """A folder of weights, opened and checked part by part, as each is asked for."""

    def __init__(self, folder: Path, parts: Mapping[str, Part]) -> None:
        self.folder, self.parts = folder, dict(parts)

    @classmethod
    def open(cls, name_or_folder: str | Path = BUILT_IN) -> Weights:
        """Open the built-in weights by name, or a folder; UserError when there is no readable manifest."""
        folder = built_in_folder() if str(name_or_folder) == BUILT_IN else Path(name_or_folder)
        path = folder / "manifest.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise UserError(f"weights manifest {path} has format {content['format']}, this version reads {FORMAT}")
            return cls(folder, {name: Part(**fields) for name, fields in content["parts"].items()})
        except (FileNotFoundError, NotADirectoryError):
            raise UserError(f"no weights at {folder}; give '{BUILT_IN}' or a folder with manifest.json") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"weights manifest {path} cannot be read ({error}); install the package again") from None

    def read(self, name: str) -> bytes:
        """The checked bytes of a part; UserError names a missing or damaged file."""
        part = self.part(name)
        path = self.folder / part.file
        try:
            content = path.read_bytes()
        except OSError:
            raise UserError(f"weight file {path} is missing or unreadable; install the package again") from None
        if hashlib.sha256(content).hexdigest() != part.sha256:
            raise UserError(f"weight file {path} is damaged (its checksum differs); install the package again")
        return content

    def part(self, name: str) -> Part:
        """What the manifest says of a part."""
        if name not in self.parts:
            raise UserError(
                f"weights at {self.folder} have no part '{name}'; they hold {', '.join(self.parts) or 'none'}"
            )
        return self.parts[name]

    @property
    def parameters(self) -> int:
        """Trained numbers in all parts together."""
        return sum(part.parameters for part in self.parts.values())

    def with_part(self, name: str, part: Part, content: bytes) -> Weights:
        """Write a part's file and the manifest, each beside the old one and then in its place."""
        parts = self.parts | {name: part}
        self.folder.mkdir(parents=True, exist_ok=True)
        _replace(self.folder / part.file, content)
        manifest = {"format": FORMAT, "parts": {n: asdict(p) for n, p in sorted(parts.items())}}
        text = json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        _replace(self.folder / "manifest.json", text.encode())
        return Weights(self.folder, parts)


def built_in_folder() -> Path:
    """Where the package keeps its weights."""
    return Path(str(files("step_audio_mini") / "weights"))


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(path.name + ".part")
    beside.write_bytes(content)
    beside.replace(path)
