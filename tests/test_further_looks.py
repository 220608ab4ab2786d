"""What the pipeline does where a first look shows no face, or one that is not sure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from facial_keypoints import FacialKeypoints
from facial_keypoints.detection.agreement import AGREEMENT, DETECTOR_WEIGHT
from facial_keypoints.detection.cnn import EAGER_SCORE, CnnDetector
from facial_keypoints.detection.detectors import Detection
from facial_keypoints.face import Face
from facial_keypoints.landmarks.markup import interocular_distance
from facial_keypoints.looks import LEAST_DOUBTFUL, TURN
from keypoints_captions.photos.reader import read_photo

LEVEL = np.array([[0.3, 0.3], [0.7, 0.3], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])


def seen(box: np.ndarray, score: float) -> Detection:
    """A detection whose eyes lie above the mouth."""
    return Detection(box.astype(float), score, box[:2] + LEVEL * box[2:])


@dataclass
class Told:
    """A detector that says what it is told, and how the photos were turned that it looked at."""

    found: Sequence[Detection] = ()
    name: str = "told"
    min_score: float = 0.6
    looks: list[int] = field(default_factory=list)

    def __call__(self, image: np.ndarray) -> list[Detection]:
        raise AssertionError("it is asked eagerly")

    def eagerly(self, images: Sequence[np.ndarray], quarters: int = 0) -> list[list[Detection]]:
        self.looks += [quarters] * len(images)
        return [[] if quarters else list(self.found) for _ in images]


@pytest.fixture(scope="module")
def pipeline() -> FacialKeypoints:
    return FacialKeypoints.load()


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return skimage.data.astronaut()[:320, 80:400]


@pytest.fixture(scope="module")
def face(pipeline: FacialKeypoints, photo: np.ndarray) -> Face:
    (face,) = pipeline(photo)
    return face


def test_a_weak_detection_is_taken_where_there_is_no_other(
    pipeline: FacialKeypoints, photo: np.ndarray, face: Face
) -> None:
    detector = Told([seen(face.box, 0.3)])
    (found,) = pipeline.using(detector)(photo)
    assert np.abs(found.points - face.points).max() < 6
    assert detector.looks == [0, TURN]


def test_a_weaker_one_is_not(pipeline: FacialKeypoints, photo: np.ndarray, face: Face) -> None:
    detector = Told([seen(face.box, LEAST_DOUBTFUL - 0.01)])
    assert pipeline.using(detector)(photo) == []
    assert detector.looks == [0]


@pytest.mark.parametrize(("shift", "score", "count"), [(320, 0.2, 2), (40, 0.5, 1), (320, 1e-5, 1)])
def test_a_weak_detection_beside_a_face(
    pipeline: FacialKeypoints, photo: np.ndarray, face: Face, shift: int, score: float, count: int
) -> None:
    both = np.concatenate([photo, photo], axis=1)
    detector = Told([seen(face.box, 0.9), seen(np.add(face.box, (shift, 0, 0, 0)), score)])
    found = pipeline.using(detector)(both)
    assert len(found) == count
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert detector.looks == [0]


def test_the_surer_the_detector_the_less_the_face_score_must_be(pipeline: FacialKeypoints) -> None:
    scores = (0.0, 0.2, 0.6, 0.8, 1.0)
    found = [seen(np.array([50.0, 50, 80, 80]), score) for score in scores]
    least = pipeline.least_scores(found)
    assert (np.diff(least) <= 0).all() and least[0] > 0.99 and least[-1] == pipeline.min_score
    logit = np.log(least[2] / (1 - least[2])) + DETECTOR_WEIGHT * np.log(0.6 / 0.4)
    assert logit == pytest.approx(AGREEMENT)
    assert (pipeline.using("haar").least_scores(found) == pipeline.min_score).all()


def test_a_weak_detection_without_a_face_stays_out(pipeline: FacialKeypoints) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    detector = Told([seen(np.array([50.0, 50, 80, 80]), 0.3)])
    assert pipeline.using(detector)(picture) == []


def test_a_face_that_is_detected_the_wrong_way_up(
    pipeline: FacialKeypoints, photo: np.ndarray, face: Face
) -> None:
    over = np.ascontiguousarray(photo[::-1, ::-1])
    x, y, width, height = face.box
    detector = Told([seen(np.array([319 - x - width, 319 - y - height, width, height]), 0.9)])
    (found,) = pipeline.using(detector)(over)
    off = np.linalg.norm((319 - found.points) - face.points, axis=1).mean()
    assert off < 0.03 * interocular_distance(face.points)
    assert found.pose is not None and abs(found.pose.roll) > 150


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_an_eager_detector_sees_turned_photos(
    pipeline: FacialKeypoints, photo: np.ndarray, face: Face, quarters: int
) -> None:
    detector = pipeline.detector
    assert isinstance(detector, CnnDetector)
    turned = np.ascontiguousarray(np.rot90(photo[:, 20:], -quarters))  # to the right
    best = detector.eagerly([turned], quarters)[0][0]
    points = best.points
    assert points is not None
    box = np.array([best.box[:2], best.box[:2] + best.box[2:]])
    for _ in range(quarters):  # back to the left
        points, box = (
            np.stack([one[:, 1], turned.shape[1] - 1 - one[:, 0]], 1) for one in (points, box)
        )
        turned = np.rot90(turned)
    eye = face.points[36:42].mean(axis=0) - (20, 0)
    assert np.linalg.norm(points[0] - eye) < 0.2 * interocular_distance(face.points)
    middle = face.box[:2] + face.box[2:] / 2 - (20, 0)
    assert np.linalg.norm(box.mean(axis=0) - middle) < 0.15 * face.box[2]


def test_an_eager_detector_tells_weak_signs(pipeline: FacialKeypoints, examples: Path) -> None:
    detector, cat = pipeline.detector, read_photo(examples / "cat.jpg")
    assert isinstance(detector, CnnDetector)
    eager, plain = detector.eagerly([cat])[0], detector(cat)
    assert len(eager) > len(plain) == sum(one.score >= detector.min_score for one in eager)
    assert min(one.score for one in eager) >= EAGER_SCORE
