"""Options and steps that the detector's and the keypoint CNN's trainings share."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.utils.data import Dataset

from keypoints_captions.weights import load_model, save_model
from train.engine.batches import processed
from train.engine.checkpoints import best_checkpoint
from train.engine.growth import grow
from train.engine.loop import LoopConfig


@dataclasses.dataclass(frozen=True)
class CnnConfig(LoopConfig):
    """One training run of a CNN on random views of its examples."""

    start_from: str = ""  # another run's folder, whose best network, or weights, to start with
    learning_rate: float = 2e-3  # AdamW, at the top of the cosine
    ytf_share: float = 0.3  # of the faces: video frames are many, their people few
    workers: int = 1  # processes that make views, for each training process


class CnnTask:
    """A network that learns from a dataset; see `train.engine.loop.Task`.

    collate: makes a batch of the dataset's items; torch's own without.
    """

    collate: Callable[[list], Any] | None = None

    def __init__(self, model: nn.Module, config: CnnConfig, dataset: Dataset) -> None:
        self.model, self.config, self.dataset = model, config, dataset
        own = dataclasses.asdict(config)
        self.history = [own | {"start_from": Path(config.start_from).name}]
        if config.start_from:
            state, history = starting_point(Path(config.start_from))
            grow(model, state)
            self.history = [*history, *self.history]
        decayed = [p for p in model.parameters() if p.ndim > 1]
        others = [p for p in model.parameters() if p.ndim <= 1]
        rate = config.learning_rate
        self.groups: list[dict[str, Any]] = [
            {"params": decayed, "lr": rate},
            {"params": others, "lr": rate, "weight_decay": 0.0},
        ]

    def batches(self, keys: Iterable[Any]) -> Iterable[Any]:
        return processed(self.dataset, keys, self.config.workers, self.collate)

    def best(self, model: Any) -> dict[str, Any]:
        network = dataclasses.asdict(model.config)
        return {"model": model.state_dict(), "network": network, "history": self.history}


def starting_point(path: Path) -> tuple[Mapping[str, Tensor], list[dict[str, Any]]]:
    """The state dict and the history of a run (its folder) or of weights (without suffix).

    Raises:
        FileNotFoundError: the folder has no best.pt.
        WeightsError: the weights are missing or damaged.
    """
    if path.is_dir():
        start = best_checkpoint(path)
        return start["model"], start.get("history", [])
    state, metadata = load_model(path)
    return state, metadata.get("training", {}).get("runs", [])


def total(terms: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
    """The sum of a loss's terms, and each of them as a figure to report."""
    return sum(terms.values()), {name: term.item() for name, term in terms.items()}  # type: ignore[return-value]


def export(run: Path, weights: Path, model: str) -> None:
    """Writes the best checkpoint of a `CnnTask` as `weights`.safetensors (fp16) and
    `weights`.json; model: what the JSON calls it.

    Raises:
        FileNotFoundError: the run has no checkpoint yet.
    """
    state = best_checkpoint(run)
    facts = {"runs": state["history"], "validation": state["scores"], "took": state["minutes"]}
    metadata = {"model": model, "config": state["network"], "training": facts}
    save_model(weights, state["model"], metadata, half=True)
