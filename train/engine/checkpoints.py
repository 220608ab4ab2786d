"""Checkpoint files: `last.pt`, from which a run goes on, and `best.pt`, which validation chose."""

from pathlib import Path
from typing import Any

import torch


def save_checkpoint(path: Path, **state: Any) -> None:
    """Writes the state to a file beside `path`, then renames it: never half a checkpoint."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def load_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any] | None:
    """Reads what `save_checkpoint` wrote, None without a file; no pickled code is run."""
    if not path.exists():
        return None
    return torch.load(path, map_location=device, weights_only=True)


def best_checkpoint(run: Path) -> dict[str, Any]:
    """The checkpoint of the run that validation chose.

    Raises:
        FileNotFoundError: there is none.
    """
    state = load_checkpoint(run / "best.pt")
    if state is None:
        raise FileNotFoundError(f"{run} holds no best.pt: train first")
    return state
