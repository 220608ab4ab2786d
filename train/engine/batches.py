"""Batches of an epoch, prepared ahead of the training step."""

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

In = TypeVar("In")
Out = TypeVar("Out")


def epoch_batches(
    count: int, batch: int, epoch: int, seed: int, rank: int = 0, world: int = 1
) -> list[list[int]]:
    """This process's batches of one epoch: the same on every run with the same seed.

    All processes get equally many; of a remainder smaller than one batch a process, the
    photos wait for another epoch (but one batch there is always, and of fewer photos than
    processes some read the same one).
    """
    order = list(range(count))
    random.Random(f"{seed} {epoch}").shuffle(order)
    mine = (order[rank::world] or order)[: max(1, count // world)]
    batches = [mine[start : start + batch] for start in range(0, len(mine), batch)]
    return batches if len(batches) == 1 else batches[: count // world // batch]


def prefetch(
    items: Iterable[In], load: Callable[[In], Out], workers: int, ahead: int
) -> Iterator[Out]:
    """`load` of each item, in order, prepared by threads up to `ahead` items early."""
    with ThreadPoolExecutor(max(1, workers)) as pool:
        waiting: deque[Future[Out]] = deque()
        for item in items:
            waiting.append(pool.submit(load, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def processed(
    dataset: Dataset,
    batches: Iterable[list],
    workers: int,
    collate: Callable[[list], Any] | None = None,
) -> Iterable[Any]:
    """The dataset's items of each batch of keys, prepared by worker processes of one core each."""
    return DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=workers,
        worker_init_fn=_single_threaded,
        collate_fn=collate,
        pin_memory=torch.cuda.is_available(),  # so that copies to a GPU need not be waited for
    )


def _single_threaded(worker: int) -> None:
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
