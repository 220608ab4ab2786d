"""Model cards: Markdown files whose YAML front matter holds the measured figures.

The front matter has the Hugging Face Hub's form: licence, tags and the like, and `model-index`, one
result for each table and set of data. Evaluations write it (`train/figures.py`); the page's charts
and the README's tables are made from it. Needs huggingface_hub, which comes with gradio.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult, ModelCardData

from keypoints_captions.files import replacing, shipped

_END = "<!-- end -->"
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, where PyYAML has it


class _OneLineMetrics(yaml.SafeDumper):
    """YAML in which a task, a set of data and a metric take one line each."""

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> Any:
        return super().represent_mapping(tag, mapping, "type" in mapping or flow_style)


class Metadata(ModelCardData):
    """The front matter: huggingface_hub's, with a line for each figure."""

    eval_results: list[EvalResult] | None
    pipeline_tag: str | None
    model_name: str | None

    def to_yaml(
        self, line_break: str | None = None, original_order: list[str] | None = None
    ) -> str:
        form: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "width": 10_000}
        return yaml.dump(self.to_dict(), Dumper=_OneLineMetrics, **form).strip()


@dataclass
class Card:
    """A model card. data: its metadata; text: the Markdown below.

    huggingface_hub's own `ModelCard` reads the same file, but takes five times as long: the page
    reads three cards before its first answer.
    """

    data: Metadata
    text: str

    def __str__(self) -> str:
        return f"---\n{self.data.to_yaml()}\n---\n{self.text}"

    def table(self, name: str) -> list[EvalResult]:
        """The figures of a table, in its order; empty without such a table."""
        return [r for r in self.data.eval_results or [] if r.dataset_config == name]

    def value(self, table: str, metric: str, **conditions: str) -> float:
        """One figure.

        Args:
            table: its name.
            metric: what was measured: "nme".
            conditions: `set`, the name of the data, and others of the table, as far as they are
                needed to tell the figure from others: part="jaw".

        Raises:
            LookupError: there is none, or there are several.
        """
        found = [r for r in self.table(table) if r.metric_type == metric and fits(r, **conditions)]
        if len(found) != 1:
            told = ", ".join(f"{key}: {text}" for key, text in conditions.items())
            raise LookupError(
                f"expected one figure {metric!r} ({told}) in the table {table!r} of the model "
                f"card, got {len(found)}"
            )
        return found[0].metric_value

    def replace(self, table: str, figures: Sequence[EvalResult], markdown: str) -> None:
        """Puts in a table's figures and its Markdown; other tables stay as they are."""
        results = self.data.eval_results or []
        place = next((i for i, r in enumerate(results) if r.dataset_config == table), len(results))
        others = [r for r in results if r.dataset_config != table]
        self.data.eval_results = [*others[:place], *figures, *others[place:]] or None
        self.data.model_name = self.data.model_name or "model"  # the Hub wants one
        self.text = replace_region(self.text, f"table: {table}", markdown, "Figures")

    def section(self, title: str) -> str:
        """The Markdown below the heading `## title`, "" without one."""
        lines: list[str] = []
        inside = False
        for line in self.text.splitlines():
            if line.startswith("## "):
                inside = line[3:].strip() == title
            elif inside:
                lines.append(line)
        return "\n".join(lines).strip()


def figure(
    table: str, metric: str, value: float, *, task: str, set: str, **conditions: str
) -> EvalResult:
    """A measured value.

    Args:
        table: name of the table it stands in. metric: what was measured: "nme".
        task: the model's, of the Hub's list. set: name of the data it was measured on.
        conditions: what else tells it from the table's other figures: part="jaw".
    """
    words = "".join(letter if letter.isalnum() else " " for letter in set.lower()).split()
    return EvalResult(
        task_type=task,
        dataset_type="-".join(words),
        dataset_name=set,
        dataset_config=table,
        metric_type=metric,
        metric_value=value if isinstance(value, int) else round(float(value), 4),
        metric_args=conditions or None,
    )


def fits(result: EvalResult, **conditions: str) -> bool:
    """Whether a figure was measured under these conditions, among others."""
    return conditions.items() <= {"set": result.dataset_name, **(result.metric_args or {})}.items()


def card_path(name: str) -> Path:
    """The file of one of the project's cards."""
    return shipped("weights") / f"{name}.md"


def read_card(path: Path) -> Card:
    """A card from its file.

    Raises:
        ValueError: it has no front matter, or this is no metadata of a model.
    """
    content = path.read_text(encoding="utf-8")
    start, *parts = content.split("---\n", 2)
    if start or len(parts) != 2:
        raise ValueError(f"expected metadata between two lines --- at the top of {path}")
    return Card(Metadata(**yaml.load(parts[0], Loader=_Loader)), parts[1])


def write_card(card: Card, path: Path) -> None:
    """Writes a card's file, whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(str(card), encoding="utf-8")


def replace_region(text: str, name: str, content: str, section: str = "") -> str:
    """Markdown with other content between the comments `<!-- name -->` and `<!-- end -->`.

    Without such comments the content goes, between new ones, to the end of the section.

    Raises:
        ValueError: there are no such comments and no such section, or one without its end.
    """
    start = f"<!-- {name} -->"
    region = f"{start}\n{content.strip()}\n{_END}"
    if start in text:
        before, _, rest = text.partition(start)
        _, end, after = rest.partition(_END)
        if not end:
            raise ValueError(f"expected {_END} after {start}, found none")
        return f"{before}{region}{after}"
    before, heading, rest = text.partition(f"\n## {section}\n")
    if not section or not heading:
        raise ValueError(f"expected {start} or a section {section!r} in the text, found neither")
    inside, next_heading, after = rest.partition("\n## ")
    return f"{before}{heading}{inside.rstrip()}\n\n{region}\n{next_heading}{after}"
