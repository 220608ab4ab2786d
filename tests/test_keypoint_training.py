import json
from pathlib import Path

import cv2
import pytest
import torch

from facial_keypoints.pipeline import load_network
from tests.drawn_faces import write_faces_csv
from train.engine.checkpoints import best_checkpoint, load_checkpoint
from train.engine.options import UsageError
from train.faces.data import load_faces, read_faces
from train.keypoints.__main__ import main
from train.keypoints.metrics import point_errors, predict_from_boxes

TINY = ["--widths", "16", "32", "32", "32", "--depths", "1", "1", "1", "1"]
TINY += ["--workers", "0", "--batch-size", "16", "--warmup", "0.1"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faces")
    write_faces_csv(folder, 16)
    return folder


def test_show_writes_a_sheet(data: Path, tmp_path: Path) -> None:
    main(["show", "--data", str(data), "--output", str(tmp_path / "sheet.png")])
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape == (12 * 160, 6 * 160, 3)


def test_a_tiny_network_learns_sixteen_faces(data: Path, tmp_path: Path) -> None:
    run = ["train", "--data", str(data), *TINY, "--checkpoints", str(tmp_path / "run")]
    run += ["--input-size", "64", "--heatmap-stride", "4", "--epochs", "12", "--ema", "0.9"]
    run += ["--epoch-faces", "160", "--validate-every", "12"]
    main([*run, "--learning-rate", "6e-3", "--weights", str(tmp_path / "weights" / "tiny")])
    network = load_network(tmp_path / "weights" / "tiny")
    faces = load_faces(read_faces(data))
    keypoints = predict_from_boxes(network, faces, passes=1, mirror=False)
    nme = point_errors(keypoints.points, faces.points).mean()
    assert nme < 9, f"NME {nme:.1f} % on the faces it was trained on"
    assert keypoints.score.mean() > 0.5
    metadata = json.loads((tmp_path / "weights" / "tiny.json").read_text())
    assert metadata["config"]["widths"] == [16, 32, 32, 32]
    assert metadata["training"]["validation"]["epoch"] == 12
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    assert best_checkpoint(tmp_path / "run")["network"]["input_size"] == 64
    exported = ["--checkpoints", str(tmp_path / "run"), "--weights", str(tmp_path / "again")]
    main(["export", *exported])  # no option tells the network's shape
    assert load_network(tmp_path / "again").config == network.config


def test_a_stopped_run_goes_on_where_it_was(data: Path, tmp_path: Path) -> None:
    run = ["train", "--data", str(data), *TINY, "--epochs", "2", "--epoch-faces", "32"]
    run += ["--validate-every", "1"]
    main([*run, "--checkpoints", str(tmp_path / "whole")])
    for _ in range(4):  # each call stops after one step, which is half an epoch
        main([*run, "--checkpoints", str(tmp_path / "parts"), "--stop-after", "0"])
    states = [
        load_checkpoint(tmp_path / name / "last.pt", torch.device("cpu"))
        for name in ("whole", "parts")
    ]
    assert states[0] is not None
    assert states[1] is not None
    assert states[0]["step"] == states[1]["step"] == 4
    assert states[0]["done"] and states[1]["done"]
    for name, value in states[0]["model"].items():
        torch.testing.assert_close(value, states[1]["model"][name], msg=name)


def test_too_few_faces_are_refused_before_the_training(tmp_path: Path) -> None:
    write_faces_csv(tmp_path, 3)  # the hash takes none of them for validation
    with pytest.raises(UsageError, match="got 3 and 0"):
        main(["train", "--data", str(tmp_path), *TINY, "--checkpoints", str(tmp_path / "run")])
    with pytest.raises(UsageError, match="faces of helen, got 0"):
        main(["show", "--data", str(tmp_path), "--source", "helen"])


def test_exporting_without_a_checkpoint_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="train first"):
        main(["export", "--checkpoints", str(tmp_path), "--weights", str(tmp_path / "weights")])
