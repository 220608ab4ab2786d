"""Atomic writing of files, and paths of files that come with the project."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write to the path this yields; on success it takes the given path's place in one step.

    A reader, or a later run after this one was killed, sees the old file or the new one, never
    half of one. Missing parent folders are made. What exists and is no regular file (/dev/null,
    a pipe) is written to directly; a symbolic link stays and its target is replaced.

    Raises:
        OSError: the folder cannot be made or written to. The old file is untouched then.
    """
    if is_no_file(path):  # the real path of a pipe such as /dev/stdout is none that opens
        yield Path(path)
        return
    final = Path(os.path.realpath(path))
    final.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own, whoever else writes here, in 255 bytes; a letter may have four
    partial = final.with_name(f".{final.name[:40]}.{uuid.uuid4().hex}.partial")
    try:
        yield partial
        os.replace(partial, final)
    finally:
        partial.unlink(missing_ok=True)


def is_no_file(path: str | os.PathLike[str]) -> bool:
    """Whether it is there and no regular file: a folder, /dev/null, a pipe."""
    return os.path.exists(path) and not os.path.isfile(path)


def shipped(name: str) -> Path:
    """A file or folder that comes with the project: "weights", "assets/filters".

    A wheel holds it inside this package, a clone at its top; it is nowhere twice.
    """
    package = Path(str(files("keypoints_captions")))
    installed = package / "shipped" / name
    return installed if installed.exists() else package.parent / name
