"""Progress reports of a training: terminal lines and TensorBoard event files."""

import time
from collections import defaultdict
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

_EVERY = 15.0  # seconds


class Report:
    """Prints the means of a training's figures now and then, and validations as they come.

    folder: of the event files; None for a silent report.
    share: how much of the run is done already, 0..1.
    """

    def __init__(self, name: str, folder: Path | None, share: float, elapsed: float) -> None:
        self.name = name
        self.writer = SummaryWriter(str(folder)) if folder else None
        self.start = time.monotonic() - elapsed, share, elapsed
        self._begin_line()

    def _begin_line(self) -> None:
        self.since, self.steps, self.items = time.monotonic(), 0, 0
        self.sums: dict[str, float] = defaultdict(float)

    def step(self, number: int, share: float, items: int, figures: dict[str, float]) -> None:
        """Counts a step over so many items; share: how much of the run is done now."""
        self.steps, self.items = self.steps + 1, self.items + items
        for name, value in figures.items():
            self.sums[name] += value
        took = time.monotonic() - self.since
        if self.writer is None or (took < _EVERY and share < 1):
            return
        began, share_before, elapsed_before = self.start
        run = time.monotonic() - began - elapsed_before
        left = run / max(share - share_before, 1e-9) * (1 - share)
        means = {name: value / self.steps for name, value in self.sums.items()}
        print(
            f"{self.name} {share:6.1%}  step {number}  {self.items / max(took, 1e-9):.0f} img/s  "
            f"{left / 60:.1f} min left  {_text(means)}",
            flush=True,
        )
        self._write(means, number)
        self._begin_line()

    def validation(self, number: int, epoch: float, scores: dict[str, float], best: bool) -> None:
        """Prints the scores of a validation after so many steps and epochs."""
        mark = "  (best so far)" if best else ""
        print(f"{self.name} epoch {epoch:g}: {_text(scores)}{mark}", flush=True)
        self._write({f"validation/{name}": value for name, value in scores.items()}, number)

    def _write(self, values: dict[str, float], number: int) -> None:
        if self.writer:
            for name, value in values.items():
                self.writer.add_scalar(name, value, number)
            self.writer.flush()


def _text(figures: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
