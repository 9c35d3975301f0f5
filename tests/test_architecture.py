"""The rules of the house that a reader relies on, checked on the source itself."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "step_audio_mini"
RANKS = [
    {"types", "errors"},
    {"audio", "text", "data"},
    {"nn", "runtime"},
    {"listen", "think", "speak"},
    {"rooms"},
    {"model", "converse"},
    {"evaluate", "serve"},
    {"train"},
    {"cli"},
]
RANK = {room: rank for rank, rooms in enumerate(RANKS) for room in rooms}
TRAINING_ONLY = {"torch", "scipy", "onnx", "onnxscript", "pyworld", "matplotlib"}
TORCH_ROOMS = ("nn/", "train/", "listen/model.py", "think/model.py", "speak/model.py")
SLOW_TO_IMPORT = {
    "torch",
    "scipy",
    "onnx",
    "onnxruntime",
    "wetext",
    "pypinyin",
    "kaldifst",
    "kaldi_decoder",
    "pydantic",
}
FILES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else path.relative_to(ROOT).as_posix()


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Absolute names of all modules that a file imports, lazily or not; `from a import b` counts as a and a.b."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = path.relative_to(PACKAGE.parent).parts[: -node.level]
                base = ".".join([*package, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def rooms_imported(path: Path) -> set[str]:
    parts = (module.split(".") for module in imports(path))
    return {p[1] for p in parts if p[0] == "step_audio_mini" and len(p) > 1 and p[1] in RANK}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_lower_rooms_never_import_higher_ones_nor_their_neighbours(path: Path) -> None:
    home = room(path)
    if home == "__init__":
        assert rooms_imported(path) <= {"model", "types", "errors"}
        return
    assert home in RANK, f"{home} has no rank: give it one in RANKS"
    for other in rooms_imported(path) - {home}:
        assert RANK[other] < RANK[home], f"{name(path)} (rank {RANK[home]}) imports {other} (rank {RANK[other]})"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_training_packages_stay_in_the_training_rooms(path: Path) -> None:
    used = {module.split(".")[0] for module in imports(path)} & TRAINING_ONLY
    if name(path).startswith("train/"):
        return
    if name(path).startswith(TORCH_ROOMS) or name(path) == "model.py":
        used -= {"torch"}
    if name(path).startswith("evaluate/"):
        used -= {"matplotlib"}
    assert not used, f"{name(path)} imports {used}: a user's install has none of them"


@pytest.mark.parametrize("module", ["step_audio_mini", "step_audio_mini.model", "step_audio_mini.cli.main"])
def test_importing_loads_nothing_slow(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(set(sys.modules) & {SLOW_TO_IMPORT!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("path", [*FILES, *TESTS], ids=name)
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 400, "one idea a file: split it"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= 60, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", [p for p in FILES if room(p) != "cli"], ids=name)
def test_nothing_below_the_command_line_prints_or_exits(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"print", "exit", "quit", "sys.exit", "os._exit", "logging.basicConfig"}, called


@pytest.mark.parametrize("path", FILES, ids=name)
def test_every_file_says_why_it_exists(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


def test_the_whole_model_has_at_most_48_million_parameters() -> None:
    manifest = PACKAGE / "weights" / "manifest.json"
    if not manifest.exists():
        pytest.skip("no weights in this checkout")
    parts = json.loads(manifest.read_text("utf-8"))["parts"]
    assert sum(part["parameters"] for part in parts.values()) <= 48_000_000
    assert sum(file.stat().st_size for file in manifest.parent.iterdir()) <= 64 * 2**20
