"""Open questions go to a chat endpoint that the user chose, and its answer comes back clause by clause to be spoken.

Without a configured endpoint nothing is imported, opened or sent. With one, the words of the turn and a bounded piece
of the conversation go to that address and nowhere else: no sound, no tools, no redirects, no proxies.
What comes back is data: bounded, stripped of markup, spoken and never obeyed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from step_audio_mini.errors import UserError
from step_audio_mini.serve.clauses import Clauses
from step_audio_mini.serve.endpoint import bounded_client
from step_audio_mini.think.plan import Plan
from step_audio_mini.think.reply import repair
from step_audio_mini.types import Hearing, Language

log = logging.getLogger(__name__)
Said = tuple[Literal["user", "assistant"], str]
"""Who said something, and what."""

MOST_MESSAGES, MOST_HISTORY = 8, 2000
"""Messages and characters of the conversation that are sent."""
MOST_ANSWER = 1200
"""Characters of an answer that are spoken."""
MOST_AT_ONCE = 32
SURE = 0.4
"""Mean confidence of the words from which a question is handed over. What recorded noise is taken for has less; of the
read sentences of people few do, the unclear ones."""
_INSTRUCTIONS = (
    "You answer open questions inside a voice assistant. Your words are spoken aloud as they are: plain sentences, no "
    "lists, no markup, at most three short sentences, in the language of the question. What you read was recognised "
    "from speech and may contain errors. You cannot act on anything; say so when asked to."
)


@dataclass(frozen=True)
class Endpoint:
    """An OpenAI-compatible chat endpoint."""

    base_url: str
    model: str
    key: str = field(default="", repr=False)
    instructions: str = _INSTRUCTIONS
    first_s: float = 5.0
    """How long the first words may take."""
    pause_s: float = 3.0
    """How long it may be silent between words."""
    total_s: float = 30.0

    def __post_init__(self) -> None:
        address = urlsplit(self.base_url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise UserError(
                f"{self.base_url!r} is no address of a chat endpoint; give one like http://localhost:8080/v1"
            )
        if not self.model:
            raise UserError("the chat endpoint needs the name of a model; set STEP_AUDIO_CHAT_MODEL")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Endpoint | None:
        """STEP_AUDIO_CHAT_URL, STEP_AUDIO_CHAT_MODEL and STEP_AUDIO_CHAT_KEY; None without the first."""
        url = environment.get("STEP_AUDIO_CHAT_URL", "")
        if not url:
            return None
        return cls(url, environment.get("STEP_AUDIO_CHAT_MODEL", ""), environment.get("STEP_AUDIO_CHAT_KEY", ""))


class Breaker:
    """Leaves an endpoint alone for a while after failures in a row, then lets one question try it."""

    def __init__(self, now: Callable[[], float] = time.monotonic, failures: int = 3, rest_s: float = 30.0) -> None:
        self._now, self._most, self._rest_s = now, failures, rest_s
        self._failures, self._until = 0, 0.0

    def admits(self) -> bool:
        """Whether to try now. After a rest the next question tries, and others wait for what it finds."""
        if self._failures < self._most:
            return True
        if self._now() < self._until:
            return False
        self._until = self._now() + self._rest_s
        return True

    def note(self, *, worked: bool) -> None:
        """How it went."""
        self._failures = 0 if worked else self._failures + 1
        if self._failures >= self._most:
            self._until = self._now() + self._rest_s


class HandOver:
    """Decides what is an open question and streams its answer. One for a server; closed with it."""

    def __init__(self, endpoint: Endpoint, breaker: Breaker | None = None) -> None:
        self._endpoint, self._breaker = endpoint, breaker or Breaker()
        self._client = bounded_client(endpoint.base_url, endpoint.key, endpoint.total_s)
        self._open = 0

    def wants(self, plan: Plan, hearing: Hearing) -> bool:
        """Whether a turn is an open question: surely heard, and none of what the packs can do is likely meant.

        What was hardly heard (noise, somebody in the background) goes to nobody: it is answered as without an endpoint.
        """
        return hearing.best.confidence >= SURE and plan.is_open

    async def clauses(self, question: str, history: Sequence[Said], language: Language) -> AsyncGenerator[str, None]:
        """The answer, clause by clause, after a word that it is being asked for.

        It never raises and never stays silent: what fails is told in words. `history` is what was said before, of the
        assistant's answers what was heard.
        """
        if self._open >= MOST_AT_ONCE or not self._breaker.admits():
            yield _told("no_chat", language)
            return
        yield _told("asking", language)
        self._open += 1
        spoken = False
        try:
            async with aclosing(self._answer(question, history)) as clauses:
                async for clause in clauses:
                    spoken = True
                    yield clause
            self._breaker.note(worked=spoken)
            if not spoken:
                yield _told("no_chat", language)
        except Exception as error:  # an endpoint may fail in any way; the call goes on
            self._breaker.note(worked=False)
            log.warning("the chat endpoint failed", extra={"facts": {"error": type(error).__name__}})
            yield _told("broken_chat" if spoken else "no_chat", language)
        finally:
            self._open -= 1

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()

    async def _answer(self, question: str, history: Sequence[Said]) -> AsyncGenerator[str, None]:
        ends = time.monotonic() + self._endpoint.total_s
        clauses, length, wait = Clauses(), 0, self._endpoint.first_s
        async with asyncio.timeout(wait):
            stream = await self._opened(question, history)
        try:
            pieces = aiter(stream)
            while length < MOST_ANSWER:
                async with asyncio.timeout(min(wait, ends - time.monotonic())):
                    chunk = await anext(pieces, None)
                if chunk is None:
                    break
                text = _text_of(chunk)[: MOST_ANSWER - length]
                length += len(text)
                wait = self._endpoint.pause_s if length else wait
                for clause in clauses.push(text):
                    yield clause
        finally:
            await stream.close()
        for clause in clauses.end():
            yield clause

    async def _opened(self, question: str, history: Sequence[Said]) -> Any:
        messages = [{"role": who, "content": text} for who, text in bounded([*history, ("user", question)])]
        told: Any = [{"role": "system", "content": self._endpoint.instructions}, *messages]
        return await self._client.chat.completions.create(
            model=self._endpoint.model, messages=told, stream=True, max_tokens=MOST_ANSWER // 3
        )


def bounded(said: Sequence[Said]) -> list[Said]:
    """The newest messages that fit; of the last one, if it is too long alone, its beginning."""
    kept: list[Said] = []
    left = MOST_HISTORY
    for who, text in reversed(said[-MOST_MESSAGES:]):
        if kept and len(text) > left:
            break
        kept.append((who, text[:left]))
        left -= len(text)
    return kept[::-1]


def _text_of(chunk: Any) -> str:
    """The words of a piece of an answer; none where it is not what was asked for."""
    choices = getattr(chunk, "choices", None) or []
    text = getattr(getattr(choices[0], "delta", None), "content", None) if choices else None
    return text if isinstance(text, str) else ""


def _told(name: str, language: Language) -> str:
    return repair()["replies"][name][language][0]
