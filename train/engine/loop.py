"""The training loop of every network: schedule, averaged weights, validation, exact resume."""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from train.engine.checkpoints import load_checkpoint, save_checkpoint
from train.engine.options import UsageError
from train.engine.processes import Process, unwrap
from train.engine.reports import Report


class Task(Protocol):
    """A task for the loop: the model, its batches, its loss and its validation."""

    model: nn.Module
    groups: list[dict[str, Any]]  # AdamW's parameter groups, each with its top learning rate `lr`

    def keys(self, epoch: int) -> Sequence[Any]:
        """Keys of this process's batches of an epoch; the same on every run."""
        ...

    def batches(self, keys: Iterable[Any]) -> Iterable[Any]:
        """The batches of those keys, in their order, each the same whenever it is made."""
        ...

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, float]]:
        """The loss to descend, and the figures to report. `model` may be wrapped in DDP."""
        ...

    def validate(self, model: Any) -> tuple[float, dict[str, float]]:
        """The score that the best checkpoint is chosen by, and the figures to report."""
        ...

    def best(self, model: Any) -> dict[str, Any]:
        """Content of best.pt for a validated model, beside `scores`, `step` and `minutes`."""
        ...


@dataclass(frozen=True)
class LoopConfig:
    """Options of the loop."""

    epochs: int = 30
    minutes: float = 0.0  # the schedule ends here at the latest; 0 for no limit
    batch_size: int = 32  # items a step, all processes together
    weight_decay: float = 0.02
    warmup: float = 0.03  # share of the run
    clip: float = 10.0  # most of a parameter group's gradient norm
    ema: float = 0.998  # decay of the averaged weights, which are what is kept
    average_every: int = 1  # steps; averaging costs a pass over the weights
    validate_every: int = 1  # epochs
    checkpoint_minutes: float = 3.0
    bfloat16: bool = True
    seed: int = 0


def cosine(share: float, warmup: float) -> float:
    """Learning-rate factor after a share of the run: a line up, then half a cosine down to 0."""
    if share < warmup:
        return max(share / warmup, 1e-3)
    return 0.5 * (1 + math.cos(math.pi * (share - warmup) / (1 - warmup)))


def averaged(model: nn.Module, decay: float) -> AveragedModel:
    """The exponential moving average of a model's parameters and buffers.

    The decay rises from 0.2 to its final value, so that the random start is forgotten soon.
    """

    @torch.no_grad()
    def update(means: Any, values: Any, updates: Tensor | int) -> None:
        now = min(decay, (int(updates) + 1) / (int(updates) + 10))
        if means[0].is_floating_point():
            torch._foreach_lerp_(means, values, 1 - now)
        else:
            torch._foreach_copy_(means, values)

    return AveragedModel(model, multi_avg_fn=update, use_buffers=True)


