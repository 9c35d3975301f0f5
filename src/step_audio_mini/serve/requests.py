"""Responses that clients ask for: what `response.create` says over the session, out-of-band ones, and cancelling."""

from __future__ import annotations

from typing import Any, Literal

from openai.types import realtime as rt

from step_audio_mini.converse import events
from step_audio_mini.serve.codec import FORMATS
from step_audio_mini.serve.conversation import Conversation
from step_audio_mini.serve.outbox import Outbox
from step_audio_mini.serve.protocol import ProtocolError, Wire
from step_audio_mini.serve.responses import Asked, Response
from step_audio_mini.serve.settings import Session, modalities
from step_audio_mini.serve.turns import Turns

MOST_APART = 4
"""Out-of-band responses of one session at a time."""


class Requests:
    """What the responses of one session are to be."""

    def __init__(
        self, wire: Wire, outbox: Outbox, conversation: Conversation, session: Session, conversation_id: str
    ) -> None:
        self._wire, self._outbox, self._conversation = wire, outbox, conversation
        self._session, self._conversation_id = session, conversation_id
        self._wanted: dict[str, rt.RealtimeResponseCreateParams] = {}
        self._tools: set[str] | None = None
        self._active: Response | None = None
        self.spoken = False

    def create(self, event: rt.ResponseCreateEvent, turns: Turns) -> None:
        """`response.create`."""
        wanted = event.response or rt.RealtimeResponseCreateParams()
        self._check(wanted)
        if wanted.conversation == "none":
            raise ProtocolError(
                "out-of-band responses are not there yet", "invalid_value", param="response.conversation"
            )
        request = turns.request(event.event_id)
        self._wanted[request] = wanted
        turns.tell(events.CreateResponse(request))
        self._wanted.pop(request, None)

    def _check(self, wanted: rt.RealtimeResponseCreateParams) -> None:
        if wanted.output_modalities is not None:
            modalities(wanted.output_modalities, "response.output_modalities")
        if wanted.conversation not in (None, "auto", "none", self._conversation_id):
            raise ProtocolError("conversation is auto or none", "invalid_value", param="response.conversation")
        most = wanted.max_output_tokens
        if isinstance(most, int) and not 1 <= most <= 4096:
            raise ProtocolError(
                "max_output_tokens is from 1 to 4096", "invalid_value", param="response.max_output_tokens"
            )
        metadata = wanted.metadata or {}
        if len(metadata) > 16 or any(len(k) > 64 or len(v) > 512 for k, v in metadata.items()):
            raise ProtocolError(
                "metadata has at most 16 keys of 64 characters with values of 512",
                "invalid_value",
                param="response.metadata",
            )

    def cancel(self, event: rt.ResponseCancelEvent, turns: Turns) -> None:
        """`response.cancel`: of the response that runs, or of one by its id."""
        generation = None
        if event.response_id is not None:
            active = self._active
            known = active is not None and not active.over and active.id == event.response_id
            generation = active.generation if known and active is not None else -1
        turns.tell(events.Cancel(turns.request(event.event_id), generation))

    def respond(self, request: str | None) -> Response:
        """Begin the response to a client's request, or to a turn of the user."""
        wanted = self._wanted.pop(request, None) if request else None
        asked = self._asked(wanted or rt.RealtimeResponseCreateParams(), self._conversation_id)
        self._tools = None if wanted is None or wanted.tools is None else _names(wanted.tools)
        self._active = Response(self._wire, self._outbox, self._conversation, asked)
        self.spoken = self.spoken or asked.modality == "audio"
        return self._active

    def _asked(self, wanted: rt.RealtimeResponseCreateParams, conversation_id: str | None) -> Asked:
        session = self._session
        modality: Literal["audio", "text"] = (wanted.output_modalities or session.get("output_modalities"))[0]
        output = wanted.audio.output if wanted.audio else None
        name = output.format.type if output and output.format else None
        most = wanted.max_output_tokens or session.get("max_output_tokens")
        voice = session.output["voice"] if output is None or output.voice is None else session.voice(output.voice)
        return Asked(
            modality=modality,
            wire=FORMATS[name or session.output["format"]["type"]],
            voice=voice,
            most_tokens=most if isinstance(most, int) else None,
            metadata=wanted.metadata,
            conversation_id=conversation_id,
        )

    def client_tools(self) -> set[str]:
        """Names of the functions that the client runs."""
        if self._session.get("tool_choice") == "none":
            return set()
        return _names(self._session.tools) if self._tools is None else self._tools

    def speed(self) -> float:
        """How fast the session wants to be spoken to."""
        return float(self._session.output.get("speed") or 1.0)


def _names(tools: Any) -> set[str]:
    plain = [tool if isinstance(tool, dict) else tool.model_dump() for tool in tools]
    return {str(tool["name"]) for tool in plain if tool.get("type") == "function" and tool.get("name")}
