"""Who may connect: API keys of a file, and secrets that live for minutes, made for browsers by who has a key."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from step_audio_mini.errors import UserError

EVERYBODY = "everybody"
"""The name of whoever connects to a server without keys."""
MOST_SECRETS = 1000
SHORTEST, LONGEST, USUAL = 10, 7200, 600
"""Seconds that a client secret may live."""


@dataclass(frozen=True)
class Allowance:
    """What one key may use; None: as much as any."""

    calls: int | None = None
    """At a time."""
    responses_a_minute: int | None = None


@dataclass(frozen=True)
class Secret:
    """A short-lived key and the session it was made for."""

    value: str
    expires_at: int
    key: str
    """Name of the key that made it: its calls count as that key's."""
    session: Any
    """The session object that calls with it begin with."""


class Keys:
    """Keys by name; only their hashes are kept."""

    def __init__(
        self,
        keys: Mapping[str, str],
        clock: Callable[[], float] = time.time,
        allowances: Mapping[str, Allowance] | None = None,
    ) -> None:
        """`keys`: name to key; without any, everybody is let in. `allowances`: by name, where a key has its own."""
        self._names = {_hash(key): name for name, key in keys.items()}
        self._secrets: dict[str, Secret] = {}
        self._clock, self._allowances = clock, dict(allowances or {})

    @classmethod
    def read(cls, path: Path) -> Keys:
        """Keys of a file, a line each: `NAME KEY`, or only KEY, or `NAME KEY CALLS [RESPONSES_A_MINUTE]`.

        Empty lines and lines that begin with # are skipped.
        """
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            raise UserError(f"{path} is no text; write one key a line") from None
        keys: dict[str, str] = {}
        allowances: dict[str, Allowance] = {}
        for number, line in enumerate(lines, 1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            name, key, *most = words if len(words) > 1 else (f"key{number}", words[0])
            if len(key) < 16 or len(most) > 2 or not all(word.isascii() and word.isdigit() for word in most):
                raise UserError(
                    f"{path}, line {number}: write NAME KEY, the key with at least 16 characters; after it may stand "
                    "how many calls at a time, and responses a minute, it may have"
                )
            keys[name], allowances[name] = key, Allowance(*map(int, most))
        if not keys:
            raise UserError(f"{path} holds no key; write one a line")
        return cls(keys, allowances=allowances)

    def allowance(self, name: str) -> Allowance:
        """What the key of this name may use."""
        return self._allowances.get(name, Allowance())

    @property
    def wanted(self) -> bool:
        """Whether a key is needed."""
        return bool(self._names)

    def who(self, given: str | None) -> str | None:
        """The name behind a key or a client secret; None where it opens nothing."""
        if secret := self.secret(given):
            return secret.key
        if not self._names:
            return EVERYBODY
        return self._names.get(_hash(given)) if given else None  # hashes: timing tells nothing of the key

    def secret(self, given: str | None) -> Secret | None:
        """The client secret of this value, while it lives."""
        secret = self._secrets.get(_hash(given)) if given else None
        return secret if secret is not None and secret.expires_at > self._clock() else None

    def make_secret(self, key: str, session: Any, seconds: int = USUAL) -> Secret:
        """A new client secret."""
        now = self._clock()
        self._secrets = {name: secret for name, secret in self._secrets.items() if secret.expires_at > now}
        while len(self._secrets) >= MOST_SECRETS:
            del self._secrets[next(iter(self._secrets))]
        secret = Secret(f"ek_{secrets.token_hex(24)}", int(now) + seconds, key, session)
        self._secrets[_hash(secret.value)] = secret
        return secret


def given_key(authorization: str | None, subprotocols: list[str]) -> str | None:
    """The key in a header or, from a browser, among the subprotocols."""
    if authorization and authorization.lower().startswith("bearer "):
        return authorization[7:].strip() or None
    prefix = "openai-insecure-api-key."
    return next((name.removeprefix(prefix) for name in subprotocols if name.startswith(prefix)), None)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
