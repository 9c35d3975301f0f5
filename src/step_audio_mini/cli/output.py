"""What the commands print: JSON objects with stable keys, and the same for people to read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from step_audio_mini.types import Attributes, AudioChunk, Decision, Hearing, Hypothesis, ToolCall, Turn

Json = dict[str, Any]


def turn_json(turn: Turn, path: Path) -> Json:
    """The whole turn; the keys of `step-audio talk --json`."""
    hearing = hearing_json(turn.hearing)
    del hearing["nbest"]
    return hearing | decision_json(turn.decision) | {"audio": audio_json(turn.audio, path), "timings_ms": timings(turn)}


def hearing_json(hearing: Hearing) -> Json:
    """What was heard; the keys of `step-audio listen --json`."""
    best = hearing.best
    return {
        "transcript": best.text,
        "language": best.language,
        "confidence": round(best.confidence, 3),
        "words": _words(best),
        "nbest": [{"transcript": h.text, "score": round(h.score, 2), "words": _words(h)} for h in hearing.nbest],
        "attributes": attributes_json(hearing.attributes),
    }


def attributes_json(attributes: Attributes) -> Json:
    """What was measured of the voice; what the weights cannot tell (no part `speaker`) is absent, the unsure null."""
    pitch = None if attributes.pitch_hz is None else round(attributes.pitch_hz, 1)
    told: Json = {"snr_db": round(attributes.snr_db, 1), "rate": round(attributes.rate, 1), "pitch_hz": pitch}
    told |= {name: getattr(attributes, name) for name in ("language", "gender", "age") if name in attributes.confidence}
    return told | {"confidence": {name: round(chance, 3) for name, chance in attributes.confidence.items()}}


def decision_json(decision: Decision) -> Json:
    """What was decided; the keys of `step-audio think --json`."""
    return {
        "act": decision.act,
        "state": {"intent": decision.state.intent, "slots": dict(decision.state.slots)},
        "tool_calls": [_call(call) for call in decision.tool_calls],
        "reply": decision.reply,
        "style": {"emotion": decision.style.emotion, "speed": decision.style.speed},
    }


def audio_json(audio: AudioChunk, path: Path) -> Json:
    """Where the sound is and how long it lasts."""
    seconds = len(audio.samples) / audio.sample_rate
    return {"path": str(path), "sample_rate": audio.sample_rate, "seconds": round(seconds, 2)}


def timings(turn: Turn) -> dict[str, float]:
    """Whole processor milliseconds by stage."""
    return {name: round(ms) for name, ms in turn.timings_ms.items()}


def hearing_lines(hearing: Hearing) -> list[tuple[str, str]]:
    """What was heard, for people."""
    best, a = hearing.best, hearing.attributes
    if not best.words:
        return [("heard", f"nothing that I understand (SNR {a.snr_db:.0f} dB)")]
    return [("heard", f"{best.text}   ({best.language}, {best.confidence:.0%} sure, SNR {a.snr_db:.0f} dB)")]


def decision_lines(decision: Decision) -> list[tuple[str, str]]:
    """What was decided, for people."""
    slots = ", ".join(f"{name} = {value}" for name, value in decision.state.slots.items())
    understood = f"{decision.state.intent or decision.act}{': ' if slots else ''}{slots}"
    did = [("did", f"{call.name}({_arguments(call.arguments)}){_result(call)}") for call in decision.tool_calls]
    return [("understood", understood), *did, ("says", decision.reply)]


def show(lines: list[tuple[str, str]]) -> None:
    """Print labelled lines."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    width = max(11, *(len(label) + 1 for label, _ in lines))
    for label, text in lines:
        console.print(Text.assemble((label.ljust(width), "bold cyan"), text))


def show_json(content: Mapping[str, Any]) -> None:
    """Print one JSON object on one line; numbers that JSON lacks become null."""
    print(json.dumps(_plain(content), ensure_ascii=False, allow_nan=False))


def _words(hypothesis: Hypothesis) -> list[Json]:
    return [
        {
            "w": w.text,
            "lang": w.language,
            "start": round(w.start, 2),
            "end": round(w.end, 2),
            "p": round(w.confidence, 3),
        }
        for w in hypothesis.words
    ]


def _call(call: ToolCall) -> Json:
    result = None if call.result is None else dict(call.result)
    return {"name": call.name, "arguments": dict(call.arguments), "result": result}


def _arguments(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _result(call: ToolCall) -> str:
    told = {name: value for name, value in (call.result or {}).items() if (name, value) != ("outcome", "done")}
    return f" -> {_arguments(told)}" if told else ""


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.item() if hasattr(value, "item") else value
