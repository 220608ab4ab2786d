"""How often a detection's crops are read: once as they are and once mirrored, more where off."""

import numpy as np
import pytest

from facial_keypoints.detection.detectors import Detection
from facial_keypoints.landmarks.crops import crops_from_points, to_crop
from facial_keypoints.landmarks.markup import FLIP, five_points
from facial_keypoints.landmarks.predictor import KeypointPredictor
from facial_keypoints.reading import crops_of, read_detections
from keypoints_captions.engines.engine import Engine
from keypoints_captions.engines.ports import Port
from tests.synthetic_faces import make_face, noise_photo

POINTS = make_face((150, 150), 90).points


class Told(Engine):
    """Says of crops, one after the other, what it is told, and keeps them."""

    name = "told"

    def __init__(self, points: list[np.ndarray], scores: list[float]) -> None:
        self.inputs = {"crops": Port("uint8", ("batch", 32, 32, 3), "")}
        self.outputs = {}
        self.points, self.scores = points, scores
        self.crops: list[np.ndarray] = []

    def __call__(self, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        place = slice(len(self.crops), len(self.crops) + len(inputs["crops"]))
        self.crops.extend(inputs["crops"])
        points = np.stack(self.points[place]).astype(np.float32)
        # A scale of 0.1 of the crop's side in the first reading, 0.4 in later ones.
        scale = np.log(np.where(np.arange(100)[place] == 0, 0.1, 0.4))
        return {
            "points": points,
            "log_scale": np.repeat(scale[:, None], 68, axis=1).astype(np.float32),
            "score": np.array(self.scores[place], np.float32),
        }


def detection(shift: float = 0.0, exact: bool = True) -> Detection:
    """Of the face, shifted to the right by a share of its box."""
    low, size = POINTS.min(axis=0), np.ptp(POINTS, axis=0)
    moved = POINTS + np.array([shift * size.max(), 0])
    box = np.array([low[0] + shift * size.max(), low[1], size[0] + 1, size[1] + 1])
    return Detection(box, 0.9, five_points(moved) if exact else None)


def read(engine: Told, found: Detection) -> tuple[np.ndarray, np.ndarray, float]:
    keypoints = read_detections(KeypointPredictor(engine), [noise_photo(300, 300)], [found])
    return keypoints.points[0], keypoints.scale[0], float(keypoints.score[0])


def test_a_good_crop_and_the_mirror_image_of_a_better_one_are_averaged() -> None:
    found = detection(shift=0.02)
    crops, better = crops_of([found]), crops_from_points(POINTS[None])
    seen = to_crop(POINTS[None], crops)[0]
    shifted = to_crop(POINTS[None] + (4, 2), better)[0, FLIP] * (-1, 1)
    engine = Told([seen, shifted], [0.8, 1.0])
    points, scale, score = read(engine, found)
    np.testing.assert_allclose(points, POINTS + np.array([2, 1]), atol=0.01)
    both = np.sqrt(0.1 * crops.side[0] * 0.4 * better.side[0])
    np.testing.assert_allclose(scale, both, rtol=1e-4)
    assert score == pytest.approx(0.9)
    assert len(engine.crops) == 2


@pytest.mark.parametrize("found", [detection(shift=0.3), detection(exact=False)])
def test_a_crop_that_is_off_does_not_count(found: Detection) -> None:
    first = to_crop(POINTS[None], crops_of([found]))[0]
    better = to_crop(POINTS[None], crops_from_points(POINTS[None]))[0]
    engine = Told([first, better, better[FLIP] * (-1, 1)], [0.5, 0.7, 0.9])
    points, scale, score = read(engine, found)
    np.testing.assert_allclose(points, POINTS, atol=0.01)
    np.testing.assert_allclose(scale, 0.4 * crops_from_points(POINTS[None]).side[0], rtol=1e-4)
    assert score == pytest.approx(0.8)
    assert (engine.crops[1] == engine.crops[2][:, ::-1]).all()


def test_what_is_no_face_is_read_once() -> None:
    engine = Told([to_crop(POINTS[None], crops_of([detection()]))[0]], [0.05])
    assert read(engine, detection())[2] == pytest.approx(0.05)
    assert len(engine.crops) == 1
