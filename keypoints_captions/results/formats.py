"""Formats of results, written record by record."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    import pyarrow

R = TypeVar("R")  # a library's record of one photo

Entry = dict[str, Any]  # a record as the public JSON has it


@dataclass(frozen=True)
class TextFormat(Generic[R]):
    """A text format: each record becomes text by itself.

    record: a record's text. start, between, end: what stands around the records; the end may
        depend on them. empty: the whole text where there is no record.
    """

    record: Callable[[R], str]
    start: str = ""
    between: str = ""
    end: Callable[[], str] = str
    empty: Callable[[], str] = str

    def text(self, records: Iterable[R]) -> str:
        """All records in one text."""
        texts = [self.record(record) for record in records]
        return self.start + self.between.join(texts) + self.end() if texts else self.empty()


def json_list(record: Callable[[R], str]) -> TextFormat[R]:
    """A JSON list with one record a line.

    record: a record as one line of JSON.
    """
    return TextFormat(record, "[\n", ",\n", end=lambda: "\n]\n", empty=lambda: "[]\n")


def table(record: Callable[[R], str], header: str) -> TextFormat[R]:
    """A header, then the rows of each record; the header alone where there is no record."""
    return TextFormat(record, header, empty=lambda: header)


@dataclass(frozen=True)
class Formats(Generic[R]):
    """The formats that a command offers.

    texts: name for `--format` -> how it is written.
    entry: a record as the public JSON has it; JSON lines and Parquet are made from this.
    answer: the key that an entry without an error has, such as "faces".
    schema: the columns of Parquet; a function, since pyarrow need not be there.
    """

    texts: dict[str, TextFormat[R]]
    entry: Callable[[R], Entry]
    answer: str
    schema: Callable[[], "pyarrow.Schema"]

    def line(self, record: R) -> str:
        """The record as a line of JSON; pure ASCII, so that any file name survives.

        Raises:
            ValueError: a number is not finite, which JSON cannot hold.
        """
        return json.dumps(self.entry(record), allow_nan=False) + "\n"

    @property
    def names(self) -> list[str]:
        """For `--format`; the first is the default."""
        return [*self.texts, "jsonl", "parquet"]
