"""Picks some of many, evenly spaced, so that a quick look sees every part of a pack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def spread(items: Sequence[T], most: int) -> list[T]:
    """At most `most` of the items, in their order, the first and the last among them."""
    return [items[int(place)] for place in np.linspace(0, len(items) - 1, min(len(items), most))] if items else []
