"""Tables of measured figures: printed as Markdown, put into a model card by `--write-card`."""

import argparse
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from huggingface_hub import EvalResult

from keypoints_captions.model_card import card_path, figure, read_card, write_card
from train.engine.options import UsageError


class Column(NamedTuple):
    """A column of measured values.

    form: of a cell, for its numbers. metrics: names under which the numbers go into the card, one
    for each, parted by spaces; "" for a column that stands in the table only. conditions: what
    tells its figures from those of other columns.
    """

    title: str
    form: str = "{:.2f}"
    metrics: str = ""
    conditions: Mapping[str, str] = {}


class Cell:
    """A cell with a text of its own. figures: name of a metric -> value, for the card."""

    def __init__(self, text: str, **figures: float) -> None:
        self.text, self.figures = text, figures


#: What `Report.table` yields: adds a row, first the cells that name it, then the measured ones:
#: a number, a tuple of numbers, a `Cell`, or None for what was not measured.
AddRow = Callable[..., None]


def add_card_argument(parser: argparse.ArgumentParser, card: str) -> None:
    """The option `--write-card`. card: name of the project's card that these figures belong to."""
    parser.add_argument(
        "--write-card", nargs="?", type=Path, const=card_path(card), metavar="FILE",
        help=f"put the figures into this model card; without a file into weights/{card}.md",
    )  # fmt: skip


class Report:
    """Prints tables; where a card is given, puts each into it as soon as it is complete."""

    def __init__(self, card: Path | None = None, foreign: object = None) -> None:
        """foreign: something true where weights other than the project's are measured.

        Raises:
            UsageError: figures of foreign weights would go into a card of the project.
        """
        if card is not None and foreign and card == card_path(card.stem):
            raise UsageError(
                f"Expected the file of another card after --write-card: {card} tells the figures "
                "of the project's own weights, and these are others."
            )
        if card is not None:
            read_card(card)  # a card that is missing or broken is found before the measurements
        self.card = card

    @contextmanager
    def table(
        self,
        name: str,
        title: str,
        keys: Sequence[str],
        columns: Sequence[Column],
        *,
        data: str = "",
        note: str = "",
        below: str = "",
    ) -> Iterator[AddRow]:
        """A table whose rows are added inside the `with`.

        Args:
            name: in the card, where a table of this name is replaced.
            title: its heading, "" for none.
            keys: titles of the first columns, which name what was measured; they are conditions of
                the figures. The one called "set" names the data.
            data: the data's name where no column does.
            note, below: Markdown above and below the table.
        """
        lines: list[str] = []
        figures: list[tuple[str, float, dict[str, str]]] = []

        def write(text: str) -> None:
            lines.append(text)
            print(text, flush=True)

        def row(*cells: Any) -> None:
            named = dict(zip(keys, map(str, cells), strict=False))
            texts = list(named.values())
            for column, cell in zip(columns, cells[len(keys) :], strict=True):
                text, measured = _cell(column, cell)
                texts.append(text)
                conditions = {"set": data, **named, **column.conditions}
                figures.extend((metric, value, conditions) for metric, value in measured.items())
            write(f"| {' | '.join(texts)} |")

        print()
        if title:
            write(f"### {title}\n")
        if note:
            write(f"{note}\n")
        write(f"| {' | '.join([*keys, *(column.title for column in columns)])} |")
        write(f"|{'---|' * (len(keys) + len(columns))}")
        yield row
        if below:
            write(f"\n{below}")
        self._write(name, "\n".join(lines), figures)

    @contextmanager
    def facts(self, name: str, title: str, heading: str = "", **more: str) -> Iterator[AddRow]:
        """A table of two columns: what was measured, and the figure as a text with its unit.

        The rows' names are no conditions, so each metric occurs once.
        """
        with self.table(name, heading, (), [Column(title, "{}"), Column("", "{}")], **more) as row:
            yield lambda what, text, **figures: row(Cell(what), Cell(text, **figures))

    def _write(
        self, name: str, markdown: str, figures: Sequence[tuple[str, float, dict[str, str]]]
    ) -> None:
        if self.card is None:
            return
        card = read_card(self.card)  # again: another evaluation may have written meanwhile
        task = card.data.pipeline_tag or "other"
        results: list[EvalResult] = [
            figure(name, metric, value, task=task, **conditions)
            for metric, value, conditions in figures
        ]
        card.replace(name, results, markdown)
        write_card(card, self.card)


def _cell(column: Column, cell: Any) -> tuple[str, dict[str, float]]:
    """Its text, and the values that have a name."""
    if isinstance(cell, Cell):
        return cell.text, cell.figures
    values = cell if isinstance(cell, tuple) else (cell,)
    if any(value is None or math.isnan(value) for value in values):
        return "-", {}
    numbers = [value.item() if hasattr(value, "item") else value for value in values]
    return column.form.format(*numbers), dict(zip(column.metrics.split(), numbers, strict=False))
