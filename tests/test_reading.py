"""How a detection's crops are read: one as it is, the better one's mirror image."""

import numpy as np
import pytest

from facial_keypoints.detection.detectors import Detection
from facial_keypoints.landmarks.crops import Crops, crops_from_points, cut, to_crop
from facial_keypoints.landmarks.markup import FLIP, five_points
from facial_keypoints.landmarks.predictor import KeypointPredictor
from facial_keypoints.reading import HANGING, crops_of, read_detections, upside_down
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


PHOTO = noise_photo(300, 300)
BETTER = crops_from_points(POINTS[None])


def detection(shift: float = 0.0) -> Detection:
    """Of the face, shifted to the right by a share of its box."""
    low, size = POINTS.min(axis=0), np.ptp(POINTS, axis=0)
    moved = POINTS + np.array([shift * size.max(), 0])
    box = np.array([low[0] + shift * size.max(), low[1], size[0] + 1, size[1] + 1])
    return Detection(box, 0.9, five_points(moved))


def read(engine: Told, found: Detection) -> tuple[np.ndarray, np.ndarray, float]:
    keypoints = read_detections(KeypointPredictor(engine), [PHOTO], [found])
    return keypoints.points[0], keypoints.scale[0], float(keypoints.score[0])


def first_look(found: Detection) -> np.ndarray:
    return to_crop(POINTS[None], crops_of([found]))[0]


def mirror_image(points: np.ndarray, crop: Crops = BETTER) -> np.ndarray:
    """What a network says that sees these points in the mirror image of the crop."""
    return to_crop(points[None], crop)[0][FLIP] * (-1, 1)


def test_the_detectors_crop_and_the_mirror_image_of_the_better_one_are_averaged() -> None:
    found = detection(shift=0.02)
    moved = mirror_image(POINTS + np.array([4, 2]))
    engine = Told([first_look(found), moved], [0.9, 1.0])
    points, scale, score = read(engine, found)
    np.testing.assert_allclose(points, POINTS + np.array([2, 1]), atol=0.01)
    first = crops_of([found])
    expected = np.sqrt(0.1 * first.side[0] * 0.4 * BETTER.side[0])
    np.testing.assert_allclose(scale, expected, rtol=1e-4)
    assert score == pytest.approx(0.95)
    straight, mirrored = engine.crops
    assert (straight == cut(PHOTO, first, 32)[0]).all()
    assert (mirrored == cut(PHOTO, BETTER, 32)[0][:, ::-1]).all()


def test_where_the_first_crop_is_off_the_better_one_is_corrected() -> None:
    found = detection(shift=0.3)
    twice = crops_from_points(POINTS[None] + np.array([6, 3]))
    straight, again = (
        to_crop(POINTS[None], twice)[0],
        mirror_image(POINTS + np.array([4, 2]), twice),
    )
    engine = Told(
        [first_look(found), to_crop(POINTS[None] + np.array([6, 3]), BETTER)[0], straight, again],
        [0.5, 0.6, 0.7, 0.9],
    )
    points, scale, score = read(engine, found)
    np.testing.assert_allclose(points, POINTS + np.array([2, 1]), atol=0.01)
    np.testing.assert_allclose(scale, 0.4 * twice.side[0], rtol=1e-4)
    assert score == pytest.approx(0.8)
    assert (engine.crops[1] == cut(PHOTO, BETTER, 32)[0]).all()
    assert (engine.crops[2] == cut(PHOTO, twice, 32)[0]).all()
    assert (engine.crops[3] == cut(PHOTO, twice, 32)[0][:, ::-1]).all()


def test_what_is_no_face_is_read_once() -> None:
    engine = Told([first_look(detection())], [0.05])
    assert read(engine, detection())[2] == pytest.approx(0.05)
    assert len(engine.crops) == 1


def test_a_face_upside_down_lies_further_towards_its_chin() -> None:
    crops = Crops(np.array([[100.0, 80.0]]), np.array([40.0]), np.array([10.0]))
    over = upside_down(crops)
    assert over.angle == pytest.approx(190) and over.side == pytest.approx(40)
    chin = to_crop(over.centre[None], crops)[0, 0]
    np.testing.assert_allclose(chin, (0, -HANGING), atol=1e-9)
