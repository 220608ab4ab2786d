"""Captions as JSON, CSV, Parquet and plain text."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from captioning.caption import Caption
from keypoints_captions.results.formats import Formats, TextFormat, json_list, table
from keypoints_captions.results.parquet import with_stamp

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True)
class Record:
    """What became of one photo: its captions, best first, or the sentence that says why not."""

    file: str
    captions: tuple[Caption, ...] = ()
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """`{"file", "captions"}`, or `{"file", "error"}`, JSON-ready."""
        if self.error is not None:
            return {"file": self.file, "error": self.error}
        return {"file": self.file, "captions": [caption.to_dict() for caption in self.captions]}


COLUMNS = ["file", "rank", "text", "log_probability", "error"]


def _to_line(record: Record) -> str:
    return json.dumps(record.to_dict(), allow_nan=False)


def _to_rows(record: Record) -> str:
    rows = [
        [record.file, rank, caption.text, f"{caption.log_probability:.4f}", ""]
        for rank, caption in enumerate(record.captions, 1)
    ]
    return _csv(rows if record.error is None else [[record.file, "", "", "", record.error]])


def _csv(rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _to_text(record: Record) -> str:
    return "".join(f"{record.file}\t{caption.text}\n" for caption in record.captions)


def parquet_schema() -> "pyarrow.Schema":
    """The columns of Parquet, which are the public JSON's; what a photo does not have is null.

    Numbers are 64-bit, and so are exactly the JSON's.
    """
    import pyarrow as pa

    word = pa.struct(
        [("word", pa.string()), ("probability", pa.float64()), ("confidence", pa.float64())]
    )
    caption = pa.struct(
        [("text", pa.string()), ("log_probability", pa.float64()), ("words", pa.list_(word))]
    )
    return with_stamp([("captions", pa.list_(caption))])


def sidecar_text(captions: Iterable[Caption]) -> str:
    """What stands in the `.txt` beside a photo: a caption a line, best first."""
    return "".join(f"{caption.text}\n" for caption in captions)


#: A JSON list with one photo a line, pure ASCII, so that any file name survives; CSV with one row a
#: caption, rank 1 the best; and text with one line a caption: file, tab, caption, where photos that
#: could not be read are left out.
FORMATS: Formats[Record] = Formats(
    texts={
        "json": json_list(_to_line),
        "csv": table(_to_rows, _csv([COLUMNS])),
        "text": TextFormat(_to_text),
    },
    entry=Record.to_dict,
    answer="captions",
    schema=parquet_schema,
)


def to_json(records: Iterable[Record]) -> str:
    """The records as `--format json` writes them."""
    return FORMATS.texts["json"].text(records)
