"""The Parquet files of a bulk run: what they hold, and what an ended run left of them.

They are the checkpoint themselves. Ray Data has one of its own, beside the results, for row ids;
two stores can disagree after a crash, and it does not know photos that have changed.
"""

import hashlib
import os
import uuid
from typing import TYPE_CHECKING, Any

from keypoints_captions.bulk.listing import InputError, is_address
from keypoints_captions.results.formats import Entry

if TYPE_CHECKING:
    import pyarrow

_PARTIAL = ".partial"  # how the names of files end that are being written


class Parts:
    """A folder of Parquet files, by path or address; made where there is none.

    Raises:
        InputError: it cannot be made.
    """

    def __init__(self, output: str, schema: "pyarrow.Schema") -> None:
        from pyarrow import fs

        self.output, self.schema = output, schema
        try:
            if is_address(output):
                self.system, self.path = fs.FileSystem.from_uri(output)
            else:
                self.system, self.path = fs.LocalFileSystem(), os.path.abspath(output)
            self.system.create_dir(self.path, recursive=True)
        except (OSError, ValueError) as error:
            raise InputError(f"--output {output} cannot be made: {error}") from error

    def files(self) -> list[str]:
        """Paths of the Parquet files."""
        return self._ending_in(".parquet")

    def settle(self, photos: "pyarrow.Table") -> set[str]:
        """The photos of the list that need not be looked at again; no others of the list have a
        row afterwards.

        What goes: files cut short; rows with an error, which are tried again, of photos that have
        changed, and second rows of a photo.

        Args:
            photos: rows of `listing.COLUMNS`.

        Raises:
            InputError: the folder holds Parquet files of another kind.
        """
        stamps = {
            row["file"]: (row["size"], row["mtime"])
            for row in photos.select(["file", "size", "mtime"]).to_pylist()
        }
        done: set[str] = set()
        for file in self._ending_in(_PARTIAL):
            self.system.delete_file(file)
        for file in self.files():
            keep = []
            rows = self._rows(file)
            for row in rows:
                photo, stamp = row["file"], (row["size"], row["mtime"])
                asked = photo in stamps
                holds = row["error"] is None and stamps.get(photo) == stamp
                keep.append(photo not in done and (holds or not asked))
                if keep[-1]:
                    done.add(photo)
            if not all(keep) or not rows:
                self._reduce(file, keep)
        return done & stamps.keys()

    def write(self, records: list[Entry]) -> None:
        """A file of these records; the same photos again replace it."""
        import pyarrow as pa

        names = "\n".join(record["file"] for record in records)
        digest = hashlib.sha256(names.encode("utf-8")).hexdigest()[:32]
        self._write(
            f"{self.path}/part-{digest}.parquet", pa.Table.from_pylist(records, self.schema)
        )

    def counts(self) -> tuple[int, int]:
        """How many photos there are, and how many of them have an error."""
        rows = [self._rows(file, ["error"]) for file in self.files()]
        return sum(map(len, rows)), sum(row["error"] is not None for part in rows for row in part)

    def _ending_in(self, suffix: str) -> list[str]:
        from pyarrow import fs

        found = self.system.get_file_info(fs.FileSelector(self.path, recursive=False))
        return sorted(info.path for info in found if info.path.endswith(suffix))

    def _rows(self, file: str, columns: list[str] | None = None) -> list[dict[str, Any]]:
        """Rows of a file; none if it was cut short."""
        import pyarrow as pa
        from pyarrow import parquet

        try:
            part = parquet.ParquetFile(file, filesystem=self.system)
        except pa.ArrowInvalid:  # written when the run was killed
            return []
        with part:
            if part.schema_arrow.names != self.schema.names:
                raise InputError(
                    f"{file}: expected the columns {', '.join(self.schema.names)}, got "
                    f"{', '.join(part.schema_arrow.names)}; give another --output"
                )
            wanted = columns or ["file", "error", "size", "mtime"]
            return list(part.read(columns=wanted).to_pylist())

    def _reduce(self, file: str, keep: list[bool]) -> None:
        """The file without the other rows; it goes where none is left."""
        import pyarrow as pa
        from pyarrow import parquet

        if not any(keep):
            self.system.delete_file(file)
            return
        table = parquet.read_table(file, filesystem=self.system)
        self._write(file, table.filter(pa.array(keep)))

    def _write(self, file: str, table: "pyarrow.Table") -> None:
        """In one step: by another name first, which readers of the folder leave out because of its
        dot, but for object stores, where files appear whole."""
        from pyarrow import parquet

        at_once = self.system.type_name in ("s3", "gcs", "abfs")
        partial = file if at_once else f"{self.path}/.{uuid.uuid4().hex}{_PARTIAL}"
        parquet.write_table(table, partial, filesystem=self.system, compression="zstd")
        if not at_once:
            self.system.move(partial, file)
