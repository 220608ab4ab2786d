from pathlib import Path

import numpy as np
import pytest
import torch

from facial_keypoints.detection.detectors import Detection
from facial_keypoints.detection.network import DetectorNet, DetectorNetConfig
from facial_keypoints.landmarks.network import KeypointNet, KeypointNetConfig
from facial_keypoints.pipeline import load_network
from keypoints_captions.weights import load_model, save_model
from tests.test_detector_training import data_options, write_world
from train.detector.data import Scene
from train.keypoints.face_score import Examples, FaceScoreConfig, fit, main, separation, truths


def test_what_a_box_lies_on() -> None:
    scene = Scene(
        Path("photo.png"),
        np.array([[10, 10, 20, 20], [100, 100, 20, 20]], np.float32),
        np.full((2, 5, 2), np.nan, np.float32),
        np.array([False, True]),
    )
    boxes = [(11, 10, 20, 20), (101, 100, 20, 20), (22, 10, 20, 20), (60, 60, 20, 20)]
    found = [Detection(np.array(box, np.float32), 0.9) for box in boxes]
    assert truths(found, scene) == [True, None, None, False]
    nothing = Scene(scene.path, scene.boxes[:0], scene.points[:0], scene.doubtful[:0])
    assert truths(found[:1], nothing) == [False]


def test_the_head_learns_what_a_line_cannot_part() -> None:
    """A ring around the origin, far from it and in units of its own."""
    torch.manual_seed(0)
    features = torch.randn(2000, 2)
    is_face = features.norm(dim=1) < 1
    examples = Examples(features * torch.tensor([100.0, 0.01]) + 50, is_face)
    head = fit(examples, FaceScoreConfig(epochs=150, batch_size=100, dropout=0.0))
    scores = separation(head, examples)
    assert scores["faces kept"] > 95 and scores["others thrown out"] > 90


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Arguments of a training with tiny networks, `cnn` and `detector`, that have learnt nothing;
    the detector takes every place of each photo for a face, at a score of 0.01."""
    monkeypatch.setattr("facial_keypoints.detection.cnn.MOST_BOXES", 10_000)
    write_world(tmp_path, photos=6)
    torch.manual_seed(0)
    small = KeypointNetConfig(32, widths=(8, 8, 16, 16), depths=(1, 1, 1, 1))
    facts = {"model": "KeypointNet", "config": small.__dict__, "training": {"runs": [1]}}
    save_model(tmp_path / "cnn", KeypointNet(small).state_dict(), facts, half=True)
    config = DetectorNetConfig(widths=(8, 8, 8, 8), depths=(1, 0, 0), neck=8)
    detector = DetectorNet(config).state_dict()
    facts = {"model": "DetectorNet", "config": config.__dict__}
    save_model(tmp_path / "detector", detector, facts, half=True)
    weights = ["--weights", str(tmp_path / "cnn"), "--detector", str(tmp_path / "detector")]
    return [*data_options(tmp_path), *weights, "--views", "64"]


def test_only_the_face_score_changes(tmp_path: Path, tiny: list[str]) -> None:
    before = load_model(tmp_path / "cnn")
    main([*tiny, "--least-score", "0.001"])
    after = load_model(tmp_path / "cnn")
    for name, value in before.state_dict.items():
        assert torch.equal(value, after.state_dict[name]) != name.startswith("face."), name
    assert after.metadata["config"] == before.metadata["config"]
    told = after.metadata["training"]
    assert told["runs"] == [1]
    assert told["face_score"]["options"]["views"] == 64
    assert set(told["face_score"]["validation"]) == {"faces kept", "others thrown out"}
    load_network(tmp_path / "cnn")


def test_nothing_to_learn_from_is_said(
    tmp_path: Path, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = (tmp_path / "cnn.safetensors").read_bytes()
    with pytest.raises(SystemExit):
        main([*tiny, "--least-score", "0.5"])
    assert "must find some of both on the training photos, at a score of 0.5" in (
        capsys.readouterr().err
    )
    assert (tmp_path / "cnn.safetensors").read_bytes() == before


@pytest.mark.parametrize("missing", ["--photos", "--faces", "--held-out", "--weights"])
def test_what_is_missing_is_said(
    missing: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [*data_options(tmp_path), "--weights", str(tmp_path / "cnn")]
    place = options.index(missing)
    with pytest.raises(SystemExit):
        main(options[:place] + options[place + 2 :])
    assert missing in capsys.readouterr().err
