"""The photos that an input stands for: a folder, a list, or what pyarrow reads by address."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from keypoints_captions.photos.paths import find_photos
from keypoints_captions.photos.reader import MAX_BYTES, PHOTO_SUFFIXES, PhotoError
from keypoints_captions.results.stamp import Stamp, readable

if TYPE_CHECKING:
    import pyarrow
    from pyarrow import fs

#: file: as it is told in the results. source: where any machine finds it, an absolute path or an
#: address. size, mtime: as `Stamp` has them.
COLUMNS = ("file", "source", "size", "mtime")


class InputError(ValueError):
    """An input that cannot be listed. The message says why."""


def list_photos(inputs: Sequence[str]) -> "pyarrow.Table":
    """A row of `COLUMNS` for each photo, each once.

    Args:
        inputs: photos, folders (searched as by the command lines), addresses of photos or of
            folders (s3://…, gs://…, hdfs://…, file://…), or lists: texts of any of these, one a
            line, whose names end in .txt.

    Raises:
        InputError: a list or an address cannot be read.
    """
    import pyarrow as pa

    found: dict[str, tuple[str, Stamp]] = {}
    for text in inputs:
        for one in _lines(text):
            photos = _addressed(one) if is_address(one) else _local(one)
            for file, source, stamp in photos:
                found.setdefault(source, (file, stamp))
    rows = [(readable(file), source, s.size, s.mtime) for source, (file, s) in found.items()]
    files, sources, sizes, times = zip(*rows, strict=True) if rows else ((), (), (), ())
    columns = [
        pa.array(files, pa.string()),
        pa.array([os.fsencode(source) for source in sources], pa.binary()),
        pa.array(sizes, pa.int64()),
        pa.array(times, pa.float64()),
    ]
    return pa.table(columns, names=COLUMNS)


def is_address(text: str) -> bool:
    """Whether it is an address, such as s3://bucket/folder, and no path."""
    return "://" in text


def read_bytes(source: str) -> bytes:
    """A file's bytes, by absolute path or address.

    Raises:
        PhotoError: it cannot be read, or is larger than a photo may be.
    """
    from pyarrow import fs

    try:
        system, path = _system(source)
        info = system.get_file_info(path)
        if info.type == fs.FileType.NotFound:
            raise PhotoError("There is no such file; check the path.")
        if info.type != fs.FileType.File:
            raise PhotoError("This is no file; give the path of a photo.")
        if (info.size or 0) > MAX_BYTES:
            raise PhotoError(
                f"The file has {info.size / 2**20:.0f} MiB; at most {MAX_BYTES // 2**20} MiB are "
                "accepted."
            )
        with system.open_input_stream(path) as stream:
            return bytes(stream.read())
    except OSError as error:
        raise PhotoError(f"The file cannot be read: {_first_line(error)}.") from error


def _lines(text: str) -> Iterator[str]:
    """The lines of a list, or the input itself."""
    if not text.endswith(".txt"):
        yield text
        return
    try:
        data = read_bytes(text if is_address(text) else os.path.abspath(text))
    except PhotoError as error:
        raise InputError(f"{text}: {error}") from error
    # Windows begins texts with a mark; names may hold what else counts as the end of a line
    for line in data.decode("utf-8-sig", "surrogateescape").split("\n"):
        if line.strip():
            yield line.strip()


def _local(text: str) -> Iterator[tuple[str, str, Stamp]]:
    for path in find_photos([Path(text)]):
        yield str(path), os.path.abspath(path), Stamp.of(path)


def _addressed(address: str) -> Iterator[tuple[str, str, Stamp]]:
    from pyarrow import fs

    try:
        system, path = _system(address)
        infos = [system.get_file_info(path)]
        if infos[0].type == fs.FileType.Directory:
            infos = system.get_file_info(fs.FileSelector(path, recursive=True))
    except (OSError, ValueError) as error:
        raise InputError(f"{address} cannot be listed: {_first_line(error)}") from error
    folder, mark, options = address.partition("?")  # options: how the store is reached
    folder = folder.rstrip("/")
    for info in sorted(infos, key=lambda info: info.path):
        within = info.path[len(path.rstrip("/")) :]
        if info.path == path or _is_photo(info, within):
            source = f"{folder}{quote(within)}{mark}{options}"
            time = None if info.mtime_ns is None else info.mtime_ns / 1e9
            yield folder + within, source, Stamp(info.size, time)


def _is_photo(info: "fs.FileInfo", within: str) -> bool:
    from pyarrow import fs

    hidden = any(part.startswith(".") for part in within.split("/"))
    is_file = info.type == fs.FileType.File
    return is_file and not hidden and Path(info.path).suffix.lower() in PHOTO_SUFFIXES


def _system(source: str) -> "tuple[fs.FileSystem, str]":
    from pyarrow import fs

    if is_address(source):
        return fs.FileSystem.from_uri(source)
    return fs.LocalFileSystem(), source


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
