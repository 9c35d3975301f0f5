"""Arrays from outside into checked mono samples: whatever numeric type, NaN and shape a caller hands in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from step_audio_mini.errors import UserError
from step_audio_mini.types import Samples


def as_batch(array: ArrayLike) -> Samples:
    """Sound (n,) or (B, n) of floats within ±1, or of integers at full scale, as float32 within ±1, (B, n)."""
    values: NDArray[Any] = np.asarray(array)
    if values.ndim not in (1, 2):
        raise UserError(f"sound of shape {values.shape} is not (samples,) or (batch, samples); reshape it")
    values = np.atleast_2d(values)
    if np.issubdtype(values.dtype, np.signedinteger):
        return np.asarray(values / -float(np.iinfo(values.dtype).min), np.float32)
    if not np.issubdtype(values.dtype, np.floating):
        raise UserError(f"sound of type {values.dtype} is neither floats within ±1 nor signed integers; convert it")
    if not np.isfinite(values).all():
        raise UserError("the sound holds samples that are no numbers (NaN or infinite); clean it first")
    return np.asarray(np.clip(values, -1.0, 1.0), np.float32)


def as_samples(array: ArrayLike) -> Samples:
    """One sound, (n,) or (1, n), as float32 within ±1, (n,)."""
    batch = as_batch(array)
    if len(batch) != 1:
        raise UserError(f"{len(batch)} sounds where one is wanted; give (samples,) or (1, samples)")
    return np.asarray(batch[0])
