"""How the programs of this folder end where something that they are given is missing."""

import sys
from collections.abc import Callable

from keypoints_captions.weights import WeightsError


class UsageError(ValueError):
    """What is asked for cannot be done: the message says why."""


def run(main: Callable[[], None]) -> None:
    """Runs a program; where a file, folder or weights are missing, or something impossible is asked
    for, it ends with that sentence and status 1 instead of a traceback."""
    try:
        main()
    except (FileNotFoundError, NotADirectoryError) as error:
        sys.exit(f"{error.filename}: {error.strerror}" if error.strerror else str(error))
    except (WeightsError, UsageError) as error:
        sys.exit(str(error))
