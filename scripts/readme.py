"""Writes into README.md what `./dev run` prints and the chief figures of docs/results; run it after either changed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
SHOWN = re.compile(r"(?<=^```text\n).*?(?=^```$)", re.M | re.S)
TABLE = re.compile(r"^\| can it .*?(?=^\n)", re.M | re.S)
ALL = "all of these"
CHIEF = (
    ("understand a coffee order of a stranger: all slots", "talk", "all slots right, words and the ears' vectors"),
    ("... the drink alone", "talk", "drink right, words and the ears' vectors"),
    ("follow an English request by a voice it never heard", "talk", "tool call exact, held-out phrasings in English"),
    ("... a Mandarin one", "talk", "tool call exact, held-out phrasings in Mandarin"),
    ("leave alone what asks for nothing, English: false calls", "talk", "false tool calls on read sentences, English"),
    ("... Mandarin", "talk", "false tool calls on read sentences, Mandarin"),
    ("keep the thread of a dialogue of 2-4 turns (text)", "mind", "joint goal, whole dialogues"),
    (
        "catch a name that one line of a pack taught it",
        "names",
        "name found, taught by lines of a pack",
        "taught names, both languages",
    ),
    ("... where nobody said one: false alarms", "names", "false alarms, taught by lines of a pack"),
    ("write down an English reader: word error", "ears", "word error", "libri_mini"),
    ("... a Mandarin speaker: character error", "ears", "character error", "cv_zh"),
    ("be understood: word error of PocketSphinx on its English", "voice", "word error heard by pocketsphinx"),
    ("answer at once: end of turn to first sound, 95 of 100", "talk", "endpoint to first audio, p95"),
    (
        "know when you have finished: last word to end of turn, half",
        "turns",
        "last word to end of turn, balanced, p50",
        ALL,
    ),
    ("... and not before: turns cut off", "turns", "turns ended before the last word, balanced", ALL),
    ("fall silent within 150 ms when spoken over", "turns", "assistant silent within 150 ms of speech over it", ALL),
    ("... and not for noise: stopped by it", "turns", "false stops by recorded noise"),
)
"""What a person asks, the result file, and the measure there (and the data, where several have it)."""


def printed() -> str:
    """The output of the command that `./dev run` runs, on a counter that has served nobody yet."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "STEP_AUDIO_STATE": str(Path(folder, "state.sqlite"))}
        command = [sys.executable, "-m", "step_audio_mini.cli.main", "talk", "tests/fixtures/order.opus"]
        command += ["-o", "answer.wav", "--pack", "coffee"]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


def measured() -> str:
    """The chief figures as a table."""
    lines = ["| can it ... | measured | 95 % interval | on |\n", "|---|--:|---|---|\n"]
    for question, part, measure, *data in CHIEF:
        rows = json.loads((ROOT / "docs" / "results" / f"{part}.json").read_text("utf-8"))["rows"]
        row = next(
            row
            for row in rows
            if row["measure"] == measure and row["system"] == "step-audio-mini" and (not data or row["data"] in data)
        )
        value, low, high = (_figure(row[key]) for key in ("value", "low", "high"))
        on = "both languages" if row["data"] == ALL else row["data"]
        lines.append(f"| {question} | {value} {row['unit']} | {low} ... {high} | {row['n']}, {on}, {row['kind']} |\n")
    return "".join(lines)


def _figure(value: float) -> str:
    return f"{value:.0f}" if value >= 2 or value == round(value) else f"{value:.1f}"


if __name__ == "__main__":
    text = SHOWN.sub(lambda _: printed(), README.read_text("utf-8"), count=1)
    README.write_text(TABLE.sub(lambda _: measured(), text, count=1), encoding="utf-8")
