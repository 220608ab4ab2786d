"""Atomic writing of files, and paths of files that come with the project."""

import os
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
    final = Path(os.path.realpath(path))
    if final.exists() and not final.is_file():
        yield final
        return
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = final.with_name(f".{final.name[:100]}.{os.getpid()}.partial")
    try:
        yield partial
        os.replace(partial, final)
    finally:
        partial.unlink(missing_ok=True)


def shipped(name: str) -> Path:
    """A file or folder that comes with the project: "weights", "assets/filters".

    A wheel holds it inside this package, a clone at its top; it is nowhere twice.
    """
    package = Path(str(files("keypoints_captions")))
    installed = package / "shipped" / name
    return installed if installed.exists() else package.parent / name
