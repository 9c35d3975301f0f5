"""Every command and every Python snippet of the documents runs; those that train or measure for long are read only."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path

import pytest

from step_audio_mini.cli import main as command_line
from tests.shipped import needs_weights

pytestmark = pytest.mark.golden

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)
SHORT = {"talk", "listen", "think", "speak", "doctor"}
OTHER_PROGRAMS = (
    "./dev ",
    "pip install ",
    "git clone ",
    "cd ",
    "python demo.py ",
    "python3 -m venv ",
    "scripts/",
    "openssl req ",
)


def blocks(language: str) -> list[tuple[str, str]]:
    """(document, block) of every fenced block in a language."""
    return [(d.name, m[2]) for d in DOCUMENTS for m in FENCE.finditer(d.read_text("utf-8")) if m[1] == language]


def commands() -> list[str]:
    """Every command line, continued lines joined, comments and assignments in front cut off."""
    lines = [line.strip() for _, block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in dict.fromkeys(lines) if line and not line.startswith("#")]


def recipe_commands() -> list[str]:
    """The command lines of the recipe; its shell function `train` is `step-audio train`."""
    text = (ROOT / "scripts" / "recipe.sh").read_text("utf-8").replace("\\\n", " ")
    lines = [re.sub(r"^train (?=[a-z])", "step-audio train ", line.strip()) for line in text.splitlines()]
    return [line for line in lines if line.startswith("step-audio ")]


OURS = [line for line in commands() if line.startswith("step-audio ")]


def test_the_documents_name_no_unknown_program() -> None:
    assert commands()
    for line in commands():
        assert line.startswith(("step-audio ", *OTHER_PROGRAMS)), line


@needs_weights
@pytest.mark.parametrize("line", [line for line in OURS if shlex.split(line)[1] in SHORT])
def test_a_command_runs(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STEP_AUDIO_STATE", str(tmp_path / "state.sqlite"))
    assert command_line.main(shlex.split(line, comments=True)[1:]) == 0
    assert capfd.readouterr().err == ""


def test_the_recipe_has_commands() -> None:
    assert {shlex.split(line)[1] for line in recipe_commands()} >= {"prepare", "train", "export", "doctor"}


@pytest.mark.parametrize("line", [c for c in OURS if shlex.split(c)[1] not in SHORT] + recipe_commands())
def test_a_long_command_is_one_that_can_be_read(line: str) -> None:
    from typer.main import get_command

    arguments = shlex.split(line, comments=True)[1:]
    command = get_command(command_line.app_of(arguments[0]))
    while arguments:
        context = command.make_context("step-audio", list(arguments))
        if not hasattr(command, "resolve_command"):
            break
        _, command, arguments = command.resolve_command(context, [*context._protected_args, *context.args])


@needs_weights
def test_the_readme_shows_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Word for word, but for the measured times and confidences in brackets; `scripts/readme.py` writes it."""
    shown = next(block for name, block in blocks("text") if name == "README.md")
    recording = ROOT / "tests" / "fixtures" / "order.opus"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STEP_AUDIO_STATE", str(tmp_path / "state.sqlite"))
    assert command_line.main(["talk", str(recording), "-o", "answer.wav", "--pack", "coffee"]) == 0
    said = [line.partition("   (")[0] for line in capfd.readouterr().out.splitlines()]
    assert [line.partition("   (")[0] for line in shown.splitlines()] == said


def test_the_readme_shows_the_newest_figures() -> None:
    """`scripts/readme.py` writes them from the result files."""
    measured = runpy.run_path(str(ROOT / "scripts" / "readme.py"))["measured"]()
    assert measured.count("\n") > 10
    assert measured in (ROOT / "README.md").read_text("utf-8")


def test_the_pack_that_is_shown_is_a_pack(tmp_path: Path) -> None:
    from step_audio_mini.think.pack_file import load_pack

    shown = blocks("yaml")
    assert shown
    for _, text in shown:
        (tmp_path / "pack.yaml").write_text(text, encoding="utf-8")
        assert load_pack(tmp_path).intents


@needs_weights
def test_the_python_snippets_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    monkeypatch.chdir(tmp_path)
    for document in DOCUMENTS:
        code = "\n".join(block for name, block in blocks("python") if name == document.name)
        if "import torch" in code:
            pytest.importorskip("torch")
        exec(compile(code, document.name, "exec", dont_inherit=True), {})
