"""Every training in two processes: they train one model, and one of them reports."""

from pathlib import Path

import pytest

import facial_keypoints.detection.cnn as detection
from facial_keypoints.pipeline import load_network
from tests import test_detector_training, test_keypoint_training
from tests.caption_world import make_world, shallow_encoders, tiny_options
from tests.drawn_faces import write_faces_csv
from tests.two_processes import train_in_two
from train.captioning.__main__ import main as train_captions
from train.detector.__main__ import main as train_detector
from train.engine.checkpoints import load_checkpoint
from train.keypoints.__main__ import main as train_keypoints


def test_captions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with shallow_encoders():
        options = [*tiny_options(make_world(tmp_path), "two"), "--xe-epochs", "2"]
        train_in_two(train_captions, ["xe", *options], monkeypatch)
    last = load_checkpoint(tmp_path / "two" / "xe" / "last.pt")
    assert last is not None and last["done"] and last["step"] == 2


def test_detector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    test_detector_training.write_world(tmp_path)
    options = ["train", *test_detector_training.data_options(tmp_path)]
    options += [*test_detector_training.TINY, "--epochs", "2", "--epoch-canvases", "32"]
    options += ["--checkpoints", str(tmp_path / "run"), "--weights", str(tmp_path / "both")]
    printed = train_in_two(train_detector, options, monkeypatch)
    printed += capsys.readouterr().out
    assert printed.count("epoch 2:") == 1, "only the first process reports"
    assert detection.load_network(tmp_path / "both").config.widths == (16, 24, 32, 32)


def test_keypoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    write_faces_csv(tmp_path, 16)
    options = ["train", "--data", str(tmp_path), *test_keypoint_training.TINY]
    options += ["--epochs", "2", "--epoch-faces", "32"]
    options += ["--checkpoints", str(tmp_path / "run"), "--weights", str(tmp_path / "both")]
    printed = train_in_two(train_keypoints, options, monkeypatch)
    printed += capsys.readouterr().out
    assert printed.count("epoch 2:") == 1, "only the first process reports"
    assert load_network(tmp_path / "both").config.widths == (16, 32, 32, 32)
