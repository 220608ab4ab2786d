"""What both bulk commands share: arguments, the run, its exit code."""

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from keypoints_captions.bulk.listing import InputError, list_photos
from keypoints_captions.bulk.parts import Parts
from keypoints_captions.bulk.run import BLOCK, Model, run_on_ray
from keypoints_captions.command_line import add_model_arguments
from keypoints_captions.photo_run import FAILED
from keypoints_captions.results.parquet import require_pyarrow

if TYPE_CHECKING:
    import pyarrow


def bulk_parser(program: str, description: str, model: str) -> argparse.ArgumentParser:
    """INPUT…, --output, --resume, --address, --block, --weights and --device.

    model: what --weights may be, as `add_model_arguments` takes it.
    """
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="a folder, an address that pyarrow reads (s3://…, gs://…, hdfs://…), or a list of "
        "these or of photos, one a line, named *.txt",
    )
    parser.add_argument(
        "--output",
        required=True,
        metavar="FOLDER",
        help="a folder for Parquet files, or its address; every machine must reach it",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the --output of an earlier run: photos that have a record there, and are "
        "as they were by size and time, are left out",
    )
    parser.add_argument(
        "--address",
        help="of a running Ray cluster, or auto for the one of this machine; default: one is "
        "started on this machine for the run",
    )
    parser.add_argument(
        "--block",
        type=int,
        default=BLOCK,
        metavar="PHOTOS",
        help="photos of a task and of a Parquet file, at most; default: %(default)s",
    )
    add_model_arguments(parser, model)
    return parser


def run_bulk(
    parser: argparse.ArgumentParser,
    options: argparse.Namespace,
    load: Callable[[], Model],
    schema: "Callable[[], pyarrow.Schema]",
) -> int:
    """The whole run; returns the exit code, leaves with 2 on wrong usage."""
    if options.block < 1:
        parser.error(f"--block is 1 or more, got {options.block}")
    try:
        require_pyarrow(parser.prog)
        require_ray(parser.prog)
        photos = list_photos(options.inputs)
        parts = Parts(options.output, schema())
        if not len(photos):
            raise InputError(f"no photos in {', '.join(options.inputs)}")
        if parts.files() and not options.resume:
            raise InputError(
                f"{options.output} holds the results of an earlier run; --resume goes on with "
                "them, or give another --output"
            )
        done = parts.settle(photos)
    except ValueError as error:
        parser.error(str(error))
    if done:
        have = f"{len(done)} of {len(photos)} photos"
        print(f"{have} have a record in {options.output}; on with the rest.", file=sys.stderr)
        photos = photos.filter([file not in done for file in photos["file"].to_pylist()])
    if len(photos):
        run_on_ray(photos, load, parts, options.address, options.block)
    count, failed = parts.counts()
    print(f"{count} photos in {options.output}, {failed} of them with an error.", file=sys.stderr)
    return FAILED if failed else 0


def require_ray(purpose: str) -> None:
    """Raises an `InputError` that says what to install, where Ray is missing."""
    try:
        import ray.data  # noqa: F401
    except ImportError as error:
        raise InputError(
            f'{purpose} needs Ray ({error}): pip install "keypoints-captions[bulk]"'
        ) from error
