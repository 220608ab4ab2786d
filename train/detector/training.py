"""The training loop of the face detector; see `train.detector`."""

import dataclasses
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.utils.data import DataLoader

from facial_keypoints.detection.network import (
    DetectorNet,
    DetectorNetConfig,
    decode,
    preprocess,
)
from keypoints_captions.precision import fastest_precision
from train.detector.batches import Key, RandomCanvases, batch_keys, collate
from train.detector.dataset import TrainingData
from train.detector.loss import detector_loss
from train.detector.validation import Validation
from train.engine import (
    AveragedWeights,
    Process,
    Progress,
    TensorBoard,
    best_checkpoint,
    cosine_schedule,
    load_checkpoint,
    save_checkpoint,
    single_threaded,
)

Made = TypeVar("Made")


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """One training run."""

    start_from: str = ""  # folder of another run, with whose best network this one starts
    epochs: int = 30
    minutes: float = 0.0  # the schedule ends here at the latest; 0: no limit
    epoch_canvases: int = 12288
    batch_size: int = 32  # canvases a step, all processes together
    canvas: int = 320  # pixels, side
    large_every: int = 4  # steps, of which one has a quarter as many canvases of twice the side
    ytf_share: float = 0.25  # of the face crops: its frames are many, its people few
    learning_rate: float = 2e-3  # AdamW, at the top of the cosine
    weight_decay: float = 0.02
    warmup: float = 0.03  # share of the run
    validate_every: int = 1  # epochs
    validation_photos: int = 400
    ema: float = 0.998  # decay a step of the averaged weights, which are what is kept
    workers: int = 1  # processes that make canvases, for each training process
    seed: int = 0


def train(
    config: TrainConfig,
    network_config: DetectorNetConfig,
    data: TrainingData,
    run: Path,
    process: Process,
    stop_after: float = math.inf,
) -> dict[str, float]:
    """Trains to the end of the schedule (or for `stop_after` seconds); returns the best
    validation.
    """
    started = time.monotonic()
    torch.manual_seed(config.seed)
    model = DetectorNet(network_config).to(memory_format=torch.channels_last)
    if config.start_from:
        model.load_state_dict(best_checkpoint(Path(config.start_from))["model"])
    wrapped = process.wrap(model)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(
        groups, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    average = AveragedWeights(model, config.ema)
    first_epoch, elapsed, best = 0, 0.0, {"chosen_by": -math.inf}

    state = load_checkpoint(run / "last.pt", process.device)
    if state:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        average.state, average.updates = state["average"], state["updates"]
        first_epoch, elapsed, best = state["epoch"] + 1, state["elapsed"], state["best"]
        if state["done"]:
            return best

    cache = run / "cache"
    canvases = _made_once(
        process, lambda: RandomCanvases(data, cache, config.ytf_share, config.seed)
    )
    validation = _made_once(process, lambda: Validation(data, cache, config.validation_photos))
    precision = _training_precision(model, process, config)
    steps_an_epoch = len(_batch_keys(config, 0, process))
    steps = config.epochs * steps_an_epoch
    step = first_epoch * steps_an_epoch
    board = TensorBoard(run / "tensorboard" if process.is_main else None)
    progress = Progress(
        steps * config.batch_size, step * config.batch_size, 30, "img", process.is_main
    )
    since = time.monotonic() - elapsed

    for epoch in range(first_epoch, config.epochs):
        loader = DataLoader(
            canvases,
            batch_sampler=_batch_keys(config, epoch, process),
            num_workers=config.workers,
            worker_init_fn=single_threaded,
            collate_fn=collate,
        )
        model.train()
        sums: dict[str, float] = {}
        for photos, boxes, points, ignored in loader:
            share = process.told(_share_done(step / steps, time.monotonic() - since, config))
            if share >= 1:
                break
            for group in optimizer.param_groups:
                warmup = round(10_000 * config.warmup)
                factor = cosine_schedule(int(share * 10_000), 10_000, warmup)
                group["lr"] = config.learning_rate * max(factor, 0.01)
            inputs = preprocess(photos.to(process.device), network_config)
            enabled = precision == torch.bfloat16
            with torch.autocast(process.device.type, torch.bfloat16, enabled=enabled):
                maps = wrapped(inputs)
            terms = detector_loss(
                decode(maps),
                [level.shape[-2:] for level in maps],
                boxes.to(process.device),
                points.to(process.device),
                ignored.to(process.device),
            )
            loss = torch.stack(list(terms.values())).sum()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            optimizer.step()
            average.update(model)
            step += 1
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + value.item() / steps_an_epoch
            shown = "  ".join(f"{name} {value.item():.3f}" for name, value in terms.items())
            progress.update(config.batch_size, f"{share:.0%}  epoch {epoch + 1}  {shown}")

        elapsed = time.monotonic() - since
        done = process.told(_share_done(step / steps, elapsed, config)) >= 1
        stop = process.agree(time.monotonic() - started > stop_after) or done
        if process.is_main and (stop or (epoch + 1) % config.validate_every == 0):
            averaged = DetectorNet(network_config).to(process.device)
            averaged.load_state_dict(average.state)
            scores = validation.scores(averaged, precision)
            board.scalars({**sums, **{f"validation/{k}": v for k, v in scores.items()}}, epoch)
            print(
                f"epoch {epoch + 1}: " + "  ".join(f"{k} {v:.3f}" for k, v in scores.items()),
                flush=True,
            )
            if scores["chosen_by"] >= best["chosen_by"]:
                best = {**scores, "epoch": float(epoch + 1)}
                save_checkpoint(
                    run / "best.pt",
                    model=average.state,
                    best=best,
                    config=dataclasses.asdict(config),
                    network=dataclasses.asdict(network_config),
                    minutes=(time.monotonic() - since) / 60,
                )
            save_checkpoint(
                run / "last.pt",
                model=model.state_dict(),
                optimizer=optimizer.state_dict(),
                average=average.state,
                updates=average.updates,
                epoch=epoch,
                elapsed=time.monotonic() - since,
                done=done,
                best=best,
            )
        if stop:
            break
    return best


def _batch_keys(config: TrainConfig, epoch: int, process: Process) -> list[list[Key]]:
    steps = max(1, config.epoch_canvases // config.batch_size)
    return batch_keys(epoch, steps, config.batch_size, config.canvas, config.large_every, process)


def _share_done(by_steps: float, elapsed: float, config: TrainConfig) -> float:
    """How much of the run is done, by steps or by time, whichever is further; 0..1."""
    by_time = elapsed / 60 / config.minutes if config.minutes else 0.0
    return min(1.0, max(by_steps, by_time))


def _made_once(process: Process, make: Callable[[], Made]) -> Made:
    """What `make` makes; the first process makes it alone, for the others to find its files."""
    made = make() if process.is_main else None
    if process.world > 1:
        dist.barrier()
    return make() if made is None else made


def _training_precision(model: nn.Module, process: Process, config: TrainConfig) -> torch.dtype:
    """What convolutions run fastest in on this device."""
    size = (1, 3, config.canvas, config.canvas)
    photo = torch.zeros(size, device=process.device).to(memory_format=torch.channels_last)

    def run(precision: torch.dtype) -> None:
        enabled = precision == torch.bfloat16
        with torch.autocast(process.device.type, torch.bfloat16, enabled=enabled):
            model(photo)

    return fastest_precision(process.device, run)
