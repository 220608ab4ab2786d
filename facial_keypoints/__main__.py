"""Command line of the keypoint library: `python -m facial_keypoints PATH...`."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facial_keypoints.coco import coco_format
from facial_keypoints.export import FORMATS, Record, record_to_dict, to_pts
from facial_keypoints.face import Face
from facial_keypoints.photo_files import PhotoFiles, add_file_arguments, check_photo_files
from facial_keypoints.pipeline import DETECTORS, FacialKeypoints
from facial_keypoints.video.codec import LIMITS
from facial_keypoints.video.command import check_clip_usage, is_clip, run_clips
from keypoints_captions.batches import BATCH, Outcome
from keypoints_captions.command_line import (
    add_model_arguments,
    add_photo_arguments,
    check_output_file,
    check_resume,
    exit_with,
    make_folder,
)
from keypoints_captions.photo_run import FAILED, process_photos
from keypoints_captions.photos.paths import find_photos, mirrored_names, names_within
from keypoints_captions.photos.reader import PHOTO_SUFFIXES, read_photo
from keypoints_captions.results.formats import TextFormat
from keypoints_captions.results.output import Results


@dataclass(frozen=True)
class Photo:
    """A photo as it was read: image is (H, W, 3) uint8 RGB."""

    path: Path
    image: np.ndarray


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code, leaves with 2 on wrong usage."""
    parser = _parser()
    options = parser.parse_args(arguments)
    photos = find_photos(options.paths, skip=[options.overlay, options.crops])
    if not photos:
        names = ", ".join(sorted(PHOTO_SUFFIXES))
        parser.error(f"no photos in {', '.join(map(str, options.paths))}; looked for {names}")
    check_resume(parser, options)
    stems = mirrored_names(photos, options.paths)
    clips = any(map(is_clip, photos))
    check = check_clip_usage if clips else _check_usage
    check(parser, options, stems)
    results = None if clips else _results(parser, options, photos)
    try:
        find_faces = FacialKeypoints.load(options.weights, options.detector, options.device)
    except ValueError as error:
        parser.exit(FAILED, f"{parser.prog}: {error}\n")
    if results is None:
        return run_clips(find_faces, options, stems)
    pts = options.output if options.format == "pts" else None
    sizes = options.crop_size, options.crop_margin
    stems = mirrored_names(results.photos, options.paths)
    files = PhotoFiles(stems, options.overlay, pts, options.crops, *sizes)

    def handle(batch: list[Photo]) -> list[Record]:
        found = find_faces([photo.image for photo in batch])
        pairs = zip(batch, found, strict=True)
        return [_record(photo, faces, files) for photo, faces in pairs]

    with results.adding() as add:
        run = process_photos(
            results.remaining,
            lambda path: Photo(path, read_photo(path)),
            handle,
            lambda outcome, stamp: add(_with_error(outcome), stamp),
            batch_size=BATCH,
            weigh=lambda photo: photo.image.nbytes,
        )
    return run.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m facial_keypoints",
        description="Find the faces in photos or clips, and 68 keypoints, their confidence and "
        "the head pose of each. Progress and errors go to standard error; the exit code is 1 if "
        f"anything could not be read. Clips are given by their names ({LIMITS}).",
    )
    add_photo_arguments(parser, [*FORMATS.names, "coco", "pts"])
    parser.add_argument(
        "--detector", choices=["auto", *DETECTORS], default="auto", help="default: %(default)s"
    )
    add_file_arguments(parser)
    parser.epilog = (
        "COCO's file_name is the path within the folder given. With --format pts, --output is a "
        "folder that gets NAME_0.pts, NAME_1.pts … for the faces of each photo; without it, the "
        "one face of one photo is written to standard output."
    )
    add_model_arguments(parser, "folder, or file without its suffix, of the keypoint network")
    return parser


def _check_usage(
    parser: argparse.ArgumentParser, options: argparse.Namespace, stems: dict[Path, Path]
) -> None:
    """Everything that can be known to go wrong, before the first photo."""
    output: Path | None = options.output
    if options.format != "pts":
        if output is not None:
            check_output_file(parser, output, list(stems))
    elif output is None:
        if len(stems) > 1:
            parser.error(f"--format pts for {len(stems)} photos needs --output FOLDER")
    elif output.suffix == ".pts" or (output.exists() and not output.is_dir()):
        parser.error(f"--format pts writes a file for each face; --output {output} is no folder")
    else:
        make_folder(parser, "--output", output)
    check_photo_files(parser, options, stems)


def _record(photo: Photo, faces: list[Face], files: PhotoFiles) -> Record:
    """The photo's record; its files are written here, so that an interrupted run keeps them."""
    height, width = photo.image.shape[:2]
    record = Record(file=str(photo.path), width=width, height=height, faces=faces)
    record_to_dict(record)  # numbers that no format can hold cost this photo, not all of them
    crops = files.write(photo.path, photo.image, faces)
    if crops is not None:
        record["crops"] = crops
    return record


def _with_error(outcome: Outcome[Path, Record]) -> Record:
    if outcome.result is not None:
        return outcome.result
    return Record(file=str(outcome.path), error=outcome.error or "")


def _results(
    parser: argparse.ArgumentParser, options: argparse.Namespace, photos: list[Path]
) -> Results[Record]:
    """The records' output. The format pts gives the text of one face on standard output, or only
    the files that `PhotoFiles` writes."""

    def only_face(record: Record) -> str:
        faces = record.get("faces", [])
        if len(faces) > 1:
            parser.error(
                f"{record['file']} has {len(faces)} faces; --format pts needs --output FOLDER"
            )
        if not faces and "error" not in record:
            print(f"{record['file']}: no face found", file=sys.stderr)
        return to_pts(faces[0]) if faces else ""

    output: Path | None = options.output
    pts = TextFormat(only_face if output is None else lambda record: "")
    within = names_within(options.paths)
    coco = coco_format(lambda file: within(file).as_posix())
    formats = replace(FORMATS, texts={**FORMATS.texts, "coco": coco, "pts": pts})
    output = None if options.format == "pts" else output
    return Results(parser, formats, options.format, output, photos, options.resume)


def command() -> None:
    """The command that pip installs."""
    exit_with(main)


if __name__ == "__main__":
    command()
