"""JSON lines: each record is on the disk at once, and an ended run can be resumed.

A record is one line, written at once, so that a process killed at any moment leaves whole lines.
Only a disk that fills up or a machine that loses power can leave half of one, at the end.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from keypoints_captions.files import replacing
from keypoints_captions.results.formats import Entry
from keypoints_captions.results.stamp import Stamp, identity, is_done

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

#: Lines are with the operating system at once, which a killed process cannot undo; at most so
#: much time later they are on the disk, in case the power goes.
SYNC_SECONDS = 1.0


class ResultsError(ValueError):
    """The output is not what this run could write to, or go on with. The message says why."""


class Journal:
    """A file of JSON lines that records are added to.

    path: of the file, made where there is none.
    answer: the key that an entry without an error has; a file of another command has another.

    Raises:
        ResultsError: another run writes to the file.
        OSError: it cannot be written to.
    """

    def __init__(self, path: Path, answer: str) -> None:
        self.path, self.answer = Path(os.path.realpath(path)), answer
        self._file = _locked(self.path)
        self._synced = time.monotonic()

    def resume(self, asked: Sequence[Path]) -> set[str]:
        """The identities of photos that need not be looked at again; the file then holds no others
        of those asked for.

        What goes: half a line at the end; errors, which are tried again; photos that have changed;
        second records of a photo. Photos that are not asked for stay.

        Raises:
            ResultsError: the file holds something else than these records.
        """
        wanted = {identity(str(path)) for path in asked}
        done: set[str] = set()
        dropped: set[int] = set()
        whole = 0  # bytes of whole lines
        for number, line in enumerate(self._whole_lines()):
            whole += len(line)
            entry = self._entry(line, number)
            photo = identity(entry["file"])
            if photo in done or (photo in wanted and not is_done(entry)):
                dropped.add(number)
            else:
                done.add(photo)
        if dropped:
            self._rewrite_without(dropped)
        else:
            self._file.truncate(whole)
        return done

    def entries(self) -> Iterator[Entry]:
        """The records in the file."""
        for number, line in enumerate(self._whole_lines()):
            yield self._entry(line, number)

    def add(self, entry: Entry, stamp: Stamp) -> None:
        """One photo's record, with size and time of the file."""
        line = json.dumps({**entry, "size": stamp.size, "mtime": stamp.mtime}, allow_nan=False)
        rest = memoryview(f"{line}\n".encode("ascii"))
        while rest:
            rest = rest[os.write(self._file.fileno(), rest) :]
        if time.monotonic() - self._synced > SYNC_SECONDS:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def abandon(self) -> None:
        """After a failure: as `close`; every record added stays."""
        self.close()

    @property
    def empty(self) -> bool:
        """Whether the file holds nothing."""
        return os.fstat(self._file.fileno()).st_size == 0

    def close(self) -> None:
        """All of it on the disk; others may write to the file."""
        os.fsync(self._file.fileno())
        self._file.close()

    def _whole_lines(self) -> Iterator[bytes]:
        with open(self.path, "rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield line

    def _entry(self, line: bytes, number: int) -> Entry:
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if (
            not isinstance(entry, dict)
            or not isinstance(entry.get("file"), str)
            or not entry.keys() & {self.answer, "error"}
        ):
            raise ResultsError(
                f'{self.path}, line {number + 1}: expected a record with "file" and '
                f'"{self.answer}", got {line[:60]!r}; give another --output'
            )
        return entry

    def _rewrite_without(self, dropped: set[int]) -> None:
        fresh = None
        with replacing(self.path) as partial:
            if fcntl is not None:
                fresh = _locked(partial)
            else:
                self._file.close()  # Windows replaces no file that is open
            with open(partial, "wb") as copy:
                for number, line in enumerate(self._whole_lines()):
                    if number not in dropped:
                        copy.write(line)
                copy.flush()
                os.fsync(copy.fileno())
        self._file.close()
        self._file = fresh or _locked(self.path)


def _locked(path: Path) -> IO[bytes]:
    """The file, open for appending and kept from other runs until it is closed."""
    file = open(path, "ab", buffering=0)  # noqa: SIM115 (the caller closes it)
    if fcntl is None:
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise ResultsError(
            f"{path} is being written to by another run; let it end, or give another --output"
        ) from None
    except OSError:  # some network file systems have no locks
        pass
    return file
