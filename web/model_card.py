"""Reads the model cards in weights/: their tables and sections, for the page to show."""

import re
from dataclasses import dataclass
from pathlib import Path

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"

_NUMBER = re.compile(r"[-−]?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True)
class Table:
    """A table of a card, cells as they stand there."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def cell(self, row: tuple[str, ...], column: str) -> str:
        """The row's entry in that column."""
        return row[self.columns.index(column)]


@dataclass(frozen=True)
class ModelCard:
    """sections: title -> Markdown text, subsections included; tables: in the card's order."""

    sections: dict[str, str]
    tables: tuple[Table, ...]

    def table(self, *columns: str) -> Table:
        """The first table that has these columns.

        Raises LookupError where there is none.
        """
        for table in self.tables:
            if set(columns) <= set(table.columns):
                return table
        raise LookupError(f"expected a table with the columns {', '.join(columns)} in the card")

    def text(self, section: str) -> str:
        """The section in Markdown, "" without one. Links become plain text: the page does not
        have their targets."""
        return re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", self.sections.get(section, "")).strip()

    def command(self, section: str) -> str:
        """The section's first command in one line, "" without one."""
        lines = self.sections.get(section, "").splitlines()
        block: list[str] = []
        for line in lines:
            if line.startswith("    "):
                block.append(line.strip().removesuffix("\\").strip())
            elif block:
                break
        return " ".join(block)


def read_card(name: str) -> ModelCard:
    """The card weights/NAME.md."""
    return parse_card((WEIGHTS / f"{name}.md").read_text(encoding="utf-8"))


def parse_card(text: str) -> ModelCard:
    """A card from its Markdown."""
    parts = re.split(r"^## +(.+)$", text, flags=re.MULTILINE)
    sections = {title.strip(): body for title, body in zip(parts[1::2], parts[2::2], strict=True)}
    return ModelCard(sections, tuple(_tables(text)))


def number(cell: str) -> float | None:
    """The first number of a cell such as "4.41 (5)", "0.4 %" or "**26.0**"; None without one."""
    found = _NUMBER.search(cell)
    return float(found[0].replace(",", "").replace("−", "-")) if found else None


def _tables(text: str) -> list[Table]:
    tables = []
    for block in re.findall(r"(?:^\|.*\|[ ]*\n?)+", text, flags=re.MULTILINE):
        head, rule, *rows = [_cells(line) for line in block.strip().splitlines()] + [(), ()]
        rows = [row for row in rows if len(row) == len(head)]
        if rule and all(set(cell) <= set("-: ") for cell in rule):
            tables.append(Table(head, tuple(rows)))
    return tables


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
