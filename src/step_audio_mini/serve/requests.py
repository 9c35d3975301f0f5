"""Responses that clients ask for: what `response.create` says over the session, out-of-band ones, and cancelling."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Literal

from openai.types import realtime as rt

from step_audio_mini.converse import events
from step_audio_mini.serve.codec import FORMATS
from step_audio_mini.serve.conversation import Entry
from step_audio_mini.serve.items import Items
from step_audio_mini.serve.protocol import ProtocolError
from step_audio_mini.serve.responses import Asked, Response
from step_audio_mini.serve.settings import modalities
from step_audio_mini.serve.stage import Stage
from step_audio_mini.serve.turns import Turns
from step_audio_mini.types import Hearing

log = logging.getLogger("step_audio_mini.serve")
MOST_APART = 4
"""Out-of-band responses of one session at a time."""


class Requests:
    """What the responses of one session are to be."""

    def __init__(self, stage: Stage, conversation_id: str) -> None:
        self._stage, self._conversation_id = stage, conversation_id
        self._wanted: dict[str, rt.RealtimeResponseCreateParams] = {}
        self._tools: set[str] | None = None
        self._active: Response | None = None
        self._apart: dict[str, tuple[Response, asyncio.Task[None]]] = {}
        self.spoken = False
        """Whether our voice was heard: it cannot change any more."""

    def create(self, event: rt.ResponseCreateEvent, turns: Turns, items: Items) -> None:
        """`response.create`."""
        wanted = event.response or rt.RealtimeResponseCreateParams()
        self._check(wanted)
        if not self._stage.quota.remaining:
            raise ProtocolError("too many responses within a minute", "rate_limit_exceeded")
        hearing = self._given(wanted, turns, items)
        if wanted.conversation == "none":
            self._answer_apart(wanted, turns, hearing)
            return
        request = turns.request(event.event_id)
        self._wanted[request] = wanted
        if hearing is not None:
            turns.inputs[request] = hearing
        turns.tell(events.CreateResponse(request))
        self._wanted.pop(request, None)
        turns.inputs.pop(request, None)

    def _given(
        self, wanted: rt.RealtimeResponseCreateParams, turns: Turns, items: Items
    ) -> asyncio.Future[Hearing] | None:
        """What is to be answered, where the request says so itself."""
        if wanted.input is None:
            return None
        entries = [items.entry(item) for item in wanted.input]
        last = next((entry for entry in reversed(entries) if getattr(entry.item, "role", "") == "user"), None)
        return turns.hearing_of(
            last or Entry(rt.RealtimeConversationItemUserMessage(type="message", role="user", content=[]))
        )

    def _answer_apart(
        self, wanted: rt.RealtimeResponseCreateParams, turns: Turns, hearing: asyncio.Future[Hearing] | None
    ) -> None:
        """A response out of band, beside whatever goes on."""
        self._apart = {name: pair for name, pair in self._apart.items() if not pair[0].over}
        if len(self._apart) >= MOST_APART:
            raise ProtocolError(
                f"{MOST_APART} responses out of band run already", "conversation_already_has_active_response"
            )
        if hearing is None:
            users = [entry for entry in self._stage.conversation if getattr(entry.item, "role", "") == "user"]
            hearing = turns.hearing_of(users[-1]) if users else None
        self._stage.quota.take()
        response = self._begin(wanted, None)
        tools = _names(self._stage.session.tools if wanted.tools is None else wanted.tools)
        task = self._stage.spawn(self._make_apart(response, turns, hearing, tools))
        self._apart[response.id] = (response, task)

    async def _make_apart(
        self, response: Response, turns: Turns, hearing: asyncio.Future[Hearing] | None, tools: set[str]
    ) -> None:
        try:
            if hearing is not None:
                await turns.maker.apart(response, await asyncio.shield(hearing), tools)
        except Exception as error:
            log.warning("a response out of band failed", extra={"facts": {"error": type(error).__name__}})
            response.finish("failed", error=("server_error", "the reply could not be made; the session goes on"))
        response.finish("completed")

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
        name, generation = event.response_id, None
        if name is not None and name in self._apart and not self._apart[name][0].over:
            response, task = self._apart.pop(name)
            task.cancel()
            response.finish("cancelled", "client_cancelled")
            return
        if name is not None:
            active = self._active
            generation = active.generation if active is not None and not active.over and active.id == name else None
            generation = -1 if generation is None else generation
        turns.tell(events.Cancel(turns.request(event.event_id), generation))

    def respond(self, request: str | None) -> Response:
        """Begin the response to a client's request, or to a turn of the user."""
        wanted = self._wanted.pop(request, None) if request else None
        self._tools = None if wanted is None or wanted.tools is None else _names(wanted.tools)
        self._active = self._begin(wanted or rt.RealtimeResponseCreateParams(), self._conversation_id)
        return self._active

    def _begin(self, wanted: rt.RealtimeResponseCreateParams, conversation_id: str | None) -> Response:
        stage = self._stage
        asked = self._asked(wanted, conversation_id)
        self.spoken = self.spoken or asked.modality == "audio"
        response = Response(stage.wire, stage.outbox, stage.conversation, asked, self._ended)
        quota = stage.quota
        limit = {"name": "requests", "limit": quota.limit, "remaining": quota.remaining}
        stage.wire.send(rt.RateLimitsUpdatedEvent, rate_limits=[{**limit, "reset_seconds": quota.reset_seconds}])
        return response

    def _ended(self, response: Response, status: str) -> None:
        self._stage.metrics.answered(status, response.timings)

    def _asked(self, wanted: rt.RealtimeResponseCreateParams, conversation_id: str | None) -> Asked:
        session = self._stage.session
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
        if self._stage.session.get("tool_choice") == "none":
            return set()
        return _names(self._stage.session.tools) if self._tools is None else self._tools


def _names(tools: Any) -> set[str]:
    plain = [tool if isinstance(tool, dict) else tool.model_dump() for tool in tools]
    return {str(tool["name"]) for tool in plain if tool.get("type") == "function" and tool.get("name")}
