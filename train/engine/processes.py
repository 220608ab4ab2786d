"""The processes of a training: those that `torchrun` started, or one alone."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn

Made = TypeVar("Made")


@dataclass(frozen=True)
class Process:
    """This process among those that `torchrun` started; alone without it."""

    rank: int
    world: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def told(self, value: float) -> float:
        """The first process's value, on every process."""
        if self.world == 1:
            return value
        told = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.broadcast(told, 0)
        return told.item()

    def wait(self) -> None:
        """Returns when every process has come here."""
        if self.world > 1:
            dist.barrier()

    def first_alone(self, make: Callable[[], Made]) -> Made:
        """The result of `make`; the first process calls it first, the others find its files."""
        made = [make()] if self.is_main else []
        self.wait()
        return made[0] if made else make()

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model on this process's device, synchronised with the others' by DDP."""
        model = model.to(self.device)
        if self.world == 1:
            return model
        devices = [self.device.index] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(model, device_ids=devices)


def unwrap(model: nn.Module) -> Any:
    """The model inside DDP, or itself."""
    return model.module if isinstance(model, nn.parallel.DistributedDataParallel) else model


@contextmanager
def process_group() -> Iterator[Process]:
    """Yields this `Process`; joins torchrun's group (NCCL on GPUs, gloo on CPUs) and leaves it."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    use_cuda = torch.cuda.is_available()
    device = torch.device("cuda", local) if use_cuda else torch.device("cpu")
    if world > 1 and use_cuda:
        torch.cuda.set_device(device)  # otherwise all processes meet on the first GPU
        dist.init_process_group("nccl", device_id=device)
    elif world > 1:
        dist.init_process_group("gloo")
    try:
        yield Process(int(os.environ.get("RANK", "0")), world, device)
    finally:
        if world > 1:
            dist.destroy_process_group()
