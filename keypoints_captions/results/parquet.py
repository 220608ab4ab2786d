"""Parquet files, made at the end from JSON lines that are written beside them.

A Parquet file is readable only once its last bytes are written, so a run that is killed would
leave nothing. Part files in a folder would survive, but each record on the disk when it is known
would mean a part for each; and people expect one file. So `NAME.parquet.journal` takes the records,
and becomes `NAME.parquet` when the run ends, with what that held before.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keypoints_captions.files import replacing
from keypoints_captions.results.formats import Entry
from keypoints_captions.results.journal import Journal, ResultsError
from keypoints_captions.results.stamp import Stamp, identity, is_done, readable

if TYPE_CHECKING:
    import pyarrow

ROWS = 1000  # of a row group, which is held in memory


class ParquetFile:
    """A Parquet file that records are added to.

    path: of the file; the journal lies beside it until the run ends.
    answer: as of `Journal`. schema: of the file.

    Raises:
        ResultsError: pyarrow is missing, or another run writes to the file.
        OSError: it cannot be written to.
    """

    def __init__(self, path: Path, answer: str, schema: Callable[[], "pyarrow.Schema"]) -> None:
        require_pyarrow("--format parquet")
        self.path, self.schema = path, schema()
        self._journal = Journal(journal_of(path), answer)
        self._replaced: set[str] = set()  # photos whose rows in the old file no longer count

    def resume(self, asked: Sequence[Path]) -> set[str]:
        """As `Journal.resume`.

        Raises:
            ResultsError: file or journal hold something else than these records.
        """
        done = self._journal.resume(asked)
        self._replaced = set(done)
        wanted = {identity(str(path)) for path in asked}
        for row in self._old_rows(["file", "error", "size", "mtime"]):
            photo = identity(row["file"])
            if photo in wanted and not is_done(row):
                self._replaced.add(photo)
            else:
                done.add(photo)
        return done

    def add(self, entry: Entry, stamp: Stamp) -> None:
        """One photo's record, with size and time of the file."""
        self._journal.add(entry, stamp)

    def close(self) -> None:
        """The journal becomes the Parquet file."""
        if not self._journal.empty or not self.path.exists():
            old = (row for row in self._old_rows() if identity(row["file"]) not in self._replaced)
            with replacing(self.path) as partial:
                _write(partial, self.schema, chain(old, map(as_row, self._journal.entries())))
        self._journal.close()
        self._journal.path.unlink()

    def abandon(self) -> None:
        """The journal stays, to be gone on with."""
        self._journal.close()

    def _old_rows(self, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
        from pyarrow import ArrowInvalid, parquet

        if not self.path.exists() or not self.path.stat().st_size:
            return
        try:
            file = parquet.ParquetFile(self.path)
        except ArrowInvalid as error:
            raise ResultsError(
                f"{self.path}: expected a Parquet file of these records, got something else "
                f"({error}); give another --output"
            ) from error
        with file:
            if file.schema_arrow != self.schema:
                raise ResultsError(
                    f"{self.path}: expected the columns {', '.join(self.schema.names)}, got "
                    f"{', '.join(file.schema_arrow.names)}; give another --output"
                )
            for batch in file.iter_batches(ROWS, columns=columns):
                yield from batch.to_pylist()


def journal_of(path: Path) -> Path:
    """The file that holds a Parquet file's records while the run goes on."""
    return path.with_name(f"{path.name}.journal")


def require_pyarrow(purpose: str) -> None:
    """Raises a `ResultsError` that says what to install, where pyarrow is missing."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise ResultsError(
            f'{purpose} needs pyarrow: pip install "keypoints-captions[bulk]" (or pyarrow alone)'
        ) from error


def with_stamp(columns: "list[tuple[str, pyarrow.DataType]]") -> "pyarrow.Schema":
    """A schema: file, then these columns, then what every record has."""
    import pyarrow as pa

    ends = [("error", pa.string()), ("size", pa.int64()), ("mtime", pa.float64())]
    return pa.schema([("file", pa.string()), *columns, *ends])


def as_row(entry: Entry) -> Entry:
    """The entry with texts that Arrow can hold, which are UTF-8."""
    return {
        name: readable(value) if isinstance(value, str) else value for name, value in entry.items()
    }


def _write(path: Path, schema: "pyarrow.Schema", rows: Iterable[Entry]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    rows = iter(rows)
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        while group := list(islice(rows, ROWS)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
