"""Arguments, usage errors and exit codes that both command lines share."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from keypoints_captions.files import is_no_file
from keypoints_captions.photo_run import FAILED, INTERRUPTED
from keypoints_captions.photos.reader import ignore_pillow_warnings

CLOSED_PIPE = 141  # exit code, as shells know it

TERMS = (
    "The code is under the Apache License 2.0. The weights that come with it are for research and "
    "education, not for commercial use, as the photos are that they were trained on."
)


def add_photo_arguments(parser: argparse.ArgumentParser, formats: Sequence[str]) -> None:
    """PATH..., --format (the first is the default), --output and --resume."""
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="a photo, or a folder searched for them"
    )
    parser.add_argument(
        "--format", choices=formats, default=formats[0], help="default: %(default)s"
    )
    parser.add_argument(
        "--output", type=Path, metavar="PATH", help="where to write; default: standard output"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the --output of a run that was ended: photos that have a record there, "
        "and are as they were by size and time, are left out; with --format jsonl or parquet, "
        "whose records are on the disk as soon as they are known",
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


def check_resume(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """A usage error for --resume where nothing is left to go on with."""
    if options.resume and (options.format not in ("jsonl", "parquet") or options.output is None):
        parser.error("--resume needs --format jsonl or parquet, and --output FILE")


def check_output_file(parser: argparse.ArgumentParser, output: Path, photos: list[Path]) -> None:
    """Usage errors for an output that cannot be written, before hours are spent, or is a photo."""
    if output.is_dir():
        parser.error(f"--output {output} is a folder; give the name of a file")
    if output.exists() and _file_id(output) in map(_file_id, photos):
        parser.error(f"--output {output} would overwrite a photo; give another name")
    if not is_no_file(output):  # beside /dev/null nothing is made
        make_folder(parser, "--output", output.parent)


def make_folder(parser: argparse.ArgumentParser, option: str, folder: Path) -> None:
    """The folder exists and can be written to afterwards; otherwise a usage error."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"{option}: the folder {folder} cannot be made: {error.strerror}")
    if not os.access(folder, os.W_OK):
        parser.error(f"{option}: the folder {folder} is not writable")


def make_results_folder(
    parser: argparse.ArgumentParser,
    option: str,
    folder: Path,
    stems: Mapping[Path, Path],
    result: Callable[[Path, Path], Path],
) -> None:
    """Makes the folder for a file of each photo or clip; a usage error where one would overwrite
    what it comes from.

    stems: photo or clip -> its path in the folder, without a suffix. result: (folder, stem) ->
    the file.
    """
    sources = {_file_id(source): source for source in stems}
    for stem in stems.values():
        target = result(folder, stem)
        if target.exists() and _file_id(target) in sources:
            parser.error(f"{option} {folder} would overwrite {sources[_file_id(target)]}")
    make_folder(parser, option, folder)


def _file_id(path: Path) -> tuple[int, int] | str:
    """What a file is, whatever it is called: on macOS a.JPG and a.jpg are one."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # ValueError: a null character in the path
        return os.path.realpath(path)
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)


def exit_with(main: Callable[[], int]) -> NoReturn:
    """Run a command line's main function and leave with its exit code, without tracebacks for
    what is no fault of the program: Ctrl-C, a reader such as `head` that left, a full disk."""
    ignore_pillow_warnings()
    for name in ("stdout", "stderr"):  # None where they are closed, as Windows services have them
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (for as long as it runs)
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
