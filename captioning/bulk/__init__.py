"""`python -m captioning.bulk INPUT... --output FOLDER`: captions of photos on many machines."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from captioning.captioner import BATCH, Captioner
from captioning.export import FORMATS, Record
from captioning.options import SearchOptions, add_search_arguments
from keypoints_captions.bulk.command import bulk_parser, run_bulk
from keypoints_captions.command_line import exit_with
from keypoints_captions.results.formats import Entry


class CaptionModel:
    """What an actor holds: the captioner."""

    batch = BATCH

    def __init__(self, weights: str | None, device: str | None, search: SearchOptions) -> None:
        self.captioner, self.search = Captioner.load(weights, device), search

    def read(self, photo: bytes) -> np.ndarray:
        """The photo of a file's bytes, made square."""
        return self.captioner.preprocessing.read(photo)

    def handle(self, photos: list[np.ndarray]) -> list[Entry]:
        """A record of each photo; its name is left empty."""
        found = self.captioner.caption(self.captioner.look_at(photos), self.search)
        return [FORMATS.entry(Record("", tuple(captions))) for captions in found]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code, leaves with 2 on wrong usage."""
    parser = bulk_parser(
        "python -m captioning.bulk",
        "Describe any number of photos, each in a sentence, on the cores or GPUs of one machine or "
        "of a Ray cluster. The exit code is 1 if any photo could not be read.",
        "folder of the captioner's weights",
    )
    add_search_arguments(parser)
    options = parser.parse_args(arguments)
    try:
        search = SearchOptions(beam_size=options.beam_size, num_captions=options.num_captions)
    except ValueError as error:
        parser.error(str(error))
    load = partial(CaptionModel, options.weights, options.device, search)
    return run_bulk(parser, options, load, FORMATS.schema)


def command() -> None:
    """The command that pip installs."""
    exit_with(main)
