"""The training loop on a network of a few numbers: schedule, averages, exact resume, options."""

import argparse
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from train.engine import processes, reports
from train.engine.batches import epoch_batches
from train.engine.checkpoints import best_checkpoint, load_checkpoint
from train.engine.loop import Loop, LoopConfig, averaged, cosine
from train.engine.options import (
    UsageError,
    add_config_arguments,
    config_from_arguments,
    flat,
    read_recipe,
    replaced,
)
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


def test_the_time_left_is_that_of_the_options_given_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(reports, "_EVERY", 0.0)  # a line a step
    for epochs in (1, 1000):  # a quarter of the first run is next to nothing of the second
        config = LoopConfig(epochs=epochs, bfloat16=False)
        Loop(Line(), config, tmp_path, ALONE).run(stop_after=0)
    left = [float(told) for told in re.findall(r"([\d.]+) min left", capsys.readouterr().out)]
    assert len(left) == 2 and max(left) < 1000


def test_the_best_checkpoint_outlives_an_interruption(tmp_path: Path) -> None:
    config = LoopConfig(epochs=1, bfloat16=False)
    Loop(Line(), config, tmp_path, ALONE).run(stop_after=0)
    before = (tmp_path / "last.pt").read_bytes()
    Loop(Line(), config, tmp_path, ALONE).run(stop_after=0)  # its only validation has -1
    better = torch.load(tmp_path / "best.pt")
    better["scores"]["choice"] = 0.0  # as a later validation, before last.pt was written again
    torch.save(better, tmp_path / "best.pt")
    (tmp_path / "last.pt").write_bytes(before)
    assert Loop(Line(), config, tmp_path, ALONE).run()["choice"] == 0
    assert best_checkpoint(tmp_path)["step"] == better["step"]


def test_a_folder_whose_run_cannot_go_on_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    config = LoopConfig(epochs=1, bfloat16=False)
    Loop(Line(), config, tmp_path, ALONE).run(stop_after=0)
    other = Line()
    other.model = nn.Linear(2, 1)
    other.groups = [{"params": list(other.model.parameters()), "lr": 0.1}]
    with pytest.raises(UsageError, match=r"last\.pt, got one of another"):
        Loop(other, config, tmp_path, ALONE).run()
    Loop(Line(), config, tmp_path, ALONE).run()
    capsys.readouterr()
    Loop(Line(), config, tmp_path, ALONE).run()
    assert f"{tmp_path / 'last.pt'} is of a run that is done" in capsys.readouterr().out
    whole = (tmp_path / "last.pt").read_bytes()
    for size in (0, len(whole) // 2, len(whole) - 10):
        (tmp_path / "last.pt").write_bytes(whole[:size])
        with pytest.raises(UsageError, match=r"last\.pt, got a damaged file"):
            Loop(Line(), config, tmp_path, ALONE).run()


def test_each_process_needs_an_item_of_the_batch(tmp_path: Path) -> None:
    one_of_four = Process(0, 4, torch.device("cpu"))
    with pytest.raises(UsageError, match="at least 4, one item for each process, got 2"):
        Loop(Line(), LoopConfig(batch_size=2), tmp_path, one_of_four)


def test_fewer_photos_than_processes_are_read_by_all() -> None:
    assert [epoch_batches(1, 4, 0, 0, rank, world=3) for rank in range(3)] == [[[0]]] * 3


def test_processes_on_gpus_take_one_each(monkeypatch: pytest.MonkeyPatch) -> None:
    joined: list[Any] = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", joined.append)
    monkeypatch.setattr(
        processes.dist, "init_process_group", lambda kind, **how: joined.append((kind, how))
    )
    monkeypatch.setattr(processes.dist, "destroy_process_group", lambda: None)
    with processes.process_group() as process:
        own = torch.device("cuda", 1)
        assert process == Process(3, 2, own)
        assert joined == [own, ("nccl", {"device_id": own})]


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


def test_a_recipe_that_is_none_is_named(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.json"
    for text in ("{", "[1]", '{"size": 1}'):
        recipe.write_text(text)
        with pytest.raises(UsageError, match=r"recipe\.json: "):
            read_recipe(Whole(), recipe)
