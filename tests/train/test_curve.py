from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from step_audio_mini.train.curve import draw

pytestmark = pytest.mark.unit


def coloured(path: Path, red: bool) -> int:
    """Pixels of the loss (blue) or of the dev figure (red)."""
    image = pytest.importorskip("matplotlib.image").imread(path)[..., :3]
    difference = image[..., 0] - image[..., 2]
    return int(((difference > 0.3) if red else (difference < -0.3)).sum())


def test_a_curve_shows_what_there_is(tmp_path: Path) -> None:
    losses = [{"step": n, "loss": float(np.exp(-n / 50))} for n in range(20, 400, 20)]
    path = tmp_path / "curve.png"
    draw([], path)
    assert coloured(path, red=True) == coloured(path, red=False) == 0
    draw(losses, path)
    assert coloured(path, red=False) > 300
    assert coloured(path, red=True) == 0
    draw([*losses, {"step": 200, "dev_error": 0.5, "dev_error_a": 0.4}, {"step": 400, "dev_error": 0.3}], path)
    assert coloured(path, red=True) > 100
    assert [p.name for p in tmp_path.iterdir()] == ["curve.png"]
