"""Measures what the model costs: processor time per second of sound, time to the first sound, memory, cold start."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median

from step_audio_mini.audio import file
from step_audio_mini.errors import UserError
from step_audio_mini.evaluate.intervals import Figure
from step_audio_mini.evaluate.results import Row, row
from step_audio_mini.model import StepAudio2Mini
from step_audio_mini.types import SAMPLE_RATE, Language, Samples

RUNS = 5
"""Every figure is the median of so many runs after a warm-up; its interval is their span."""
TEXTS: dict[Language, str] = {
    "en": "The living room light is at forty percent, and the timer runs for ten minutes.",
    "zh": "客厅的灯调到百分之四十了，计时十分钟，开始了。",
}


def repeated(run: Callable[[], float]) -> Figure:
    """Median, least and most of `RUNS` measurements, the first of which is thrown away."""
    values = [run() for _ in range(RUNS + 1)][1:]
    return Figure(median(values), min(values), max(values), RUNS, "runs, least to most")


def cpu_seconds(work: Callable[[], object]) -> float:
    """Processor seconds of this process that `work` takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


def listen_rows(model: StepAudio2Mini, sounds: Sequence[Samples], pack: str) -> list[Row]:
    """Real-time factor of the ears with a pack's context: processor seconds a second of sound."""
    seconds = sum(len(sound) for sound in sounds) / SAMPLE_RATE
    figure = repeated(lambda: cpu_seconds(lambda: [model.listen(sound, pack) for sound in sounds]) / seconds)
    return [_row("real-time factor, listen", f"{len(sounds)} recordings, pack {pack}", figure, "x")]


def speak_rows(model: StepAudio2Mini) -> list[Row]:
    """Real-time factor of the voice, languages apart."""
    rows = []
    for language, text in TEXTS.items():
        seconds = len(model.speak(text, language).samples) / SAMPLE_RATE
        figure = repeated(lambda text=text, s=seconds: cpu_seconds(lambda: model.speak(text)) / s)  # type: ignore[misc]
        rows.append(_row("real-time factor, speak", f"a sentence of {seconds:.1f} s, {language}", figure, "x"))
    return rows


def talk_rows(model: StepAudio2Mini, recording: Path, pack: str, weights: str) -> list[Row]:
    """Stages of one turn, and a cold start of the command with its peak memory."""
    data = f"{recording.name}, pack {pack}"
    turns = [model.talk(recording, pack) for _ in range(RUNS + 1)][1:]
    rows = []
    for name in ("listen", "think", "speak_first", "total"):
        values = [turn.timings_ms[name] for turn in turns]
        figure = Figure(median(values), min(values), max(values), RUNS, "runs, least to most")
        rows.append(_row(f"talk, {name}", data, figure, "ms"))
    starts = [cold_start(recording, pack, weights) for _ in range(RUNS)]
    for column, (name, unit) in enumerate((("wall time", "s"), ("processor time", "s"), ("peak memory", "MB"))):
        values = [start[column] for start in starts]
        figure = Figure(median(values), min(values), max(values), RUNS, "runs, least to most")
        rows.append(_row(f"talk from a cold start, {name}", data, figure, unit))
    return rows


PEAK = """
from step_audio_mini.evaluate.speed import peak_megabytes

print(peak_megabytes())
"""
COLD = """
import sys
from step_audio_mini.cli.main import main

code = main(sys.argv[1:])
if code:
    sys.exit(code)
"""
ANSWERER = """
import sys
from step_audio_mini.model import StepAudio2Mini

model = StepAudio2Mini.from_pretrained(sys.argv[1])
for line in sys.stdin:
    pack, path = line.rstrip("\\n").split(" ", 1)
    model.talk(path, pack)
"""
"""What processes of their own do; each tells its peak at the end, because that of a child counts its parent's too."""


def cold_start(recording: Path, pack: str, weights: str) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and peak megabytes of `step-audio talk` in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["talk", str(recording), "--pack", pack, "--weights", weights, "-o", str(Path(folder) / "answer.wav")]
        began = time.monotonic()
        cost = _run(COLD, command, "", {}, f"step-audio talk {recording}")
        return time.monotonic() - began, *cost


def answering_megabytes(sounds: Iterable[tuple[Samples, str]], weights: str) -> float:
    """Peak megabytes of a process that does nothing but answer recordings, each with its pack."""
    with tempfile.TemporaryDirectory() as folder:
        lines = []
        for number, (samples, pack) in enumerate(sounds):
            path = Path(folder) / f"{number}.wav"
            file.write(path, samples)
            lines.append(f"{pack} {path}\n")
        state = {"STEP_AUDIO_STATE": str(Path(folder) / "state.sqlite")}
        return _run(ANSWERER, [weights], "".join(lines), state, "a process that answers recordings")[1]


def _run(
    code: str, arguments: Sequence[str], given: str, environment: dict[str, str], what: str
) -> tuple[float, float]:
    """Processor seconds and peak megabytes of a Python process."""
    command = [sys.executable, "-c", code + PEAK, *arguments]
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | environment,
    )
    assert child.stdin is not None and child.stdout is not None
    with child.stdin as asked, child.stdout as told:
        asked.write(given)
        asked.close()
        printed = told.read().split()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise UserError(f"{what} ended with {child.returncode}; run it alone to see why")
    return usage.ru_utime + usage.ru_stime, float(printed[-1])


def peak_megabytes() -> float:
    """Most memory this process ever held."""
    try:  # on Linux the figure of getrusage counts the process that started this one
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


def machine() -> str:
    """Kind of processor, for a table of times."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, one thread"


def _row(measure: str, data: str, figure: Figure, unit: str) -> Row:
    return row(measure, data, figure, "real" if "listen" in measure or "talk" in measure else "synthetic", unit)
