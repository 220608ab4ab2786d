"""Captions as JSON, CSV and plain text."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from captioning.caption import Caption


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


def to_json(records: Sequence[Record]) -> str:
    """A JSON list with one photo a line; pure ASCII, so that any file name survives."""
    lines = [json.dumps(record.to_dict(), allow_nan=False) for record in records]
    return "[\n" + ",\n".join(lines) + "\n]\n" if lines else "[]\n"


def to_csv(records: Sequence[Record]) -> str:
    """One row a caption: file, rank (1 is the best), text, log_probability, error."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["file", "rank", "text", "log_probability", "error"])
    for record in records:
        if record.error is not None:
            rows.writerow([record.file, "", "", "", record.error])
        for rank, caption in enumerate(record.captions, 1):
            rows.writerow([record.file, rank, caption.text, f"{caption.log_probability:.4f}", ""])
    return text.getvalue()


def to_text(records: Sequence[Record]) -> str:
    """One line a caption: file, tab, text. Photos that could not be read are left out."""
    return "".join(
        f"{record.file}\t{caption.text}\n" for record in records for caption in record.captions
    )


FORMATS = {"json": to_json, "csv": to_csv, "text": to_text}
