"""Size and time of a photo's file, to tell whether it changed since an earlier run."""

import os
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Stamp:
    """Size in bytes and time of the last change, in seconds since 1970; None where there is no
    such file."""

    size: int | None
    mtime: float | None

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> "Stamp":
        """The file's, as it is now."""
        try:
            status = os.stat(path)
        except (OSError, ValueError):  # ValueError: a null character in the path
            return cls(None, None)
        return cls(status.st_size, status.st_mtime)


def identity(file: str) -> str:
    """By what a photo is known again: its absolute path, in characters that any format can hold."""
    return readable(os.path.abspath(file))


def readable(name: str) -> str:
    r"""The name with bytes that are no UTF-8 spelt out, as `\xff`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def is_done(entry: dict[str, Any]) -> bool:
    """Whether an earlier run's entry still holds: it is no error, and the photo is as it was."""
    if "error" in entry and entry["error"] is not None:
        return False
    return Stamp.of(entry["file"]) == Stamp(entry.get("size"), entry.get("mtime"))
