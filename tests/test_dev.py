"""`./dev` and the files it installs by."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[1]
NOT_INSTALLED = {"prepare", "pitch"}
"""Extras that `./dev test` does not install."""


def names(file: str) -> set[str]:
    """Packages that a constraints file pins."""
    lines = (ROOT / file).read_text("utf-8").splitlines()
    return {re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower() for line in lines if "==" in line}


def wanted(requirements: list[str]) -> set[str]:
    return {re.sub(r"[-_.]+", "-", re.split(r"[<>=;\[ ]", r)[0]).lower() for r in requirements}


def test_everything_that_is_installed_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    core = names("constraints.txt")
    assert wanted(project["dependencies"]) <= core
    extras = project["optional-dependencies"].items()
    rest = wanted([r for extra, requirements in extras if extra not in NOT_INSTALLED for r in requirements])
    assert rest <= core | names("constraints-dev.txt")
    assert "torch==2.13.0" in (ROOT / "constraints-dev.txt").read_text("utf-8").splitlines()
    assert "torch" not in core


def test_help_and_unknown_commands() -> None:
    for arguments, code in ((["help"], 0), ([], 0), (["sing"], 2)):
        done = subprocess.run(
            [sys.executable, "dev", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == code
        assert "./dev run" in done.stdout
        assert "./dev test" in done.stdout


def test_dev_needs_the_standard_library_only() -> None:
    command = [sys.executable, "-I", "-S", "dev", "help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
