"""A client of one address that reads a bounded answer from it and talks to no other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, cast

import httpx2

if TYPE_CHECKING:
    from openai import AsyncOpenAI

MOST_BYTES = 2**20
"""Bytes of one answer that are read, whatever they hold."""


class TooLongError(Exception):
    """An endpoint sends without end."""


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for piece in self._inner:
            read += len(piece)
            if read > MOST_BYTES:
                raise TooLongError
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()


class _BoundedTransport(httpx2.AsyncHTTPTransport):
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        response.stream = _Bounded(cast(httpx2.AsyncByteStream, response.stream))
        return response


def bounded_client(base_url: str, key: str, timeout_s: float) -> AsyncOpenAI:
    """An OpenAI client for one address: no retries, no redirects, no proxies or names of the environment."""
    from openai import AsyncOpenAI

    timeout = httpx2.Timeout(timeout_s, connect=min(2.0, timeout_s))
    transport = _BoundedTransport(trust_env=False)
    http = httpx2.AsyncClient(transport=transport, follow_redirects=False, trust_env=False, timeout=timeout)
    client = AsyncOpenAI(
        api_key=key or "none", base_url=base_url, organization="", project="", max_retries=0, timeout=timeout,
        http_client=http,
    )  # fmt: skip
    _ = client.chat.completions  # its code is loaded now, not while someone waits
    return client
