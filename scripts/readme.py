"""Writes what `./dev run` prints into README.md; to be run after weights or search have changed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
SHOWN = re.compile(r"(?<=^```text\n).*?(?=^```$)", re.M | re.S)


def printed() -> str:
    """The output of the command that `./dev run` runs, on a counter that has served nobody yet."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "STEP_AUDIO_STATE": str(Path(folder, "state.sqlite"))}
        command = [sys.executable, "-m", "step_audio_mini.cli.main", "talk", "tests/fixtures/order.opus"]
        command += ["-o", "answer.wav", "--pack", "coffee"]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    README.write_text(SHOWN.sub(lambda _: printed(), README.read_text("utf-8"), count=1), encoding="utf-8")
