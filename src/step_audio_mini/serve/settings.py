"""A session's configuration: what a client sends is merged into what is in force, and the whole is told back truly."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from openai.types.realtime import RealtimeSessionCreateRequest, RealtimeTranscriptionSessionCreateRequest
from pydantic import BaseModel

from step_audio_mini.converse import settings as turns
from step_audio_mini.serve.codec import FORMATS, Format, shown_format
from step_audio_mini.serve.protocol import ProtocolError

Json = dict[str, Any]
SERVER_VAD: Json = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
SEMANTIC_VAD: Json = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}
_DETECTORS = {"server_vad": SERVER_VAD, "semantic_vad": SEMANTIC_VAD}
LARGEST = 2**20
"""Characters of a session."""
LONGEST_INSTRUCTIONS, MOST_TOOLS = 100_000, 128
_RANGES = {
    "threshold": (0.0, 1.0),
    "prefix_padding_ms": (0, 2000),
    "silence_duration_ms": (0, 10_000),
    "idle_timeout_ms": (1000, 3_600_000),
}


@dataclass(frozen=True)
class Offer:
    """What the server has for a session to choose from."""

    voices: Sequence[str] = ("default",)
    """The first is the usual one: a session that names none of them speaks each language with its usual voice."""


class Session:
    """The effective configuration of one session."""

    def __init__(self, session_id: str, model: str, offer: Offer, kind: Literal["realtime", "transcription"]) -> None:
        self._offer = offer
        self._turns: tuple[Json, turns.Settings] = ({}, turns.MANUAL)
        source: Json = {"format": shown_format("audio/pcm"), "noise_reduction": None, "transcription": None}
        source["turn_detection"] = dict(SERVER_VAD)
        self._now: Json = {"type": kind, "object": "realtime.session", "id": session_id, "include": None}
        if kind == "transcription":
            self._now |= {"object": "realtime.transcription_session", "audio": {"input": source}}
            return
        output = {"format": shown_format("audio/pcm"), "voice": offer.voices[0], "speed": 1.0}
        self._now |= {
            "model": model,
            "output_modalities": ["audio"],
            "instructions": "",
            "audio": {"input": source, "output": output},
            "tools": [],
            "tool_choice": "auto",
            "parallel_tool_calls": True,
            "max_output_tokens": "inf",
            "truncation": "auto",
            "tracing": None,
            "prompt": None,
        }

    # what is in force

    @property
    def transcribes_only(self) -> bool:
        """A transcription session: no responses."""
        return bool(self._now["type"] == "transcription")

    @property
    def input(self) -> Json:
        """Everything about the client's sound."""
        source: Json = self._now["audio"]["input"]
        return source

    @property
    def input_format(self) -> Format:
        """How the client's sound is written."""
        return FORMATS[self.input["format"]["type"]]

    @property
    def output(self) -> Json:
        """Everything about our sound."""
        output: Json = self._now["audio"].get("output", {})
        return output

    @property
    def tools(self) -> list[Json]:
        """The client's functions."""
        tools: list[Json] = self._now.get("tools", [])
        return tools

    def get(self, name: str) -> Any:
        """A setting by its name in the session object."""
        return self._now.get(name)

    @property
    def extra(self) -> Json:
        """Our own settings, in the extra field `step_audio`."""
        return dict(self._now.get("step_audio") or {})

    @property
    def turns(self) -> turns.Settings:
        """Turn detection as the engine knows it."""
        if self._turns[0] is not self._now:  # asked for with every frame
            self._turns = self._now, _rules_of(self.input["turn_detection"], self.transcribes_only)
        return self._turns[1]

    def shown(self) -> RealtimeSessionCreateRequest | RealtimeTranscriptionSessionCreateRequest:
        """The whole, as `session.created` and `session.updated` tell it."""
        kind = RealtimeTranscriptionSessionCreateRequest if self.transcribes_only else RealtimeSessionCreateRequest
        return kind(**copy.deepcopy(self._now))

    # what changes it

    def update(self, wanted: BaseModel, *, voice_is_fixed: bool = False) -> None:
        """Merge the fields present; ProtocolError, and nothing changed, where one cannot be."""
        sent = wanted.model_dump(mode="json", exclude_unset=True)
        if sent["type"] != self._now["type"]:
            raise ProtocolError(
                f"this is a {self._now['type']} session; its type cannot change",
                "invalid_session_type",
                param="session.type",
            )
        changed = copy.deepcopy(self._now)
        for name in ("output_modalities", "instructions", "tools", "tool_choice", "parallel_tool_calls",
                     "max_output_tokens", "truncation", "tracing", "prompt", "include", "reasoning"):  # fmt: skip
            if name in sent and not self.transcribes_only:
                changed[name] = sent[name]
        audio = sent.get("audio") or {}
        _merge_input(changed["audio"]["input"], audio.get("input") or {})
        if not self.transcribes_only:
            self._merge_output(changed["audio"]["output"], audio.get("output") or {}, voice_is_fixed)
            _normalise(changed)
        if isinstance(sent.get("step_audio"), Mapping):
            changed["step_audio"] = {**(self._now.get("step_audio") or {}), **_own(sent["step_audio"])}
        if len(json.dumps(changed)) > LARGEST:
            raise _bad("tools", f"and all else of a session are at most {LARGEST // 2**10} KiB together")
        self._now = changed

    def _merge_output(self, output: Json, sent: Json, voice_is_fixed: bool) -> None:
        if "format" in sent:
            output["format"] = shown_format((sent["format"] or {}).get("type"))
        if sent.get("speed") is not None:
            if not 0.25 <= sent["speed"] <= 1.5:
                raise _bad("audio.output.speed", "is from 0.25 to 1.5")
            output["speed"] = sent["speed"]
        if "voice" in sent:
            voice = self.voice(sent["voice"])
            if voice_is_fixed and voice != output["voice"]:
                raise ProtocolError(
                    "the voice cannot change after it was heard",
                    "cannot_update_voice",
                    param="session.audio.output.voice",
                )
            output["voice"] = voice

    def voice(self, wanted: Any) -> str:
        """Our voice for a client's choice: another service's names mean the first of ours."""
        name = wanted.get("id") if isinstance(wanted, Mapping) else wanted
        return str(name) if name in self._offer.voices else self._offer.voices[0]


