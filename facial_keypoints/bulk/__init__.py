"""`python -m facial_keypoints.bulk INPUT... --output FOLDER`: faces of photos on many machines."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from facial_keypoints.export import FORMATS, Record
from facial_keypoints.pipeline import DETECTORS, FacialKeypoints
from keypoints_captions.batches import BATCH
from keypoints_captions.bulk.command import bulk_parser, run_bulk
from keypoints_captions.command_line import exit_with
from keypoints_captions.photos.reader import read_photo
from keypoints_captions.results.formats import Entry


class KeypointModel:
    """What an actor holds: the keypoint pipeline."""

    batch = BATCH

    def __init__(self, weights: str | None, detector: str, device: str | None) -> None:
        self.find_faces = FacialKeypoints.load(weights, detector, device)

    def read(self, photo: bytes) -> np.ndarray:
        """(H, W, 3) uint8 RGB of a file's bytes."""
        return read_photo(photo)

    def handle(self, photos: list[np.ndarray]) -> list[Entry]:
        """A record of each photo; its name is left empty."""
        entries = []
        for image, faces in zip(photos, self.find_faces(photos), strict=True):
            height, width = image.shape[:2]
            entries.append(FORMATS.entry(Record(file="", width=width, height=height, faces=faces)))
        return entries


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code, leaves with 2 on wrong usage."""
    parser = bulk_parser(
        "python -m facial_keypoints.bulk",
        "Find faces and their 68 keypoints in any number of photos, on the cores or GPUs of one "
        "machine or of a Ray cluster. The exit code is 1 if anything could not be read.",
        "folder, or file without its suffix, of the keypoint network",
    )
    parser.add_argument(
        "--detector", choices=["auto", *DETECTORS], default="auto", help="default: %(default)s"
    )
    options = parser.parse_args(arguments)
    load = partial(KeypointModel, options.weights, options.detector, options.device)
    return run_bulk(parser, options, load, FORMATS.schema)


def command() -> None:
    """The command that pip installs."""
    exit_with(main)
