"""Speech in, sensible speech out: ears, mind and voice that run on a plain CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from step_audio_mini.model import StepAudio2Mini

__all__ = ["StepAudio2Mini"]


def __getattr__(name: str) -> Any:
    """Load the model's code when it is asked for: whoever needs one room only does not pay for all."""
    if name == "StepAudio2Mini":
        from step_audio_mini.model import StepAudio2Mini

        return StepAudio2Mini
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
