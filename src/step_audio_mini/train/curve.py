"""Draws the course of a run as `curve.png`, because people would rather look than read a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

SMOOTH = 0.02
"""Share of the logged steps that a point of the loss curve averages over."""


def draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Loss over steps, smoothed, and the dev figure that is minimised; rows as the loop logs them."""
    from matplotlib.figure import Figure  # no pyplot: it would ask for a screen

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="loss")
    losses = [(row["step"], row["loss"]) for row in rows if "loss" in row and "skipped" not in row]
    if losses:
        steps, values = np.array(losses, float).T
        axes.plot(steps, values, color="0.85", linewidth=0.5)
        axes.plot(steps, _smoothed(values), color="C0", label="loss")
    dev = next((name for row in rows for name in row if name.startswith("dev_")), None)
    if dev:
        points = np.array([(row["step"], row[dev]) for row in rows if dev in row], float)
        right = axes.twinx()
        right.set_ylabel(dev)
        right.plot(*points.T, "o-", color="C3", label=dev)
        right.annotate(f"{points[-1, 1]:.3g}", points[-1], xytext=(4, 4), textcoords="offset points")
    figure.legend(loc="outside upper right")
    beside = path.with_name(path.name + ".part")
    figure.savefig(beside, format="png", dpi=100)
    beside.replace(path)


def _smoothed(values: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Running mean with the ends repeated, as long as the input."""
    half = max(1, round(SMOOTH * len(values)))
    padded = np.pad(values, half, mode="edge")
    return np.convolve(padded, np.full(2 * half + 1, 1 / (2 * half + 1)), "valid")
