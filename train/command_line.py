"""What the programs of this folder share: their options, and how they end where something is
missing."""

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keypoints_captions.weights import WeightsError
from train.engine.options import UsageError, add_config_arguments


def run(main: Callable[[], None]) -> None:
    """Runs a program; where a file, folder or weights are missing, or something impossible is asked
    for, it ends with that sentence and status 1 instead of a traceback."""
    try:
        main()
    except (FileNotFoundError, NotADirectoryError) as error:
        sys.exit(f"{error.filename}: {error.strerror}" if error.strerror else str(error))
    except (WeightsError, UsageError) as error:
        sys.exit(str(error))


def program(name: str, doc: str | None, **options: Any) -> argparse.ArgumentParser:
    """The parser of `python -m train.NAME`, whose help is the module's docstring."""
    return argparse.ArgumentParser(
        prog=f"python -m train.{name}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **options,
    )


def add_train_and_export(
    commands: Any, name: str, weights: str, *configs: Any
) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """The commands `train`, with an option for each field of the configs, and `export`.

    commands: what `add_subparsers` gave. name: of the run's folder. weights: where to export to.
    """
    train = commands.add_parser("train", help="train the CNN")
    train.add_argument("--weights", type=Path, help="write NAME.safetensors, NAME.json at the end")
    train.add_argument(
        "--stop-after", type=float, default=math.inf, help="minutes; the run resumes later"
    )
    for config in configs:
        add_config_arguments(train, config)
    export = commands.add_parser("export", help="write the best checkpoint as weights")
    export.add_argument("--weights", type=Path, default=Path(weights))
    for command in (train, export):
        add_checkpoints(command, name)
    return train, export


def add_checkpoints(command: argparse.ArgumentParser, name: str) -> None:
    """The option `--checkpoints`."""
    command.add_argument(
        "--checkpoints", type=Path, default=Path("runs") / name, help="the run's folder"
    )
