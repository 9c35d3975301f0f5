"""The training loop: it learns, resumes to the step, skips non-finite steps and names them."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from torch import Tensor, nn  # noqa: E402

from step_audio_mini.errors import UserError  # noqa: E402
from step_audio_mini.train.loop import LoopConfig, Trainer, learning_rate, read_log  # noqa: E402

pytestmark = pytest.mark.unit


@dataclass
class Pair:
    ids: tuple[str, ...]
    x: Tensor
    y: Tensor


class Line:
    """Learn y = 3x with dropout, so that a resumed run must also restore randomness."""

    name = "line"

    def __init__(self, poison_from: int = 10**9) -> None:
        self.poison_from = poison_from

    def build(self) -> nn.Module:
        return nn.Sequential(nn.Dropout(0.1), nn.Linear(1, 1))

    def batch(self, step: int) -> Pair:
        x = torch.randn(16, 1, generator=torch.Generator().manual_seed(step))
        return Pair((f"clip{step}",), x, 3 * x if step < self.poison_from else x * float("nan"))

    def loss(self, model: nn.Module, batch: Pair) -> tuple[Tensor, dict[str, float]]:
        error = ((model(batch.x).float() - batch.y) ** 2).mean()
        return error, {"squared": float(error.detach())}

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        return {"slope_error": abs(float(model[1].weight[0, 0]) - 3)}  # type: ignore[index]


CONFIG = LoopConfig(steps=120, rate=0.1, warmup=5, bf16=False, evaluate_every=60, log_every=1, ema=0.9)


def test_it_learns(tmp_path: Path) -> None:
    assert Trainer(Line(), CONFIG, tmp_path).run()["dev_slope_error"] < 0.5


def test_a_resumed_run_equals_an_unbroken_one(tmp_path: Path) -> None:
    Trainer(Line(), CONFIG, tmp_path / "whole").run()
    Trainer(Line(), CONFIG, tmp_path / "broken").run(until=47)
    Trainer(Line(), CONFIG, tmp_path / "broken").run()

    def losses(folder: Path) -> list[float]:
        return [row["loss"] for row in read_log(folder) if "loss" in row]

    assert losses(tmp_path / "broken") == losses(tmp_path / "whole")
    assert len(losses(tmp_path / "whole")) == CONFIG.steps


def test_non_finite_steps_change_nothing_and_are_named(tmp_path: Path) -> None:
    trainer = Trainer(Line(poison_from=5), CONFIG, tmp_path)
    with pytest.raises(UserError, match="clip14"):
        trainer.run()
    assert all(bool(torch.isfinite(p).all()) for p in trainer.model.parameters())


def test_rate_rises_then_falls() -> None:
    rates = [learning_rate(CONFIG, step) for step in range(CONFIG.steps)]
    assert rates.index(max(rates)) in (4, 5) and rates[-1] < 0.03 * max(rates) and rates[0] < rates[3]
    late = replace(CONFIG, decay=0.2)
    assert learning_rate(late, 90) == CONFIG.rate > learning_rate(late, 110) > learning_rate(late, 119)


def test_a_folder_of_another_recipe_is_refused(tmp_path: Path) -> None:
    Trainer(Line(), CONFIG, tmp_path).run(until=1)
    other = Line()
    other.name = "curve"
    with pytest.raises(UserError, match="holds a run of 'line'"):
        Trainer(other, CONFIG, tmp_path)
