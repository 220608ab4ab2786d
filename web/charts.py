"""Charts of the page: HTML tables whose cells carry a bar."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple


class Bar(NamedTuple):
    """A cell: its value, how it is written, and what stands below it in small letters."""

    value: float
    text: str
    note: str = ""


class BarRow(NamedTuple):
    """A row: its name, what it means in a few words, and a bar, or None, for each column."""

    name: str
    meaning: str
    bars: Sequence[Bar | None]


def bar_table(
    title: str, note: str, columns: Sequence[str], rows: Sequence[BarRow], full: float = 0
) -> str:
    """HTML of a table whose bars can be compared with each other.

    columns: one title more than a row has bars, because that of the rows' names comes first.
    full: the value whose bar fills its cell, unless there is a greater one.
    """
    longest = max((bar.value for row in rows for bar in row.bars if bar), default=0)
    longest = max(longest, full) or 1
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    body = "".join(_row(row, longest) for row in rows)
    return (
        f'<table class="bars"><caption><strong>{escape(title)}</strong> {escape(note)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _row(row: BarRow, longest: float) -> str:
    meaning = f"<small>{escape(row.meaning)}</small>" if row.meaning else ""
    cells = "".join(_cell(bar, longest) for bar in row.bars)
    return f'<tr><th scope="row">{escape(row.name)}{meaning}</th>{cells}</tr>'


def _cell(bar: Bar | None, longest: float) -> str:
    if bar is None:
        return "<td>–</td>"
    note = f" <small>{escape(bar.note)}</small>" if bar.note else ""
    return (
        f'<td><i class="bar" style="--value:{max(0.0, bar.value) / longest:.3f}"></i>'
        f"{escape(bar.text)}{note}</td>"
    )
