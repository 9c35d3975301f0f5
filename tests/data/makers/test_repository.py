from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from step_audio_mini.data.makers.repository import Repository
from step_audio_mini.errors import UserError

from .clones import ENVIRONMENT, clone

pytestmark = pytest.mark.unit


def test_reads_what_is_committed(tmp_path: Path) -> None:
    folder = clone(tmp_path, "a/b", {"x/一 y.txt": "\ufeffhello", "x/z.wav": b"\0\1\n\2", "top": ""})
    (folder / "top").write_text("not committed")
    with Repository(tmp_path, "a/b") as repository:
        assert repository.files == ["top", "x/z.wav", "x/一 y.txt"]
        assert repository.under("x", ".wav") == ["x/z.wav"]
        assert "top" in repository and "x" not in repository
        assert repository.read("x/z.wav") == b"\0\1\n\2"
        assert repository.text("x/一 y.txt") == "hello"
        assert repository.read("top") == b""
        assert repository.source("top") == f"a/b@{repository.commit}:top"
        assert len(repository.commit) == 40
        with pytest.raises(UserError, match="no file gone"):
            repository.read("gone")
        assert repository.text("x/一 y.txt") == "hello"  # still in step after a miss


def test_bare_clone_and_other_places(tmp_path: Path) -> None:
    folder = clone(tmp_path / "m", "a/b", {"f": "1"})
    target = tmp_path / "n" / "a+b" / "repo"
    subprocess.run(["git", "clone", "-q", "--bare", folder, target], check=True, env=ENVIRONMENT)
    with Repository(tmp_path / "n", "a/b") as repository:
        assert repository.text("f") == "1"


def test_missing_clone_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"git clone https://github\.com/a/b"):
        Repository(tmp_path, "a/b")
    (tmp_path / "a+b").mkdir()
    (tmp_path / "a+b" / "HEAD").write_text("ref: nothing")
    with pytest.raises(UserError, match="git cannot read"):
        Repository(tmp_path, "a/b")
