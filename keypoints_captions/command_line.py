"""What both command lines share: paths to photos, photos through a model, results to a file.

A run goes over thousands of photos and stops for none: what cannot be read, or makes the model
fail, is reported and the rest goes on. Photos are read in threads ahead of the model, which so
never waits for a disk or a decoder.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, NoReturn, TypeVar

from tqdm import tqdm

from keypoints_captions.batches import Outcome, run_batches
from keypoints_captions.cores import usable_cores
from keypoints_captions.files import replacing
from keypoints_captions.photos.reader import PHOTO_SUFFIXES, ignore_pillow_warnings

FAILED, USAGE, INTERRUPTED, CLOSED_PIPE = 1, 2, 130, 141  # exit codes, as shells know them

TERMS = (
    "The code is under the Apache License 2.0. The weights that come with it are for research and "
    "education, not for commercial use, as the photos are that they were trained on."
)

P = TypeVar("P")  # a photo as the model wants it
R = TypeVar("R")  # the model's result for one photo


@dataclass
class Run(Generic[R]):
    """The outcomes in the order of the paths; fewer than the paths if interrupted by Ctrl-C."""

    outcomes: list[Outcome[Path, R]] = field(default_factory=list)
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """0, or 1 if any photo failed, or 130 if interrupted."""
        if self.interrupted:
            return INTERRUPTED
        return FAILED if any(outcome.error is not None for outcome in self.outcomes) else 0


def add_photo_arguments(parser: argparse.ArgumentParser, formats: Sequence[str]) -> None:
    """PATH..., --format (the first is the default) and --output."""
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="a photo, or a folder searched for them"
    )
    parser.add_argument(
        "--format", choices=formats, default=formats[0], help="default: %(default)s"
    )
    parser.add_argument(
        "--output", type=Path, metavar="PATH", help="where to write; default: standard output"
    )


def add_model_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """--weights and --device, and the weights' terms below the help."""
    parser.add_argument(
        "--weights",
        metavar="PATH",
        help=f"{name}, or OWNER/NAME of the Hugging Face Hub with these; default: the project's",
    )
    parser.add_argument(
        "--device",
        metavar="cpu|cuda",
        help="what the networks run on, cuda:1 for the second GPU; default: a GPU if there is one",
    )
    parser.epilog = f"{parser.epilog or ''} {TERMS}".strip()


def find_photos(paths: Iterable[str | os.PathLike[str]], skip: Path | None = None) -> list[Path]:
    """The photos that paths given by a user stand for, each once.

    Files come as given, whatever their name, and whether or not they exist: reading them will
    tell. Folders are searched with their subfolders for names ending in `PHOTO_SUFFIXES`, sorted;
    hidden files and folders are left out, and so is `skip`, where an earlier run's pictures lie.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        photos = _photos_under(path, skip) if path.is_dir() else [path]
        found |= dict.fromkeys(photos)
    return list(found)


def _photos_under(folder: Path, skip: Path | None) -> list[Path]:
    unreadable: list[Path] = []  # such folders go with the photos, to fail there and be reported
    photos = []
    skipped = None if skip is None else os.path.realpath(skip)
    walk = os.walk(folder, onerror=lambda error: unreadable.append(Path(error.filename)))
    for parent, folders, names in walk:
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(os.path.join(parent, name)) != skipped
        ]
        photos += [
            Path(parent, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in PHOTO_SUFFIXES
        ]
    return sorted(photos) + unreadable


def process_photos(
    paths: Sequence[Path],
    read: Callable[[Path], P],
    handle: Callable[[list[P]], Sequence[R]],
    *,
    batch_size: int = 1,
    workers: int | None = None,
    weigh: Callable[[P], int] = lambda photo: 0,
) -> Run[R]:
    """Put photos through a model, with a progress bar and every failure on stderr.

    The first Ctrl-C lets the photos in hand be finished, a second one does not.

    Args:
        read, handle, workers, weigh: see `run_batches`. Few photos are spread over the cores; a
            single one has all of them.
        batch_size: photos, at most.
    """
    run: Run[R] = Run()
    workers = min(workers or usable_cores(), len(paths)) or 1
    batch_size = max(1, min(batch_size, -(-len(paths) // workers)))
    # Where stderr is a log and no terminal, the bar would fill it
    interval = 0.1 if sys.stderr.isatty() else 10
    bar = tqdm(
        total=len(paths),
        unit=" photos",
        file=sys.stderr,
        mininterval=interval,
        bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} [{remaining} left, {rate_noinv_fmt}]",
    )
    try:
        with bar, _first_ctrl_c() as interrupted:
            for outcome in run_batches(
                paths,
                read,
                handle,
                batch_size=batch_size,
                workers=workers,
                weigh=weigh,
                stopped=interrupted.is_set,
            ):
                run.outcomes.append(outcome)
                if outcome.error is not None:
                    tqdm.write(f"{outcome.path}: {outcome.error}", file=sys.stderr)
                bar.update()
            run.interrupted = interrupted.is_set()
    except KeyboardInterrupt:
        run.interrupted = True
    if run.interrupted:
        done = f"{len(run.outcomes)} of {len(paths)} photos were finished"
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


def check_output_file(parser: argparse.ArgumentParser, output: Path, photos: list[Path]) -> None:
    """Usage errors for an output that cannot be written, before hours are spent, or is a photo."""
    if output.is_dir():
        parser.error(f"--output {output} is a folder; give the name of a file")
    if os.path.realpath(output) in map(os.path.realpath, photos):
        parser.error(f"--output {output} would overwrite a photo; give another name")
    make_folder(parser, "--output", output.parent)


def make_folder(parser: argparse.ArgumentParser, option: str, folder: Path) -> None:
    """The folder exists and can be written to afterwards; otherwise a usage error."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"{option}: the folder {folder} cannot be made: {error.strerror}")
    if not os.access(folder, os.W_OK):
        parser.error(f"{option}: the folder {folder} is not writable")


def write_result(text: str, output: Path | None) -> None:
    """UTF-8 to the file, which is replaced in one step, or to standard output.

    File names that are no UTF-8 go out with the bytes they have on the disk.
    """
    data = text.encode("utf-8", errors="surrogateescape")
    if output is not None:
        with replacing(output) as partial:
            partial.write_bytes(data)
        return
    sys.stdout.flush()
    rest = memoryview(data)
    while rest:  # under PYTHONUNBUFFERED a pipe takes no more at once than it has room for
        rest = rest[sys.stdout.buffer.write(rest) :]
    sys.stdout.buffer.flush()


def exit_with(main: Callable[[], int]) -> NoReturn:
    """Run a command line's main function and leave with its exit code, without tracebacks for
    what is no fault of the program: Ctrl-C, a reader such as `head` that left, a full disk."""
    ignore_pillow_warnings()
    try:
        status = main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = INTERRUPTED
    except BrokenPipeError:
        # What Python still holds back for the pipe has nowhere to go, not even at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = CLOSED_PIPE
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        status = FAILED
    sys.exit(status)
