"""A small table of facts in SQLite: what the simulated home, the clock and the counter remember between runs."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

from step_audio_mini.errors import UserError


def default_path() -> Path:
    """Where the shipped tools keep their state: `$STEP_AUDIO_STATE`, else the user's state folder."""
    chosen = os.environ.get("STEP_AUDIO_STATE")
    base = Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local" / "state"))
    return Path(chosen) if chosen else base / "step-audio-mini" / "state.sqlite"


class Store:
    """Key -> JSON value, in one file (or in memory for None); safe to use from the threads that tools run in."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path or ":memory:", check_same_thread=False, timeout=1.0)
            self._db.execute("create table if not exists facts (key text primary key, value text not null)")
        except (OSError, sqlite3.Error) as error:
            raise UserError(f"cannot keep state in {path} ({error}); set STEP_AUDIO_STATE to a writable file") from None

    def get(self, key: str, otherwise: Any = None) -> Any:
        """The value of a key, or `otherwise`."""
        with self._lock:
            row = self._db.execute("select value from facts where key = ?", (key,)).fetchone()
        return json.loads(row[0]) if row else otherwise

    def put(self, key: str, value: Any) -> None:
        """Keep a value; durable when the call returns."""
        with self._lock, self._db:
            self._db.execute("insert or replace into facts values (?, ?)", (key, json.dumps(value, ensure_ascii=False)))

    def close(self) -> None:
        """Give the file back."""
        self._db.close()
