"""Command line of the captioning library: `python -m captioning PATH...`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from captioning.captioner import BATCH, Captioner
from captioning.export import FORMATS, Record, sidecar_text
from captioning.options import SearchOptions, add_search_arguments
from keypoints_captions.batches import Outcome
from keypoints_captions.command_line import (
    add_model_arguments,
    add_photo_arguments,
    check_output_file,
    check_resume,
    exit_with,
    make_results_folder,
)
from keypoints_captions.photo_run import FAILED, process_photos
from keypoints_captions.photos.paths import find_photos, mirrored_names
from keypoints_captions.photos.reader import PHOTO_SUFFIXES
from keypoints_captions.results.output import Results, write_result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code, leaves with 2 on wrong usage."""
    parser = _parser()
    options = parser.parse_args(arguments)
    photos = find_photos(options.paths)
    if not photos:
        names = ", ".join(sorted(PHOTO_SUFFIXES))
        parser.error(f"no photos in {', '.join(map(str, options.paths))}; looked for {names}")
    check_resume(parser, options)
    if options.output is not None:
        check_output_file(parser, options.output, photos)
    try:
        search = SearchOptions(beam_size=options.beam_size, num_captions=options.num_captions)
    except ValueError as error:
        parser.error(str(error))
    if options.sidecars is not None:
        named = mirrored_names(photos, options.paths)
        make_results_folder(parser, "--sidecars", options.sidecars, named, _sidecar_path)
    results = Results(parser, FORMATS, options.format, options.output, photos, options.resume)
    stems = {} if options.sidecars is None else mirrored_names(results.photos, options.paths)
    try:
        captioner = Captioner.load(options.weights, options.device)
    except ValueError as error:
        parser.exit(FAILED, f"{parser.prog}: {error}\n")

    def read(path: Path) -> tuple[Path, np.ndarray]:
        return path, captioner.preprocessing.read(path)

    def handle(batch: list[tuple[Path, np.ndarray]]) -> list[Record]:
        seen = captioner.look_at([square for _, square in batch])
        found = captioner.caption(seen, search)
        records = []
        for (path, _), captions in zip(batch, found, strict=True):
            records.append(Record(str(path), tuple(captions)))
            if stems:  # written here, so that an interrupted run keeps them
                sidecar = _sidecar_path(options.sidecars, stems[path])
                write_result(sidecar_text(captions), sidecar)
        return records

    with results.adding() as add:
        run = process_photos(
            results.remaining,
            read,
            handle,
            lambda outcome, stamp: add(_with_error(outcome), stamp),
            batch_size=BATCH,
        )
    return run.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m captioning",
        description="Describe photos, each in a sentence. Progress and errors go to standard "
        "error; the exit code is 1 if any photo could not be read.",
    )
    add_photo_arguments(parser, FORMATS.names)
    add_search_arguments(parser)
    parser.add_argument(
        "--sidecars",
        type=Path,
        metavar="DIR",
        help="also write NAME.txt for each photo, a caption a line, in folders as the photos'; "
        "DIR may be the photos' own folder; texts of these names are replaced",
    )
    add_model_arguments(parser, "folder of the captioner's weights")
    return parser


def _sidecar_path(folder: Path, stem: Path) -> Path:
    return folder / f"{stem}.txt"


def _with_error(outcome: Outcome[Path, Record]) -> Record:
    return outcome.result or Record(str(outcome.path), error=outcome.error or "")


def command() -> None:
    """The command that pip installs."""
    exit_with(main)


if __name__ == "__main__":
    command()
