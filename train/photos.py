"""Photos of data sets: an error names the file, of which there are thousands."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from keypoints_captions.photos import reader
from train.engine.options import UsageError


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Raises a UsageError that begins with the path in place of a `reader.PhotoError`."""
    try:
        yield
    except reader.PhotoError as error:
        raise UsageError(f"{path}: {error}") from error


def read_photo(path: Path, *, max_side: int | None = None) -> np.ndarray:
    """As `keypoints_captions.photos.reader.read_photo`, (H, W, 3) uint8 RGB.

    Raises:
        UsageError: the file is missing or no photo; the message begins with its path.
    """
    with naming(path):
        return reader.read_photo(path, max_side=max_side)
