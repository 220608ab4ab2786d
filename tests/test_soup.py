"""The mean of several models' weights."""

from pathlib import Path

import pytest
import torch

from keypoints_captions.weights import load_model, save_model
from train.engine.options import UsageError
from train.export.soup import main, soup

FACTS = {"architecture": {"size": 2}, "votes": {"tags": ["a"]}, "choice": {"weights": {}}}


def write(folder: Path, value: float, facts: dict = FACTS) -> Path:
    state = {"layer.weight": torch.full((2, 2), value), "votes.bias": torch.zeros(1)}
    save_model(folder / "net", state, facts | {"training": {"photos": int(value)}})
    return folder


def test_the_mean_is_weighted_and_what_was_fitted_is_left_out(tmp_path: Path) -> None:
    one, other = write(tmp_path / "one", 1), write(tmp_path / "other", 5)
    shares = ["--shares", "3", "1", "--weights", str(tmp_path / "soup")]
    main(["net", "--of", str(one), str(other), *shares])
    state, facts = load_model(tmp_path / "soup" / "net")
    assert list(state) == ["layer.weight"]
    assert torch.equal(state["layer.weight"], torch.full((2, 2), 2.0))
    assert facts["architecture"] == {"size": 2} and not {"votes", "choice"} & facts.keys()
    mean = facts["training"]["mean of"]
    assert [part["training"]["photos"] for part in mean] == [1, 5]


def test_models_of_other_shapes_have_no_mean(tmp_path: Path) -> None:
    one = write(tmp_path / "one", 1)
    other = write(tmp_path / "other", 5, FACTS | {"architecture": {"size": 3}})
    with pytest.raises(UsageError, match="architecture differ"):
        soup("net", [one, other], [1, 1], tmp_path / "soup")


def test_a_share_is_needed_for_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["net", "--of", "a", "b", "--shares", "1", "--weights", str(tmp_path)])
    assert "a share above 0 for each of 2 folders; got [1.0]" in capsys.readouterr().err
