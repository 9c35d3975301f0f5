"""The one training loop: every part is trained by it, from a recipe that says what a step is.

Resumable to the step: a batch is a pure function of the seed and the step, randomness inside the model is seeded by the
step, and a checkpoint holds weights, optimiser, averaged weights and the step. A killed and resumed run therefore
gives the loss that an unbroken one gives.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from step_audio_mini.errors import UserError
from step_audio_mini.train.curve import draw


@dataclass(frozen=True)
class LoopConfig:
    """How a run goes; what a step is belongs to the recipe."""

    steps: int
    """Optimiser steps in all."""
    rate: float = 1e-3
    """Peak learning rate."""
    warmup: int = 500
    """Steps of linear rise to the peak."""
    final: float = 0.02
    """Rate at the last step, as a share of the peak."""
    decay: float = 1.0
    """Share of the steps over which the rate falls, by a cosine, at the end; before, it stays at the peak."""
    weight_decay: float = 0.01
    accumulate: int = 1
    """Batches a step."""
    clip: float = 1.0
    """Largest gradient norm."""
    ema: float = 0.999
    """Decay of the averaged weights, which are the ones evaluated and exported."""
    bf16: bool = True
    """Autocast to bfloat16 around the network."""
    seed: int = 1
    checkpoint_minutes: float = 10.0
    evaluate_every: int = 500
    """Steps between dev evaluations."""
    log_every: int = 20
    device: str = "cpu"


class Recipe(Protocol):
    """What the loop must be told about a part."""

    name: str

    def build(self) -> nn.Module:
        """A fresh model."""

    def batch(self, step: int) -> Any:
        """The batch of a step: a pure function of the recipe's seed and the step. Tensors on the CPU."""

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, float]]:
        """Scalar float32 loss of a batch and figures for the log."""

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Dev figures; the first one is the one to make small."""


@dataclass
class Progress:
    """What the loop tells while it runs."""

    step: int
    steps: int
    figures: dict[str, float]
    seconds_left: float


def learning_rate(config: LoopConfig, step: int) -> float:
    """Rate at a step (0-based): linear warm-up, the peak, then a cosine down to `final` of the peak."""
    if step < config.warmup:
        return config.rate * (step + 1) / config.warmup
    falling = max(1.0, config.decay * (config.steps - config.warmup))
    share = max(0.0, 1 - (config.steps - step) / falling)
    return config.rate * (config.final + (1 - config.final) * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))


class Trainer:
    """One run in one folder: `checkpoint.pt`, `log.jsonl`, `config.json`. Knows nothing of the part it trains."""

    def __init__(self, recipe: Recipe, config: LoopConfig, folder: Path) -> None:
        self.recipe, self.config, self.folder = recipe, config, folder
        torch.manual_seed(config.seed)
        torch.set_num_threads(1)  # two threads are far slower than one beside any other work
        self.device = torch.device(config.device)
        self.model = recipe.build().to(self.device)
        self.averaged = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self.optimiser = torch.optim.AdamW(
            _decay_groups(self.model, config.weight_decay), lr=config.rate, betas=(0.9, 0.98), fused=True
        )
        self.step, self.skipped = 0, 0
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "checkpoint.pt").exists():
            self._load()
        (folder / "config.json").write_text(json.dumps({"recipe": recipe.name} | asdict(config), indent=1))

    def run(self, tell: Callable[[Progress], None] = lambda _: None, until: int | None = None) -> dict[str, float]:
        """Train up to step `until` (all of them when None); returns the last dev figures. Safe to interrupt."""
        last_saved, began, first = time.monotonic(), time.monotonic(), self.step
        figures: dict[str, float] = {}
        end = min(self.config.steps, until or self.config.steps)
        try:
            while self.step < end:
                started = time.monotonic()
                figures = self._one_step()
                self.step += 1
                if self.step % self.config.log_every == 0 or self.step == end:
                    pace = (time.monotonic() - began) / (self.step - first)
                    figures["seconds"] = round(time.monotonic() - started, 3)
                    self._log(figures)
                    tell(Progress(self.step, self.config.steps, figures, pace * (end - self.step)))
                if self.step % self.config.evaluate_every == 0 or self.step == end:
                    self._log(self.evaluate())
                    draw(list(read_log(self.folder)), self.folder / "curve.png")
                if time.monotonic() - last_saved > 60 * self.config.checkpoint_minutes:
                    self.save()
                    last_saved = time.monotonic()
        finally:
            self.save()
        return self.last_evaluation()

    def start_from(self, run: Path) -> None:
        """Take the averaged weights of another run (next stage, fine-tuning); the optimiser starts afresh."""
        try:
            state = torch.load(run / "checkpoint.pt", map_location=self.device, weights_only=True)
            self.model.load_state_dict(state["averaged"])
        except (OSError, KeyError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"cannot start from {run}: {reason}; give the folder of a run of the same size") from None
        self.averaged = {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    def evaluate(self) -> dict[str, float]:
        """Dev figures of the averaged weights, named `dev_*`."""
        with self.averaged_weights(), torch.no_grad():
            return {f"dev_{name}": value for name, value in self.recipe.evaluate(self.model).items()}

    def averaged_weights(self) -> _Swapped:
        """Scope in which the model holds its averaged weights."""
        return _Swapped(self.model, self.averaged)

    def last_evaluation(self) -> dict[str, float]:
        """The newest dev figures in the log; empty when there are none."""
        rows = [row for row in read_log(self.folder) if any(k.startswith("dev_") for k in row)]
        return {k: v for k, v in rows[-1].items() if k.startswith("dev_")} if rows else {}

    def _one_step(self) -> dict[str, float]:
        config = self.config
        rate = learning_rate(config, self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        torch.manual_seed(config.seed * 1_000_003 + self.step)
        self.model.train()
        self.optimiser.zero_grad(set_to_none=True)
        figures: dict[str, float] = {}
        for part in range(config.accumulate):
            batch = _to(self.recipe.batch(self.step * config.accumulate + part), self.device)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=config.bf16):
                loss, told = self.recipe.loss(self.model, batch)
            (loss / config.accumulate).backward()  # type: ignore[no-untyped-call]
            for name, value in (told | {"loss": float(loss.detach())}).items():
                figures[name] = figures.get(name, 0.0) + value / config.accumulate
        norm = float(nn.utils.clip_grad_norm_(self.model.parameters(), config.clip))
        if math.isfinite(norm) and math.isfinite(figures["loss"]):
            self.optimiser.step()
            self.skipped = 0
        else:
            self._skip(figures["loss"], norm, batch)
        self._average()
        return figures | {"norm": round(norm, 3), "rate": rate}

    def _skip(self, loss: float, norm: float, batch: Any) -> None:
        """A non-finite step changes nothing; ten in a row end the run and name the clips."""
        self.skipped += 1
        clips = list(getattr(batch, "ids", ()))[:8]
        self._log({"skipped": 1.0, "loss": loss, "norm": norm, "ids": clips})
        if self.skipped >= 10:
            raise UserError(
                f"training of {self.recipe.name} met ten non-finite losses in a row, last on {clips}; lower the rate"
            )

    def _average(self) -> None:
        # a young run averages over what there is: the usual warm-up of the decay
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                if value.is_floating_point():
                    self.averaged[name].lerp_(value, 1 - decay)
                else:
                    self.averaged[name].copy_(value)

    def _log(self, figures: dict[str, Any]) -> None:
        row = {"step": self.step, "time": round(time.time(), 1)} | {
            k: (float(f"{v:.6g}") if isinstance(v, float) else v) for k, v in figures.items()
        }
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(row) + "\n")

    def save(self) -> None:
        """Write the checkpoint beside the old one, then put it in its place."""
        state = {
            "model": self.model.state_dict(), "averaged": self.averaged, "optimiser": self.optimiser.state_dict(),
            "step": self.step, "recipe": self.recipe.name,
        }  # fmt: skip
        beside = self.folder / "checkpoint.pt.part"
        torch.save(state, beside)
        beside.replace(self.folder / "checkpoint.pt")

    def _load(self) -> None:
        state = torch.load(self.folder / "checkpoint.pt", map_location=self.device, weights_only=True)
        if state["recipe"] != self.recipe.name:
            raise UserError(
                f"{self.folder} holds a run of '{state['recipe']}'; choose another folder for {self.recipe.name}"
            )
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.averaged, self.step = state["averaged"], state["step"]


class _Swapped:
    """While open, the model holds other weights; afterwards its own again."""

    def __init__(self, model: nn.Module, weights: dict[str, Tensor]) -> None:
        self._model, self._weights = model, weights

    def __enter__(self) -> nn.Module:
        self._own = {name: value.detach().clone() for name, value in self._model.state_dict().items()}
        self._model.load_state_dict(self._weights)
        self._model.eval()
        return self._model

    def __exit__(self, *_: object) -> None:
        self._model.load_state_dict(self._own)
        self._model.train()


def read_log(folder: Path) -> Iterator[dict[str, Any]]:
    """Rows of a run's log, oldest first."""
    path = folder / "log.jsonl"
    if path.exists():
        for line in path.read_text().splitlines():
            yield json.loads(line)


def _decay_groups(model: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Weight matrices decay, biases and norms do not."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    return [{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]


def _to(batch: Any, device: torch.device) -> Any:
    """A batch with its tensors on the device: a tensor, or a dataclass, tuple or dict of them."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, dict):
        return {key: _to(value, device) for key, value in batch.items()}
    if hasattr(batch, "__dataclass_fields__"):
        return type(batch)(**{name: _to(getattr(batch, name), device) for name in batch.__dataclass_fields__})
    if isinstance(batch, tuple | list):
        return type(batch)(_to(value, device) for value in batch)
    return batch
