"""The training loop on a network of a few numbers: schedule, averages, exact resume, options."""

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from train.engine.batches import epoch_batches
from train.engine.checkpoints import best_checkpoint, load_checkpoint
from train.engine.loop import Loop, LoopConfig, averaged, cosine
from train.engine.options import add_config_arguments, config_from_arguments, flat, replaced
from train.engine.processes import Process

ALONE = Process(0, 1, torch.device("cpu"))


class Line:
    """Fits y = 2x with dropout; the validation score falls from the third on."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(1, 16), nn.Dropout(0.5), nn.Linear(16, 1))
        self.groups: list[dict[str, Any]] = [{"params": list(self.model.parameters()), "lr": 0.1}]
        self.seen: list[list[int]] = []
        self.validations = 0

    def keys(self, epoch: int) -> list[list[int]]:
        return epoch_batches(12, 3, epoch, seed=0)

    def batches(self, keys: Iterable[list[int]]) -> Iterator[Tensor]:
        for key in keys:
            self.seen.append(key)
            yield torch.tensor(key, dtype=torch.float32)[:, None]

    def loss(self, model: nn.Module, batch: Tensor) -> tuple[Tensor, dict[str, float]]:
        return (model(batch) - 2 * batch).square().mean(), {}

    def validate(self, model: nn.Module) -> tuple[float, dict[str, float]]:
        self.validations += 1
        return -abs(self.validations - 2.0), {"number": float(self.validations)}

    def best(self, model: nn.Module) -> dict[str, Any]:
        return {"model": model.state_dict()}


def weights(folder: Path) -> dict[str, Tensor]:
    last = load_checkpoint(folder / "last.pt")
    assert last is not None
    return last["model"]


def test_a_run_in_pieces_is_the_run_in_one(tmp_path: Path) -> None:
    config = LoopConfig(epochs=3, bfloat16=False)
    whole = Line()
    best = Loop(whole, config, tmp_path / "whole", ALONE).run()
    assert best["number"] == 2 and best_checkpoint(tmp_path / "whole")["step"] == 8
    seen = []
    for _ in range(12):
        piece = Line()
        Loop(piece, config, tmp_path / "pieces", ALONE).run(stop_after=0)
        seen += piece.seen[:1]
    assert seen == whole.seen[:12]
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(value, weights(tmp_path / "pieces")[name]), name
    done = Line()
    Loop(done, config, tmp_path / "pieces", ALONE).run()
    assert not done.seen, "a finished run is not trained on"


def test_the_rate_rises_in_a_line_and_falls_in_a_cosine() -> None:
    assert cosine(0.05, 0.1) == pytest.approx(0.5)
    assert cosine(0.1, 0.1) == 1 and cosine(0.55, 0.1) == pytest.approx(0.5)
    assert cosine(1.0, 0.1) == pytest.approx(0)


def test_averaged_weights_forget_the_start_and_then_change_slowly() -> None:
    model = nn.BatchNorm1d(1)
    average = averaged(model, 0.9)

    def after(value: float, updates: int) -> float:
        for _ in range(updates):
            nn.init.constant_(model.weight, value)
            model.running_mean.fill_(value)  # type: ignore[union-attr]
            average.update_parameters(model)
        assert average.module.running_mean.item() == pytest.approx(average.module.weight.item())
        return average.module.weight.item()

    assert after(10, 1) == 10
    assert after(0, 200) == pytest.approx(0, abs=1e-6)
    assert after(10, 1) == pytest.approx(1)


@dataclass(frozen=True)
class Part:
    rate: float = 0.5
    layers: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Whole:
    name: str = "one"
    mirror: bool = True
    parts: dict[str, Part] = field(default_factory=lambda: {"a": Part(), "b": Part(rate=1.0)})


def test_options_of_parts_have_the_parts_name() -> None:
    parser = argparse.ArgumentParser()
    add_config_arguments(parser, Whole())
    given = parser.parse_args(["--b-rate", "2", "--a-layers", "7", "--no-mirror"])
    config = config_from_arguments(Whole(), given)
    assert config == Whole("one", False, {"a": Part(0.5, (7,)), "b": Part(2.0)})
    assert replaced(Whole(), flat(config)) == config
    assert isinstance(replaced(Whole(), {"a_rate": 3}).parts["a"].rate, float)
