"""Log lines as JSON objects that tell what happened to a call, and never what was said in it."""

from __future__ import annotations

import json
import logging
import traceback
from typing import Any


class JsonLines(logging.Formatter):
    """One object a line. Of an exception its kind and place: its message may quote what somebody said."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        told: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "event": record.getMessage() if record.name.startswith("step_audio_mini") else record.name,
            **getattr(record, "facts", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            frames = traceback.extract_tb(error.__traceback__)[-6:]
            told["error"] = type(error).__name__
            told["where"] = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames]
        return json.dumps(told, ensure_ascii=False, default=str)
