"""Output of a command line: standard output, or a file, new or resumed."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from keypoints_captions.files import is_no_file, replacing
from keypoints_captions.results.formats import Formats, TextFormat
from keypoints_captions.results.journal import Journal, ResultsError
from keypoints_captions.results.parquet import ParquetFile, journal_of
from keypoints_captions.results.stamp import Stamp, identity

R = TypeVar("R")  # a library's record of one photo

#: Takes one photo's record, and the stamp of the photo as it was read.
Add = Callable[[R, Stamp], None]


class Results(Generic[R]):
    """Takes a command's records and writes each as soon as it is known.

    remaining: the photos to work on; those that an earlier run left over if it is gone on with.
    photos: all of them, those first that have a record: what they were named by stays theirs.
    """

    def __init__(
        self,
        parser: argparse.ArgumentParser,
        formats: Formats[R],
        form: str,
        output: Path | None,
        photos: Sequence[Path],
        resume: bool,
    ) -> None:
        """Opens the output; one that cannot be gone on with, or would be lost, is a usage error.

        Args:
            form: name of one of the formats.
            output: a file; None for standard output.
            resume: go on with the output of an earlier run.
        """
        self._formats, self._output = formats, output
        self._kept: Journal | ParquetFile | None = None
        self.remaining = self.photos = photos
        if form == "parquet" and (output is None or is_no_file(output)):
            parser.error("--format parquet needs --output FILE, no pipe or device")
        if output is None or form in formats.texts or is_no_file(output):
            # JSON lines go to standard output, a pipe or a device like any text
            self._form = formats.texts.get(form, TextFormat(formats.line))
            return
        try:
            self._kept = _open(formats, form, output, resume)
            if resume:
                done = self._kept.resume(photos)
                self.remaining = [path for path in photos if identity(str(path)) not in done]
                left = set(self.remaining)
                self.photos = [path for path in photos if path not in left] + self.remaining
        except ResultsError as error:
            parser.error(str(error))
        if len(self.remaining) < len(photos):
            have = f"{len(photos) - len(self.remaining)} of {len(photos)} photos"
            print(f"{have} have a record in {output}; on with the rest.", file=sys.stderr)

    @contextmanager
    def adding(self) -> Iterator[Add[R]]:
        """Yields what takes the records; they are complete when this ends.

        After an exception a file of text is as it was before, and one of JSON lines or Parquet
        holds what was added: the latter when it has been gone on with.
        """
        if self._kept is None:
            with _text(self._form, self._output) as add:
                yield add
            return
        kept, entry = self._kept, self._formats.entry
        try:
            yield lambda record, stamp: kept.add(entry(record), stamp)
        except BaseException:
            kept.abandon()
            raise
        kept.close()


def _open(formats: Formats, form: str, output: Path, resume: bool) -> Journal | ParquetFile:
    files = [output, journal_of(output)] if form == "parquet" else [output]
    for file in files:
        if not resume and file.exists() and file.stat().st_size:
            raise ResultsError(
                f"{file} holds the results of an earlier run; --resume goes on with them, or give "
                "another --output"
            )
    if form == "parquet":
        return ParquetFile(output, formats.answer, formats.schema)
    return Journal(output, formats.answer)


@contextmanager
def _text(form: TextFormat[R], output: Path | None) -> Iterator[Add[R]]:
    """Records as text, to a file that is replaced at the end, or to standard output one by one."""
    if output is None:
        with _texts(form, write_to_stdout) as add:
            yield add
        return
    with (
        replacing(output) as partial,
        open(partial, "wb") as file,
        _texts(form, lambda text: file.write(as_bytes(text))) as add,
    ):
        yield add


@contextmanager
def _texts(form: TextFormat[R], write: Callable[[str], object]) -> Iterator[Add[R]]:
    count = 0

    def add(record: R, stamp: Stamp) -> None:
        nonlocal count
        text = form.record(record)
        write((form.between if count else form.start) + text)
        count += 1

    yield add
    write(form.end() if count else form.empty())


def as_bytes(text: str) -> bytes:
    """UTF-8; file names that are none go out with the bytes they have on the disk."""
    return text.encode("utf-8", errors="surrogateescape")


def write_to_stdout(text: str) -> None:
    """All of it, at once, as `as_bytes` has it."""
    sys.stdout.flush()
    rest = memoryview(as_bytes(text))
    while rest:  # under PYTHONUNBUFFERED a pipe takes no more at once than it has room for
        rest = rest[sys.stdout.buffer.write(rest) :]
    sys.stdout.buffer.flush()


def write_result(text: str, output: Path | None) -> None:
    """The whole of a result, to the file, which is replaced in one step, or to standard output."""
    if output is None:
        write_to_stdout(text)
        return
    with replacing(output) as partial:
        partial.write_bytes(as_bytes(text))
