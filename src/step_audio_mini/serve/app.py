"""The server as an ASGI application: the WebSocket of the Realtime protocol and the HTTP faces beside it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response, WebSocket
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from openai.types.realtime import RealtimeSessionCreateRequest, client_secret_create_response
from openai.types.realtime.session_update_event import Session as SessionRequest
from pydantic import BaseModel, Field, ValidationError

from step_audio_mini.serve.keys import LONGEST, SHORTEST, USUAL, given_key
from step_audio_mini.serve.limits import RefusedError
from step_audio_mini.serve.protocol import ProtocolError
from step_audio_mini.serve.service import MODEL, Models, Options, Service
from step_audio_mini.serve.settings import Session
from step_audio_mini.serve.sockets import Frames

WEB = Path(__file__).parent / "web"
LARGEST_BODY = 256 * 2**10
"""Bytes of a request."""


class ExpiresAfter(BaseModel):
    """How long a client secret lives."""

    anchor: Literal["created_at"] = "created_at"
    seconds: int = Field(default=USUAL, ge=SHORTEST, le=LONGEST)


class SecretRequest(BaseModel):
    """The body of `POST /v1/realtime/client_secrets`; the package has its parameters as typed dicts only."""

    expires_after: ExpiresAfter = ExpiresAfter()
    session: SessionRequest | None = None


def make_app(
    worker: AbstractAsyncContextManager[Models], tools: Callable[[Any], Any], options: Options | None = None
) -> FastAPI:
    """The application; it starts and ends the worker with itself. `tools` makes what runs the functions of a call."""
    service = Service(options or Options(), tools)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        async with worker as models:
            service.models = models
            await service.warm()
            yield
        if service.options.chat is not None:
            await service.options.chat.close()

    async def nothing(web: WebSocket) -> None:
        await web.send_denial_response(_refusal(RefusedError(404, "calls are at /v1/realtime")))

    app = FastAPI(title="step-audio-mini", lifespan=life, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.service, app.state.drain = service, service.drain
    Faces(service).add_to(app)
    app.add_api_websocket_route("/{path:path}", nothing)
    if (WEB / "index.html").exists():
        app.mount("/", StaticFiles(directory=WEB, html=True))
    return app


class Faces:
    """What the server answers."""

    def __init__(self, service: Service) -> None:
        self._service, self._options = service, service.options

    def add_to(self, app: FastAPI) -> None:
        """Add the routes."""
        who = Depends(self.who)
        app.add_api_websocket_route("/v1/realtime", self.realtime)
        app.add_api_route("/v1/realtime/client_secrets", self.client_secret, methods=["POST"])
        app.add_api_route("/v1/models", self.models, dependencies=[who])
        app.add_api_route("/v1/models/{name}", self.model, dependencies=[who])
        app.add_api_route("/healthz", self.healthz)
        app.add_api_route("/readyz", self.readyz)
        app.add_api_route("/metrics", self.metrics, dependencies=[who])
        app.add_exception_handler(HTTPException, _told)

    # the socket

    async def realtime(self, web: WebSocket) -> None:
        """`WS /v1/realtime?model=...`: a call."""
        offered = list(web.scope.get("subprotocols", []))
        try:
            key, secret, model = self._admit(web, offered)
        except RefusedError as refused:
            self._service.metrics.refused.labels(str(refused.status)).inc()
            await web.send_denial_response(_refusal(refused))
            return
        frames = Frames(web)
        try:
            # a protocol is chosen only from those that were offered: a browser closes a connection that names another
            await web.accept(subprotocol="realtime" if "realtime" in offered else None)
            first = secret.session if secret else None
            asked = first.type if first else web.query_params.get("intent")
            kind: Literal["realtime", "transcription"] = "transcription" if asked == "transcription" else "realtime"
            closed = await self._service.hold(frames, model, kind, key, first)
            await frames.close(closed.code, closed.reason)
        except Exception:
            await frames.close(1011, "the call broke; connect again")
            raise
        finally:
            self._service.admission.leave(key)

    def _admit(self, web: WebSocket, offered: list[str]) -> tuple[str, Any, str]:
        """The key's name, its client secret if it is one, and the model; RefusedError."""
        self._check_host(web.headers.get("host"))
        self._check_origin(web.headers.get("origin"), web.headers.get("host"))
        given = given_key(web.headers.get("authorization"), offered)
        key = self._options.keys.who(given)
        if key is None:
            raise RefusedError(401, "a key is needed: Authorization: Bearer KEY, or openai-insecure-api-key.KEY")
        secret = self._options.keys.secret(given)
        model = web.query_params.get("model") or getattr(secret and secret.session, "model", None) or MODEL
        self._service.packs_of(model)
        self._service.admission.enter(key, self._options.keys.allowance(key).calls)
        return key, secret, model

    def _check_host(self, host: str | None) -> None:
        if self._options.hosts and _name(host) not in self._options.hosts:
            raise RefusedError(421, "this server is not known by that name; start it with --host to open it to others")

    def _check_origin(self, origin: str | None, host: str | None) -> None:
        """A page of another site must not talk to a server on the machine of its visitor."""
        if origin is None or origin in self._options.origins:
            return
        if not host or urlsplit(origin).netloc.lower() != host.lower():
            raise RefusedError(403, f"pages of {origin[:100]} may not connect; --origin allows them")

    # HTTP

    def who(self, request: Request, authorization: Annotated[str | None, Header()] = None) -> str:
        """The name of the key of a request; 401 where it has none."""
        try:
            self._check_host(request.headers.get("host"))
        except RefusedError as refused:
            raise HTTPException(refused.status, str(refused)) from None
        key = self._options.keys.who(given_key(authorization, []))
        if key is None:
            raise HTTPException(401, "a key is needed: Authorization: Bearer KEY")
        return key

    async def client_secret(self, request: Request, authorization: Annotated[str | None, Header()] = None) -> Response:
        """`POST /v1/realtime/client_secrets`: a key for a browser, and the session it begins with."""
        key = self.who(request, authorization)
        body = await _secret_request(request)
        wanted = body.session or RealtimeSessionCreateRequest(type="realtime")
        model = getattr(wanted, "model", None) or MODEL
        try:
            self._service.packs_of(model)
            session = Session("sess_none", model, self._service.offer, wanted.type)
            session.update(wanted)
        except (ProtocolError, RefusedError) as error:
            raise HTTPException(400, str(error)) from None
        secret = self._options.keys.make_secret(key, wanted, body.expires_after.seconds)
        answer = client_secret_create_response.ClientSecretCreateResponse.model_validate(
            {
                "value": secret.value,
                "expires_at": secret.expires_at,
                "session": session.shown().model_dump(exclude_unset=True),
            }
        )
        return Response(answer.model_dump_json(exclude_unset=True), media_type="application/json")

    async def models(self) -> dict[str, Any]:
        """`GET /v1/models`."""
        return {"object": "list", "data": [self._entry(suffix) for suffix in self._options.packs]}

    async def model(self, name: str) -> dict[str, Any]:
        """`GET /v1/models/NAME`."""
        if name not in self._service.names():
            raise HTTPException(404, f"there is no model {name!r}; there are {', '.join(self._service.names())}")
        return self._entry(name.partition(":")[2])

    def _entry(self, suffix: str) -> dict[str, Any]:
        name = f"{MODEL}:{suffix}" if suffix else MODEL
        about = {"packs": list(self._options.packs[suffix]), **self._options.about.get(suffix, {})}
        return {"id": name, "object": "model", "created": _STARTED, "owned_by": "step-audio-mini", "step_audio": about}

    async def healthz(self) -> Response:
        """Whether the process does its work; where not, it should be started again."""
        alive = bool(getattr(self._service.models, "alive", False))
        return PlainTextResponse("ok\n" if alive else "the models do not run\n", 200 if alive else 503)

    async def readyz(self, authorization: Annotated[str | None, Header()] = None) -> Response:
        """Whether another call would be let in; asked with a key, one of that key."""
        keys, admission = self._options.keys, self._service.admission
        key = keys.who(given_key(authorization, []))
        try:
            admission.check()
            if key is not None:
                admission.check_key(key, keys.allowance(key).calls)
        except RefusedError as refused:
            return _refusal(refused)
        return PlainTextResponse("ok\n")

    async def metrics(self) -> Response:
        """For Prometheus."""
        return Response(self._service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _secret_request(request: Request) -> SecretRequest:
    """The body, whose size was not believed; HTTPException where it is none."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_BODY:
            raise HTTPException(413, f"the body holds more than {LARGEST_BODY // 2**10} KiB")
    try:
        return SecretRequest.model_validate_json(bytes(body) or b"{}")
    except ValidationError as error:
        worst = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, worst["loc"])) or "the body"
        raise HTTPException(400, f"{where}: {worst['msg'].lower()}") from None


_STARTED = int(time.time())


def _name(host: str | None) -> str:
    """The name of a Host header, without its port."""
    return (urlsplit(f"//{host}").hostname or "") if host else ""


def _refusal(refused: RefusedError) -> JSONResponse:
    headers = {"Retry-After": str(refused.retry_after)} if refused.retry_after else {}
    return JSONResponse(_error(refused.status, str(refused)), refused.status, headers)


def _told(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse(_error(error.status_code, str(error.detail)), error.status_code)


def _error(status: int, message: str) -> dict[str, Any]:
    """An error as OpenAI's API tells it."""
    codes = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded", 503: "server_overloaded"}
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": codes.get(status)}}
