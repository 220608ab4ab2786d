"""The training stages of the captioner: one loop that checkpoints, resumes and validates.

xe     cross-entropy on cached features of the encoder as it came
tune   cross-entropy, the encoder's upper layers learning along with the decoder
whole  the same with every layer, the early ones at a small rate
refine cross-entropy on cached features of the tuned encoder
scst   self-critical sequence training on the same features
"""

import copy
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

from train.captioning.data import CaptionedPhoto, CaptionRows, epoch_batches, prefetch
from train.captioning.objectives import (
    Batch,
    CaptionModel,
    Objective,
    PhotoSource,
    Validation,
    unwrap,
)
from train.engine import (
    AveragedWeights,
    Process,
    Progress,
    TensorBoard,
    cosine_schedule,
    load_checkpoint,
    save_checkpoint,
)

# Averaging the weights costs a pass over them all: do it every so many steps.
_AVERAGE_EVERY = 4


@dataclass(frozen=True)
class StageConfig:
    """One stage's share of the training; see `train.captioning` for the fields' meaning."""

    name: str
    epochs: int
    minutes: float  # 0 for no limit; else the schedule ends here at the latest
    photos_per_batch: int
    rate: float  # of the decoder
    encoder_rates: dict[str, float]  # by stage of the encoder; the others do not learn
    weight_decay: float
    ema: float
    seed: int
    bfloat16: bool
    workers: int
    checkpoint_minutes: float


