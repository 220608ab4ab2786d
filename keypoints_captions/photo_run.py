"""A run over many photos: progress bar, failures, Ctrl-C.

A run goes over thousands of photos and stops for none: what cannot be read, or makes the model
fail, is reported and the rest goes on. Photos are read in threads ahead of the model, which so
never waits for a disk or a decoder.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from keypoints_captions.batches import Outcome, run_batches, usual_workers
from keypoints_captions.results.stamp import Stamp

P = TypeVar("P")  # a photo as the model wants it
R = TypeVar("R")  # the model's result for one photo


FAILED, INTERRUPTED = 1, 130  # exit codes, as shells know them


@dataclass
class Run:
    """The result of a run; after Ctrl-C, fewer photos are finished than were given.

    failed: of the finished ones.
    """

    finished: int = 0
    failed: int = 0
    interrupted: bool = False

    def count(self, outcome: Outcome[Any, Any]) -> None:
        """One more is finished."""
        self.finished += 1
        self.failed += outcome.error is not None

    @property
    def exit_code(self) -> int:
        """0, or 1 if any photo failed, or 130 if interrupted."""
        if self.interrupted:
            return INTERRUPTED
        return FAILED if self.failed else 0


def process_photos(
    paths: Sequence[Path],
    read: Callable[[Path], P],
    handle: Callable[[list[P]], Sequence[R]],
    keep: Callable[[Outcome[Path, R], Stamp], object],
    *,
    batch_size: int = 1,
    workers: int | None = None,
    weigh: Callable[[P], int] = lambda photo: 0,
) -> Run:
    """Put photos through a model, with a progress bar and every failure on stderr.

    The first Ctrl-C lets the photos in hand be finished, a second one does not.

    Args:
        read, handle, workers, weigh: see `run_batches`. Few photos are spread over the cores; a
            single one has all of them.
        keep: gets every outcome, in the order of the paths, as soon as it is known.
        batch_size: photos, at most.
    """
    run = Run()
    stamps: dict[Path, Stamp] = {}

    def read_stamped(path: Path) -> P:
        stamps[path] = Stamp.of(path)  # before it is read: what changes meanwhile is seen later
        return read(path)

    workers = min(workers or usual_workers(), len(paths)) or 1
    batch_size = max(1, min(batch_size, -(-len(paths) // workers)))
    bar = photo_bar(len(paths))
    try:
        with bar, _first_ctrl_c() as interrupted:
            for outcome in run_batches(
                paths,
                read_stamped,
                handle,
                batch_size=batch_size,
                workers=workers,
                weigh=weigh,
                stopped=interrupted.is_set,
            ):
                keep(outcome, stamps.pop(outcome.path))
                run.count(outcome)
                if outcome.error is not None:
                    tqdm.write(f"{outcome.path}: {outcome.error}", file=sys.stderr)
                bar.update()
            run.interrupted = interrupted.is_set()
    except KeyboardInterrupt:
        run.interrupted = True
    if run.interrupted:
        done = f"{run.finished} of {len(paths)} photos were finished"
        print(f"\nInterrupted: {done}.", file=sys.stderr)
    return run


@contextmanager
def _first_ctrl_c() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets; the second one raises KeyboardInterrupt as usual."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted  # only the main thread hears of signals
        return
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # such as ignored, behind a shell's `&`
        yield interrupted
        return

    def note(*_: object) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def photo_bar(total: int) -> tqdm:
    """A progress bar of photos, on stderr."""
    # Where that is a log and no terminal, the bar would fill it
    interval = 0.1 if sys.stderr.isatty() else 10
    return tqdm(
        total=total,
        unit=" photos",
        file=sys.stderr,
        mininterval=interval,
        bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} [{remaining} left, {rate_noinv_fmt}]",
    )