class Loop:
    """A training run in a folder: started again, it goes on at the step where it was left.

    `last.pt` is written every few minutes and at the end, `best.pt` after a validation that was
    better than all before.

    Raises:
        UsageError: there are fewer items a step than processes, or the folder holds a run of
            another network.
    """

    def __init__(
        self, task: Task, config: LoopConfig, folder: Path, process: Process, name: str = ""
    ) -> None:
        if config.batch_size < process.world:
            raise UsageError(
                f"Expected a batch of at least {process.world}, one item for each process, got "
                f"{config.batch_size}."
            )
        self.step, self.elapsed, self.share = 0, 0.0, 0.0
        self.task, self.config, self.folder, self.process = task, config, folder, process
        self.name = name or folder.name
        self.model = process.wrap(task.model)
        self.optimizer = torch.optim.AdamW(
            task.groups, weight_decay=config.weight_decay, fused=True
        )
        self.average = averaged(task.model, config.ema)
        self.schedule = LambdaLR(self.optimizer, lambda _: cosine(self.share, config.warmup))
        self.best: dict[str, float] = {"choice": -math.inf}
        self.per_epoch = len(task.keys(0))

    def run(self, stop_after: float = math.inf) -> dict[str, float]:
        """Trains to the end of the schedule, or for so many minutes; the best validation so far,
        by `choice` and the task's own names."""
        main, last = self.process.is_main, self.folder / "last.pt"
        if self._resume(last):
            if main:
                print(
                    f"{self.name}: {last} is of a run that is done, nothing is trained; another "
                    "one begins in another folder, or when that file is removed",
                    flush=True,
                )
            return self.best
        self._agree(over=False)  # options may have changed since the share was written down
        started = time.monotonic()
        since, saved = started - self.elapsed, started
        report = Report(
            self.name, self.folder / "tensorboard" if main else None, self.share, self.elapsed
        )
        self.model.train()
        for batch in self.task.batches(self._keys()):
            figures = self._update(batch)
            self.step += 1
            self.elapsed = time.monotonic() - since
            over = time.monotonic() - started > 60 * stop_after
            stop = self._agree(over)
            self.schedule.step()
            report.step(self.step, self.share, self.config.batch_size, figures)
            ends = self.share >= 1 or stop
            if main and (ends or self.step % (self.config.validate_every * self.per_epoch) == 0):
                self._validate(report)
            if main and (ends or time.monotonic() - saved > 60 * self.config.checkpoint_minutes):
                self._save()
                saved = time.monotonic()
            if ends:
                break
        self.process.wait()
        return self.best

    def _keys(self) -> Iterator[Any]:
        """Of the batches from the present step on, without end."""
        epoch, place = divmod(self.step, self.per_epoch)
        while True:
            yield from self.task.keys(epoch)[place:]
            epoch, place = epoch + 1, 0

    def _update(self, batch: Any) -> dict[str, float]:
        config, device = self.config, self.process.device
        # Dropout and samples of a step are the same, whether or not the run was interrupted.
        torch.manual_seed(hash((config.seed, self.step, self.process.rank)))
        with torch.autocast(device.type, torch.bfloat16, enabled=config.bfloat16):
            loss, figures = self.task.loss(self.model, batch)
        loss.backward()
        for group in self.optimizer.param_groups:
            nn.utils.clip_grad_norm_(group["params"], config.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.step % config.average_every == 0:
            self.average.update_parameters(unwrap(self.model))
        return {"loss": loss.item(), **figures}

    def _agree(self, over: bool) -> bool:
        """Sets `share`, by steps or by time, whichever is further, and tells whether to stop: by
        the first process's clock on all."""
        share = self.step / max(1, self.config.epochs * self.per_epoch)
        if self.config.minutes:
            share = max(share, self.elapsed / 60 / self.config.minutes)
        told = self.process.told(min(1.0, share) + 2 * over)
        self.share = told - 2 if told >= 2 else told
        return told >= 2

    def _validate(self, report: Report) -> None:
        model = self.average.module
        choice, scores = self.task.validate(model)
        epoch = round(self.step / self.per_epoch, 2)
        better = choice >= self.best["choice"]
        report.validation(self.step, epoch, scores, better)
        if better:
            self.best = {"choice": choice, **scores, "epoch": epoch}
            save_checkpoint(
                self.folder / "best.pt", scores=self.best, step=self.step,
                minutes=self.elapsed / 60, **self.task.best(model),
            )  # fmt: skip

    def _save(self) -> None:
        done = self.share >= 1
        save_checkpoint(
            self.folder / "last.pt",
            done=done, step=self.step, share=self.share, elapsed=self.elapsed, best=self.best,
            model=unwrap(self.model).state_dict(),
            # Only a run that goes on needs these, which are three times as large.
            optimizer={} if done else self.optimizer.state_dict(),
            average={} if done else self.average.state_dict(),
        )  # fmt: skip

    def _resume(self, path: Path) -> bool:
        """Takes up last.pt, if there; True where the run is done."""
        last = load_checkpoint(path, self.process.device)
        if last is None:
            return False
        self.step, self.share = last["step"], last["share"]
        self.elapsed, self.best = last["elapsed"], last["best"]
        kept = load_checkpoint(self.folder / "best.pt")
        if kept and kept["scores"]["choice"] > self.best["choice"]:
            self.best = kept["scores"]  # found after last.pt was written, and still the best
        if last["done"]:
            return True
        try:
            unwrap(self.model).load_state_dict(last["model"])
            self.optimizer.load_state_dict(last["optimizer"])
            self.average.load_state_dict(last["average"])
        except (RuntimeError, ValueError) as error:
            raise UsageError(
                f"Expected a run of the network that the options tell of in {path}, got one of "
                f"another: {error}\nGive that run's options again, or another folder."
            ) from error
        return False
