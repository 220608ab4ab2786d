"""The run on Ray Data: a list of photos, actors that hold the model, Parquet files.

Each actor has one core, or one GPU, and one torch thread. An actor or a machine that dies takes
nothing with it: Ray runs its blocks again elsewhere, and a block that is written again replaces
its own file.
"""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from keypoints_captions.batches import Outcome, run_batches
from keypoints_captions.bulk.listing import read_bytes
from keypoints_captions.bulk.parts import Parts
from keypoints_captions.photo_run import photo_bar
from keypoints_captions.results.formats import Entry
from keypoints_captions.results.parquet import as_row

if TYPE_CHECKING:
    import pyarrow

BLOCK = 128  # photos of one task, and of one Parquet file, at most


class Model(Protocol):
    """What an actor holds.

    batch: photos that `handle` takes at once, at most.
    """

    batch: int

    def read(self, photo: bytes) -> Any:
        """What the networks take. Raises PhotoError."""

    def handle(self, photos: list[Any]) -> Sequence[Entry]:
        """The record of each photo as the public JSON has it, but for "file"."""


class Worker:
    """An actor: a block of rows of `listing.COLUMNS` in, a Parquet file of records on the disk.

    It writes by itself, so that a block is safe as soon as it is done: no record waits in the
    memory of a machine that may die.
    """

    def __init__(self, load: Callable[[], Model], parts: Parts) -> None:
        self.model, self.parts = load(), parts
        if "torch" in sys.modules:  # imported by the model, if it has need of it
            sys.modules["torch"].set_num_threads(1)

    def __call__(self, photos: "pyarrow.Table") -> "pyarrow.Table":
        """How many photos were done and how many of them failed: one row."""
        import pyarrow as pa

        rows = photos.to_pylist()
        sources = [os.fsdecode(row["source"]) for row in rows]
        outcomes = run_batches(
            sources, self._read, self.model.handle, batch_size=self.model.batch, workers=1
        )
        found = [_record(row, outcome) for row, outcome in zip(rows, outcomes, strict=True)]
        self.parts.write(found)
        return pa.table({"done": [len(found)], "failed": [sum("error" in one for one in found)]})

    def _read(self, source: str) -> Any:
        return self.model.read(read_bytes(source))


def run_on_ray(
    photos: "pyarrow.Table",
    load: Callable[[], Model],
    parts: Parts,
    address: str | None = None,
    block: int = BLOCK,
) -> None:
    """Puts the photos through the model, and their records into the parts, with a progress bar.

    Args:
        photos: rows of `listing.COLUMNS`.
        load: makes the model, in each actor; must be picklable.
        address: of a running cluster; without it, one is started here for this run, or the one
            that this process is in is used.
        block: photos of a task, at most; fewer where there are few photos for many actors.
    """
    import ray

    started = not ray.is_initialized()
    if started:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to Ray's makers
        ray.init(address=address or "local", log_to_driver=False, logging_level=logging.WARNING)
    try:
        resources = ray.cluster_resources()
        gpus = int(resources.get("GPU", 0))
        actors = max(1, gpus or int(resources.get("CPU", 1)))
        block = max(1, min(block, -(-len(photos) // (4 * actors))))
        blocks = [photos.slice(start, block) for start in range(0, len(photos), block)]
        ray.data.DataContext.get_current().enable_progress_bars = False
        done = ray.data.from_arrow(blocks).map_batches(
            Worker,
            fn_constructor_args=(load, parts),
            batch_size=None,  # a block at once
            batch_format="pyarrow",
            # A pool that may shrink lets actors of a dead machine start again on another
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=actors, initial_size=actors),
            num_cpus=0 if gpus else 1,
            num_gpus=1 if gpus else 0,
        )
        with photo_bar(len(photos)) as bar:
            for row in done.iter_rows():
                bar.update(row["done"])
    finally:
        if started:
            ray.shutdown()


def _record(row: dict[str, Any], outcome: Outcome[str, Entry]) -> Entry:
    answer = {"error": outcome.error} if outcome.result is None else outcome.result
    return as_row(answer | {name: row[name] for name in ("file", "size", "mtime")})
