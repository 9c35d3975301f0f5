"""`step-audio doctor`: whether this installation is whole and works."""

from __future__ import annotations

import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import typer

from step_audio_mini.cli import output as out
from step_audio_mini.cli.options import BUILT_IN, JsonOption, WeightsOption
from step_audio_mini.errors import UserError

PACKAGES = ("step-audio-mini", "numpy", "onnxruntime", "kaldifst", "kaldi-decoder", "soundfile", "soxr", "wetext")
SENTENCE = "turn on the light"


def doctor(weights: WeightsOption = BUILT_IN, as_json: JsonOption = False) -> None:
    """Check versions, weight files and memory, and let the model speak and listen to itself.

    JSON keys: ok, versions, weights (part: file, ok, parameters, megabytes), parameters, self_test (ok, what, said,
    heard, cpu_ms), peak_megabytes.
    """
    from step_audio_mini.runtime.manifest import Weights

    opened = Weights.open(weights)
    parts = {name: _part(opened, name) for name in opened.parts}
    whole = all(part["ok"] for part in parts.values())
    test = _self_test(weights) if whole else {"ok": False, "what": "not run: weights are damaged"}
    report = {
        "ok": whole and test["ok"],
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "weights": parts,
        "parameters": opened.parameters,
        "self_test": test,
        "peak_megabytes": _peak_megabytes(),
    }
    if as_json:
        out.show_json(report)
    else:
        out.show(_lines(report))
    if not report["ok"]:
        raise typer.Exit(2)


def _part(weights: Any, name: str) -> dict[str, Any]:
    part = weights.part(name)
    try:
        size = len(weights.read(name))
    except UserError as error:
        return {"file": part.file, "ok": False, "what": str(error), "parameters": part.parameters}
    return {"file": part.file, "ok": True, "parameters": part.parameters, "megabytes": round(size / 2**20, 2)}


def _self_test(weights: str) -> dict[str, Any]:
    """Say a sentence and listen to it: no measure of quality, but every graph runs."""
    from step_audio_mini.model import StepAudio2Mini

    start = time.process_time()
    try:
        model = StepAudio2Mini.from_pretrained(weights)
        audio = model.speak(SENTENCE, "en")
        turn = model.talk(audio.samples, "home")
    except UserError as error:
        return {"ok": False, "what": str(error)}
    ok = bool(len(turn.audio.samples)) and bool(turn.decision.reply)
    cpu_ms = round(1000 * (time.process_time() - start))
    what = "speaks, listens and answers" if ok else "gave no answer"
    return {"ok": ok, "what": what, "said": SENTENCE, "heard": turn.hearing.best.text, "cpu_ms": cpu_ms}


def _lines(report: dict[str, Any]) -> list[tuple[str, str]]:
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    lines = [("versions", versions)]
    for name, part in report["weights"].items():
        state = f"{part['megabytes']} MB, {part['parameters']:,} parameters" if part["ok"] else part["what"]
        lines.append(("weights", f"{name}: {part['file']} {'ok' if part['ok'] else 'DAMAGED'}, {state}"))
    test = report["self_test"]
    lines += [
        ("parameters", f"{report['parameters']:,} of at most 48,000,000"),
        ("self test", f"{'ok' if test['ok'] else 'FAILED'}: {test['what']}"),
        ("memory", f"{report['peak_megabytes']} MB at its peak"),
    ]
    return [*lines, ("verdict", "all well" if report["ok"] else "not well: see above")]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _peak_megabytes() -> int | None:
    if sys.platform == "win32":
        return None
    from step_audio_mini.evaluate.speed import peak_megabytes

    return round(peak_megabytes())
