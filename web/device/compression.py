"""Brotli and gzip copies of large files, compressed once and cached."""

import gzip
import hashlib
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

import brotli

from keypoints_captions.files import replacing

#: In the order of preference. brotli's best levels take a minute for 3 % more.
ENCODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "br": (".br", lambda data: brotli.compress(data, quality=9)),
    "gzip": (".gz", lambda data: gzip.compress(data, 9, mtime=0)),
}
_SMALL = 400  # bytes; below this nothing is gained


def compressed_folder() -> Path:
    """The folder of the compressed copies, named by the checksum of the originals."""
    return Path(sys.prefix, "share", "photo-page", "compressed")


def compress_all(files: Iterable[Path]) -> None:
    """Makes the compressed copies that are missing. Where they cannot be stored there are none,
    and the server compresses anew at each request."""
    for file in files:
        for encoding in ENCODINGS:
            copy = _copy(file, encoding)
            if copy.exists() or file.stat().st_size < _SMALL:
                continue
            try:
                with replacing(copy) as path:
                    path.write_bytes(ENCODINGS[encoding][1](file.read_bytes()))
            except OSError:
                return


def compressed(file: Path, accepted: str) -> tuple[Path, str] | None:
    """The best compressed copy there is, and its encoding; None where there is none.

    accepted: the request's Accept-Encoding header.
    """
    names = {part.partition(";")[0].strip().lower() for part in accepted.split(",")}
    for encoding in ENCODINGS:
        copy = _copy(file, encoding)
        if encoding in names and copy.is_file():
            return copy, encoding
    return None


def gzipped(file: Path) -> bytes:
    """The contents, compressed with gzip."""
    copy = compressed(file, "gzip")
    return copy[0].read_bytes() if copy else ENCODINGS["gzip"][1](file.read_bytes())


def compressed_size(file: Path) -> int:
    """Bytes of the best compressed copy there is, or of the file."""
    copy = compressed(file, ", ".join(ENCODINGS))
    return (copy[0] if copy else file).stat().st_size


def digest(file: Path) -> str:
    """SHA-256 of the contents, hexadecimal; read again only where the file has changed."""
    status = file.stat()
    return _digest(file, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=200)
def _digest(file: Path, _changed: int, _size: int) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _copy(file: Path, encoding: str) -> Path:
    return compressed_folder() / f"{digest(file)[:32]}{ENCODINGS[encoding][0]}"
