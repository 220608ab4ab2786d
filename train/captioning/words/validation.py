"""Command lines of what is fitted to the captions of validation photos."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from captioning.captioner import WEIGHTS
from train.captioning.data import CaptionedPhoto, load_set
from train.captioning.words.inference import VALIDATION
from train.command_line import program
from train.figures import Report, add_card_argument


class FitOptions(NamedTuple):
    """data: folder of annotation files. weights: folder of the captioner's. sets: name of each
    validation set -> its photos. report: where the figures go."""

    data: Path
    weights: Path
    sets: dict[str, list[CaptionedPhoto]]
    report: Report


def read_options(name: str, about: str | None, arguments: Sequence[str] | None) -> FitOptions:
    """The options of `python -m train.NAME`, whose module's docstring tells what it is about."""
    parser = program(name, about)
    parser.add_argument("--data", type=Path, required=True, help="folder of annotation files")
    parser.add_argument("--weights", type=Path, default=Path(WEIGHTS))
    parser.add_argument("--photos", type=int, default=0, help="of each set; all by default")
    add_card_argument(parser, "captioning")
    options: argparse.Namespace = parser.parse_args(arguments)
    foreign = options.weights.resolve() != Path(WEIGHTS).resolve()
    sets = {
        name: load_set(str(options.data / f"{name}.json"))[: options.photos or None]
        for name in VALIDATION
    }
    return FitOptions(options.data, options.weights, sets, Report(options.write_card, foreign))
