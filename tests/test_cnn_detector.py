import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from facial_keypoints.detection.cnn import CnnDetector, fit, load_network
from facial_keypoints.detection.network import STRIDES, DetectorNet, DetectorNetConfig
from facial_keypoints.pipeline import make_detector
from keypoints_captions.weights import WeightsError, save_model

SMALL = DetectorNetConfig(widths=(16, 16, 16, 16), depths=(0, 0, 0), neck=16)


class Planted(DetectorNet):
    """Sees faces in given cells: (level, row, column) -> logit."""

    def __init__(self, faces: dict[tuple[int, int, int], float]):
        super().__init__(SMALL)
        self.faces = faces

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = [
            torch.zeros(1, 15, x.shape[2] // stride, x.shape[3] // stride) for stride in STRIDES
        ]
        for level in maps:
            level[:, 0] = -10
        for (level, row, column), logit in self.faces.items():
            maps[level][0, 0, row, column] = logit
        return maps


def test_boxes_and_points_are_in_pixels_of_the_photo() -> None:
    # A 1280 × 960 photo is halved; the cell of stride 16 in row 2, column 5 is centred at
    # (87.5, 39.5) there, its box reaches 16 pixels to each side.
    detector = CnnDetector(Planted({(1, 2, 5): 2.0}))
    (face,) = detector(np.zeros((960, 1280, 3), np.uint8))
    np.testing.assert_allclose(face.box, [143.5, 47.5, 64, 64], atol=1e-3)
    assert face.points is not None
    np.testing.assert_allclose(face.points, [[175.5, 79.5]] * 5, atol=1e-3)
    assert face.score == pytest.approx(1 / (1 + np.exp(-2.0)), abs=1e-4)


def test_the_surest_of_overlapping_boxes_stays() -> None:
    faces = {(2, 3, 3): 1.0, (1, 20, 20): 2.0, (1, 20, 21): 3.0, (0, 2, 2): -5.0}
    found = CnnDetector(Planted(faces))(np.zeros((640, 640, 3), np.uint8))
    # Neighbours of stride 16 overlap by a third; those two stay, and the unsure one goes.
    assert [round(float(np.log(f.score / (1 - f.score))), 2) for f in found] == [3.0, 2.0, 1.0]
    faces = {(0, 20, 20): 1.0, (0, 20, 21): 2.0}
    detector = CnnDetector(Planted(faces), min_score=0.1)
    detector_boxes = [f.box[0] for f in detector(np.zeros((640, 640, 3), np.uint8))]
    assert len(detector_boxes) == 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 30000), (9000, 2), (5, 5), (31, 33), (256, 341)])
def test_photos_of_any_shape_are_searched(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    detector = CnnDetector(DetectorNet(SMALL), min_score=0.001)
    found = detector(np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8))
    for face in found:
        assert np.isfinite(face.box).all()
        assert 0 <= face.score <= 1
    assert [face.score for face in found] == sorted((face.score for face in found), reverse=True)


def test_small_photos_are_enlarged_and_large_ones_shrunk() -> None:
    canvas, scale = fit(np.zeros((100, 200, 3), np.uint8), 640, 128)
    assert canvas.shape == (256, 512, 3)
    assert scale.tolist() == [2.5, 2.5]
    canvas, scale = fit(np.full((3000, 4000, 3), 7, np.uint8), 640, 128)
    assert canvas.shape == (480, 640, 3)
    canvas, scale = fit(np.full((300, 640, 3), 7, np.uint8), 640, 128)
    assert canvas.shape == (320, 640, 3)
    assert (canvas[:300] == 7).all()
    assert (canvas[300:] == 128).all()


def test_weights_are_loaded_as_they_were_saved(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = DetectorNet(SMALL).eval()
    save_model(tmp_path / "w", network.state_dict(), {"config": dataclasses.asdict(SMALL)})
    loaded = load_network(tmp_path / "w")
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        for a, b in zip(network(x), loaded(x), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
    photo = np.zeros((64, 64, 3), np.uint8)
    assert CnnDetector.load(tmp_path / "w", device="cpu")(photo) == []


def test_missing_weights_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keypoints_captions.hub.shipped", lambda name: tmp_path)
    with pytest.raises(WeightsError, match="missing"):
        make_detector("cnn")
