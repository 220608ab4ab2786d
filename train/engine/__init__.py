"""Habits every training script shares: processes, averaged weights, checkpoints, schedules."""

import argparse
import dataclasses
import math
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import cv2
import torch
import torch.distributed as dist
from torch import nn
from torch.utils.tensorboard import SummaryWriter

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Process:
    """This process among those that `torchrun` started; alone without it."""

    rank: int
    world: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def agree(self, stop: bool) -> bool:
        """True on every process as soon as it is on one: nobody waits for a process that left."""
        if self.world == 1:
            return stop
        votes = torch.tensor(float(stop), device=self.device)
        dist.all_reduce(votes)
        return votes.item() > 0

    def told(self, value: float) -> float:
        """The first process's value, on every process: one clock for all."""
        if self.world == 1:
            return value
        told = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.broadcast(told, 0)
        return told.item()

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model on this process's device, synchronised with the others' by DDP."""
        model = model.to(self.device)
        if self.world == 1:
            return model
        devices = [self.device.index] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(model, device_ids=devices)


@contextmanager
def process_group():
    """Yields this `Process`; joins torchrun's group (NCCL on GPUs, gloo on CPUs) and leaves it."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    use_cuda = torch.cuda.is_available()
    device = torch.device("cuda", local) if use_cuda else torch.device("cpu")
    if world > 1:
        dist.init_process_group("nccl" if use_cuda else "gloo")
    try:
        yield Process(int(os.environ.get("RANK", "0")), world, device)
    finally:
        if world > 1:
            dist.destroy_process_group()


class AveragedWeights:
    """Exponential moving average of a model's parameters and buffers.

    The decay rises from 0.1 to its final value, so that the random start is forgotten soon.
    """

    def __init__(self, model: nn.Module, decay: float):
        self.decay = decay
        self.updates = 0
        self.state = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        self.updates += 1
        decay = min(self.decay, self.updates / (self.updates + 9))
        current = model.state_dict()
        floats = [name for name, value in current.items() if value.is_floating_point()]
        torch._foreach_lerp_(
            [self.state[name] for name in floats], [current[name] for name in floats], 1 - decay
        )
        for name in current.keys() - floats:
            self.state[name].copy_(current[name])


def cosine_schedule(step: int, steps: int, warmup: int) -> float:
    """Learning-rate factor: linear up over `warmup` steps, then half a cosine down to 0."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))


def save_checkpoint(path: Path, **state: Any) -> None:
    """Writes the state to a file beside `path`, then renames it: never half a checkpoint."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def load_checkpoint(path: Path, device: torch.device) -> dict[str, Any] | None:
    """What `save_checkpoint` wrote, or None where there is no file; runs no pickled code."""
    if not path.exists():
        return None
    return torch.load(path, map_location=device, weights_only=True)


def best_checkpoint(run: Path) -> dict[str, Any]:
    """The checkpoint of the run that validation chose.

    Raises:
        FileNotFoundError: there is none.
    """
    state = load_checkpoint(run / "best.pt", torch.device("cpu"))
    if state is None:
        raise FileNotFoundError(f"{run} holds no best.pt: train first")
    return state


def single_threaded(worker: int) -> None:
    """A data loader worker's start: it keeps to one core, beside the others and the training."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


class Progress:
    """One line on the terminal (and in a log file) with loss, items a second and time left."""

    def __init__(self, total: int, done: int, every_s: float, unit: str, show: bool):
        self.total, self.done, self.unit, self.show = total, done, unit, show
        self.every_s = every_s
        self.since, self.since_done = time.monotonic(), done

    def update(self, items: int, text: str) -> None:
        """Counts `items` more; prints `text` and the rate when `every_s` seconds have passed."""
        self.done += items
        elapsed = time.monotonic() - self.since
        if elapsed < self.every_s and self.done < self.total:
            return
        rate = (self.done - self.since_done) / max(elapsed, 1e-9)
        left = (self.total - self.done) / max(rate, 1e-9)
        if self.show:
            print(
                f"{100 * self.done / self.total:5.1f} %  {rate:6.0f} {self.unit}/s  "
                f"{left / 60:5.1f} min left  {text}",
                flush=True,
            )
        self.since, self.since_done = time.monotonic(), self.done


class TensorBoard:
    """Scalars to TensorBoard event files; silent where `folder` is None."""

    def __init__(self, folder: Path | None):
        self.writer = SummaryWriter(str(folder)) if folder else None

    def scalars(self, values: dict[str, float], step: int) -> None:
        if self.writer:
            for name, value in values.items():
                self.writer.add_scalar(name, value, step)
            self.writer.flush()


def add_config_arguments(parser: argparse.ArgumentParser, config: Any) -> None:
    """One `--option` for each field of the dataclass instance, its value as the default."""
    kinds = get_type_hints(type(config))
    for field in dataclasses.fields(config):
        default, kind = getattr(config, field.name), kinds[field.name]
        option = "--" + field.name.replace("_", "-")
        if kind is bool:
            parser.add_argument(option, action=argparse.BooleanOptionalAction, default=default)
        elif get_origin(kind) is tuple:
            parser.add_argument(option, type=get_args(kind)[0], nargs="+", default=default)
        else:
            parser.add_argument(option, type=kind, default=default)


def config_from_arguments(kind: type[T], arguments: argparse.Namespace) -> T:
    """The dataclass filled from what `add_config_arguments` parsed."""
    values = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        value = getattr(arguments, field.name)
        values[field.name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)
