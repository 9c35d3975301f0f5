"""Reads files out of a git clone at one commit, so that every clip of a pack names exactly where it came from."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Protocol

from step_audio_mini.errors import UserError


class Files(Protocol):
    """Files of a source by path: a clone, or a folder that was unpacked."""

    def read(self, path: str) -> bytes:
        """Content of a file."""

    def source(self, path: str) -> str:
        """How a manifest names a file."""


class Tree(Files, Protocol):
    """Files that can also be listed."""

    def text(self, path: str) -> str:
        """Content of a UTF-8 file."""

    def under(self, folder: str, *endings: str) -> list[str]:
        """Paths below a folder (without a slash at its end), with one of the endings where some are given."""


class Folder:
    """A corpus as its owners hand it out, unpacked: its files by their path below the folder."""

    def __init__(self, folder: Path, name: str) -> None:
        if not folder.is_dir():
            raise UserError(f"{folder} is no folder; name the one that the corpus {name} was unpacked to")
        self._folder, self.name = folder, name

    def find(self, pattern: str) -> list[str]:
        """Paths that match a pattern, sorted."""
        return sorted(path.relative_to(self._folder).as_posix() for path in self._folder.glob(pattern))

    def under(self, folder: str, *endings: str) -> list[str]:
        """Paths below a folder (without a slash at its end), with one of the endings where some are given."""
        return [path for path in self.find(f"{folder}/**/*") if not endings or path.lower().endswith(endings)]

    def read(self, path: str) -> bytes:
        """Content of a file; UserError where it is not there."""
        try:
            return (self._folder / path).read_bytes()
        except OSError as wrong:
            raise UserError(
                f"{self._folder / path} cannot be read ({wrong.strerror}); unpack {self.name} again"
            ) from None

    def text(self, path: str) -> str:
        """Content of a UTF-8 file."""
        return self.read(path).decode("utf-8-sig", "replace")

    def source(self, path: str) -> str:
        """The corpus and the path in it."""
        return f"{self.name}:{path}"


class Repository:
    """A local clone of `github.com/<name>`, bare or with a work tree; only committed files count."""

    def __init__(self, mirror: Path, name: str, commit: str = "HEAD") -> None:
        self.name = name
        self._git = _find(mirror, name)
        self.commit = self._run("rev-parse", f"{commit}^{{commit}}").decode().strip()
        self.files = self._list()
        """Paths of all files whose content is in the clone, sorted."""
        self._batch: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Repository:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the git process; reading again starts it again."""
        if self._batch is not None:
            self._batch.communicate()
            self._batch = None

    def under(self, folder: str, *endings: str) -> list[str]:
        """Paths below a folder (without a slash at its end), with one of the endings where some are given."""
        below = (path for path in self.files if path.startswith(folder + "/"))
        return [path for path in below if not endings or path.lower().endswith(endings)]

    def __contains__(self, path: str) -> bool:
        return path in self._known

    def read(self, path: str) -> bytes:
        """Content of a file; UserError where the commit or the clone lacks it."""
        if self._batch is None:
            self._batch = subprocess.Popen(
                ["git", "--git-dir", str(self._git), "cat-file", "--batch"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=_environment(),
            )
        assert self._batch.stdin is not None and self._batch.stdout is not None
        self._batch.stdin.write(f"{self.commit}:{path}\n".encode())
        self._batch.stdin.flush()
        head = self._batch.stdout.readline().split()
        if len(head) != 3 or head[1] != b"blob":
            raise UserError(f"{self.name} has no file {path} at {self.commit[:10]}; clone it whole (no partial clone)")
        content = self._batch.stdout.read(int(head[2]))
        self._batch.stdout.read(1)  # the line end after the content
        return content

    def text(self, path: str) -> str:
        """Content of a UTF-8 file, without a byte order mark; wrong bytes become the replacement character."""
        return self.read(path).decode("utf-8-sig", "replace")

    def source(self, path: str) -> str:
        """How a manifest names a file: `owner/name@commit:path`."""
        return f"{self.name}@{self.commit}:{path}"

    def _list(self) -> list[str]:
        paths = []
        for line in self._run("ls-tree", "-r", "-l", "-z", self.commit).decode("utf-8", "replace").split("\0"):
            facts, _, path = line.partition("\t")
            words = facts.split()
            if len(words) == 4 and words[1] == "blob" and words[3].isdigit():  # a blob that is absent has no size
                paths.append(path)
        self._known = frozenset(paths)
        return sorted(paths)

    def _run(self, *arguments: str) -> bytes:
        try:
            command = ["git", "--git-dir", str(self._git), *arguments]
            return subprocess.run(command, check=True, capture_output=True, env=_environment()).stdout
        except (OSError, subprocess.CalledProcessError) as wrong:
            raise UserError(f"git cannot read {self._git} ({wrong}); clone {self.name} again") from wrong


def _find(mirror: Path, name: str) -> Path:
    base = mirror / name.replace("/", "+")
    for folder in (base / "repo" / ".git", base / "repo", base / ".git", base):
        if (folder / "HEAD").is_file():
            return folder
    raise UserError(f"{base} is no git clone; run: git clone https://github.com/{name} {base}")


def _environment() -> dict[str, str]:
    # a missing blob is an answer here, not a reason to use the network
    return os.environ | {"GIT_NO_LAZY_FETCH": "1"}