class Stage:
    """One stage of training: owns its model and goes on where an interrupted run stopped."""

    def __init__(
        self,
        config: StageConfig,
        model: CaptionModel,
        photos: Sequence[CaptionedPhoto],
        rows: CaptionRows,
        source: PhotoSource,
        objective: Objective,
        validation: Validation,
        folder: Path,
        process: Process,
    ) -> None:
        self.config, self.photos, self.rows, self.source = config, photos, rows, source
        self.objective, self.validation = objective, validation
        self.folder, self.process = folder, process
        self.groups = learning_groups(model, config)
        self.model = process.wrap(model)
        self.optimizer = torch.optim.AdamW(
            self.groups, weight_decay=config.weight_decay, fused=True
        )
        self.average = AveragedWeights(model, config.ema)
        self.averaged_model = copy.deepcopy(model)
        self.step, self.elapsed, self.best = 0, 0.0, float("-inf")
        self.per_epoch = len(self._epoch(0))

    def run(self) -> None:
        """Trains to the end, writing last.pt every few minutes and best.pt when it is better."""
        if self._resume():
            return
        torch.manual_seed(self.config.seed + self.step)
        total = self.config.epochs * self.per_epoch
        board = TensorBoard(self.folder / "logs" if self.process.is_main else None)
        progress = Progress(
            total * self.config.photos_per_batch * self.process.world,
            self.step * self.config.photos_per_batch * self.process.world,
            15, "img", self.process.is_main,
        )  # fmt: skip
        since, saved = time.monotonic() - self.elapsed, time.monotonic()
        self.model.train()
        share = self._share(total)
        for batch in self._batches(total):
            figures = self._update(batch, share)
            self.step += 1
            self.elapsed = time.monotonic() - since
            share = self._share(total)
            if self.step % 20 == 0:
                board.scalars(figures | {"learning rate": self._rate()}, self.step)
            text = f"{self.config.name} {share:.0%} " + self._text(figures)
            progress.update(len(batch.numbers) * self.process.world, text)
            if self.step % self.per_epoch == 0 or share >= 1:
                self._validate(board)
                self.model.train()
            if share >= 1 or time.monotonic() - saved > 60 * self.config.checkpoint_minutes:
                self._save(done=share >= 1)
                saved = time.monotonic()
            if share >= 1:
                return

    def _update(self, batch: Batch, share: float) -> dict[str, float]:
        factor = cosine_schedule(int(share * 10_000), 10_000, 300)
        for group in self.optimizer.param_groups:
            group["lr"] = group["top_rate"] * factor
        device = self.process.device
        batch = Batch(batch.photos.to(device), batch.numbers, batch.words.to(device))
        with torch.autocast(device.type, torch.bfloat16, enabled=self.config.bfloat16):
            loss, figures = self.objective.loss(self.model, batch)
        loss.backward()
        for group in self.groups:
            nn.utils.clip_grad_norm_(group["params"], 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.step % _AVERAGE_EVERY == 0:
            self.average.update(unwrap(self.model))
        return figures | {"loss": loss.item()}

    def _epoch(self, epoch: int) -> list[list[int]]:
        process = self.process
        return epoch_batches(
            len(self.photos), self.config.photos_per_batch, epoch, self.config.seed,
            process.rank, process.world,
        )  # fmt: skip

    def _batches(self, total: int) -> Iterator[Batch]:
        """From the present step on; the same batches whether or not the run was interrupted."""

        def plan() -> Iterator[tuple[int, list[int]]]:
            for step in range(self.step, total):
                epoch, place = divmod(step, self.per_epoch)
                if place == 0 or step == self.step:
                    batches = self._epoch(epoch)
                yield step, batches[place]

        def load(item: tuple[int, list[int]]) -> Batch:
            step, numbers = item
            rng = random.Random(f"{self.config.name} {self.config.seed} {step} {numbers[0]}")
            photos = self.source.load([self.photos[number] for number in numbers], rng)
            return Batch(photos, numbers, self.rows.draw(numbers, rng))

        return prefetch(plan(), load, self.config.workers, self.config.workers + 1)

    def _share(self, total: int) -> float:
        """How much of the stage is done, by steps or by time, whichever is further."""
        share = self.step / max(1, total)
        if self.config.minutes:
            share = max(share, self.elapsed / 60 / self.config.minutes)
            if self.process.world > 1:  # one clock for all processes
                told = torch.tensor(share, device=self.process.device)
                dist.broadcast(told, 0)
                share = told.item()
        return min(1.0, share)

    def _validate(self, board: TensorBoard) -> None:
        if not self.process.is_main:
            return
        since = time.monotonic()
        self.averaged_model.load_state_dict(self.average.state)
        scores = self.validation.scores(self.averaged_model, self.process.device)
        board.scalars({f"validation/{name}": value for name, value in scores.items()}, self.step)
        better = scores["cider"] > self.best
        print(
            f"{self.config.name} step {self.step}: CIDEr {self._text(scores)}"
            f"{' (best so far)' if better else ''}, {time.monotonic() - since:.0f} s",
            flush=True,
        )
        if better:
            self.best = scores["cider"]
            parts = {"decoder": self.averaged_model.decoder.state_dict()}
            if self.averaged_model.encoder is not None:
                parts["encoder"] = self.averaged_model.encoder.state_dict()
            save_checkpoint(self.folder / "best.pt", scores=scores, step=self.step, **parts)

    def _save(self, done: bool) -> None:
        if self.process.is_main:
            save_checkpoint(
                self.folder / "last.pt",
                done=done, step=self.step, elapsed=self.elapsed, best=self.best,
                model={} if done else unwrap(self.model).state_dict(),
                optimizer={} if done else self.optimizer.state_dict(),
                average=(self.average.updates, {} if done else self.average.state),
            )  # fmt: skip

    def _resume(self) -> bool:
        """Takes up last.pt, if there; True where the stage is done."""
        last = load_checkpoint(self.folder / "last.pt", self.process.device)
        if last is None:
            return False
        self.step, self.elapsed, self.best = last["step"], last["elapsed"], last["best"]
        if last["done"]:
            return True
        unwrap(self.model).load_state_dict(last["model"])
        self.optimizer.load_state_dict(last["optimizer"])
        self.average.updates, self.average.state = last["average"]
        return False

    def _rate(self) -> float:
        return self.optimizer.param_groups[0]["lr"]

    @staticmethod
    def _text(figures: dict[str, float]) -> str:
        return "  ".join(f"{name} {value:.3f}" for name, value in figures.items())


def learning_groups(model: CaptionModel, config: StageConfig) -> list[dict]:
    """Parameter groups with their top learning rates; the rest of the encoder is frozen."""
    groups = [{"params": list(model.decoder.parameters()), "top_rate": config.rate}]
    if model.encoder is not None:
        for name, parameters in model.encoder.stages():
            rate = config.encoder_rates.get(name, 0.0)
            for parameter in parameters:
                parameter.requires_grad_(rate > 0)
            if rate > 0:
                groups.append({"params": parameters, "top_rate": rate})
    return groups