def _rules_of(detection: Json | None, transcribes_only: bool) -> turns.Settings:
    if detection is None:
        return turns.MANUAL
    facts = {name: value for name, value in detection.items() if name != "type"}
    if transcribes_only:
        facts |= {"create_response": False, "interrupt_response": False}
    return turns.semantic_vad(**facts) if detection["type"] == "semantic_vad" else turns.server_vad(**facts)


def _merge_input(source: Json, sent: Json) -> None:
    if "format" in sent:
        source["format"] = shown_format((sent["format"] or {}).get("type"))
    for name in ("noise_reduction", "transcription"):
        if name in sent:
            source[name] = sent[name]
    if "turn_detection" not in sent:
        return
    wanted = sent["turn_detection"]
    if wanted is None:
        source["turn_detection"] = None
        return
    present = {name: value for name, value in wanted.items() if value is not None or name == "idle_timeout_ms"}
    kind = present["type"]
    base = source["turn_detection"] if (source["turn_detection"] or {}).get("type") == kind else _DETECTORS[kind]
    merged = {**base, **{name: value for name, value in present.items() if name in _DETECTORS[kind]}}
    for name, (low, high) in _RANGES.items():
        if merged.get(name) is not None and not low <= merged[name] <= high:
            raise _bad(f"audio.input.turn_detection.{name}", f"is from {low} to {high}")
    source["turn_detection"] = merged


def _normalise(changed: Json) -> None:
    """Null clears; what has a bound keeps it."""
    defaults: Json = {"output_modalities": ["audio"], "instructions": "", "tools": [], "tool_choice": "auto",
                      "parallel_tool_calls": True, "max_output_tokens": "inf", "truncation": "auto"}  # fmt: skip
    for name, value in defaults.items():
        if changed[name] is None:
            changed[name] = value
    changed["output_modalities"] = modalities(changed["output_modalities"], "session.output_modalities")
    if len(changed["instructions"]) > LONGEST_INSTRUCTIONS:
        raise _bad("instructions", f"holds at most {LONGEST_INSTRUCTIONS} characters")
    if len(changed["tools"]) > MOST_TOOLS:
        raise _bad("tools", f"holds at most {MOST_TOOLS}")
    if isinstance(changed["max_output_tokens"], int) and not 1 <= changed["max_output_tokens"] <= 4096:
        raise _bad("max_output_tokens", "is from 1 to 4096, or inf")


def modalities(wanted: Sequence[str], param: str) -> list[str]:
    """Text or audio, not both; ProtocolError otherwise."""
    if list(wanted) not in (["audio"], ["text"]):
        raise ProtocolError("output_modalities is ['audio'] or ['text']", "invalid_value", param=param)
    return list(wanted)


def _own(sent: Mapping[str, Any]) -> Json:
    """The fields of `step_audio` that mean something, where they are of the right kind."""
    kinds: dict[str, type] = {"partials": bool, "hold": bool}
    return {name: sent[name] for name, kind in kinds.items() if isinstance(sent.get(name), kind)}


def _bad(field: str, what: str) -> ProtocolError:
    return ProtocolError(f"session.{field} {what}", "invalid_value", param=f"session.{field}")
