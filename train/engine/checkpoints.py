"""Checkpoint files: `last.pt`, from which a run goes on, and `best.pt`, which validation chose."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from train.engine.options import UsageError


def save_checkpoint(path: Path, **state: Any) -> None:
    """Writes the state to a file beside `path`, then renames it: never half a checkpoint."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def load_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any] | None:
    """Reads what `save_checkpoint` wrote, None without a file; no pickled code is run.

    Raises:
        UsageError: the file is cut short.
    """
    if not path.exists():
        return None
    if not zipfile.is_zipfile(path):  # the end of the file tells
        raise UsageError(
            f"Expected a checkpoint in {path}, got a damaged file: put a copy in its place, or "
            "remove it, and what it would have told is learnt anew."
        )
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


def mean_state(
    states: Sequence[Mapping[str, Tensor]], shares: Sequence[float]
) -> dict[str, Tensor]:
    """The weighted sum of state dicts of one architecture ("model soups", Wortsman et al., ICML
    2022), a mean where the shares add up to 1; float32."""
    weighted = list(zip(shares, states, strict=True))
    return {
        name: sum((share * state[name] for share, state in weighted), torch.tensor(0.0))
        for name in states[0]
    }
