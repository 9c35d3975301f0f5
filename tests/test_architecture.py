"""The rules of the house that a reader relies on, checked on the source itself."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
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


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Absolute names of all modules that a file imports, lazily or not; `from a import b` counts as a and a.b."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = path.relative_to(PACKAGE.parent).parts[: -node.level]
                base = ".".join([*package, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def called(function: ast.expr) -> str:
    """`f` or `a.f` of a call; empty for anything else."""
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return f"{function.value.id}.{function.attr}"
    return function.id if isinstance(function, ast.Name) else ""


def rooms_imported(path: Path) -> set[str]:
    parts = (module.split(".") for module in imports(path))
    return {p[1] for p in parts if p[0] == "step_audio_mini" and len(p) > 1 and p[1] in RANK}


def test_every_file_lies_in_a_room_with_a_rank() -> None:
    assert len(FILES) > 50
    assert [name(path) for path in FILES if room(path) not in RANK] == ["__init__.py"]
    assert rooms_imported(PACKAGE / "__init__.py") == {"model"}


def test_lower_rooms_never_import_higher_ones_nor_their_neighbours() -> None:
    wrong = [
        f"{name(path)} (rank {RANK[room(path)]}) imports {other} (rank {RANK[other]})"
        for path in FILES
        if room(path) in RANK
        for other in rooms_imported(path) - {room(path)}
        if RANK[other] >= RANK[room(path)]
    ]
    assert wrong == []


def test_training_packages_stay_in_the_training_rooms() -> None:
    """A user's install has none of them."""
    wrong = []
    for path in FILES:
        used = {module.split(".")[0] for module in imports(path)} & TRAINING_ONLY
        if name(path).startswith(TORCH_ROOMS) or name(path) == "model.py":
            used -= {"torch"}
        if name(path).startswith("evaluate/"):
            used -= {"matplotlib"}
        if used and not name(path).startswith("train/"):
            wrong.append(f"{name(path)}: {', '.join(sorted(used))}")
    assert wrong == []


@pytest.mark.parametrize("module", ["step_audio_mini", "step_audio_mini.model", "step_audio_mini.cli.main"])
def test_importing_loads_nothing_slow(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(set(sys.modules) & {SLOW_TO_IMPORT!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_files_are_short() -> None:
    long = [name(path) for path in (*FILES, *TESTS) if len(path.read_text("utf-8").splitlines()) > 400]
    assert long == [], "one idea a file: split it"


def test_functions_are_short() -> None:
    functions = [
        (name(path), node)
        for path in (*FILES, *TESTS)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert [f"{file}: {node.name}" for file, node in functions if (node.end_lineno or 0) - node.lineno >= 60] == []


def test_nothing_below_the_command_line_prints_or_exits() -> None:
    forbidden = {"print", "exit", "quit", "sys.exit", "os._exit", "logging.basicConfig"}
    calls = [
        (name(path), called(node.func))
        for path in FILES
        if room(path) != "cli"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
    ]
    assert [f"{file}: {function}" for file, function in calls if function in forbidden] == []


def test_every_file_says_why_it_exists() -> None:
    assert [name(path) for path in FILES if not ast.get_docstring(tree(path))] == []


def test_the_whole_model_has_at_most_48_million_parameters() -> None:
    manifest = PACKAGE / "weights" / "manifest.json"
    if not manifest.exists():
        pytest.skip("no weights in this checkout")
    parts = json.loads(manifest.read_text("utf-8"))["parts"]
    assert sum(part["parameters"] for part in parts.values()) <= 48_000_000
    assert sum(file.stat().st_size for file in manifest.parent.iterdir()) <= 64 * 2**20
