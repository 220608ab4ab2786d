"""What the pipeline does where a first look shows no face, or one that is not sure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
import skimage.data

from facial_keypoints import FacialKeypoints
from facial_keypoints.detection.cnn import EAGER_SCORE, CnnDetector
from facial_keypoints.detection.detectors import Detection
from facial_keypoints.face import Face
from facial_keypoints.landmarks.markup import interocular_distance


@dataclass
class Told:
    """A detector that says what it is told, and with how little it was content."""

    found: Sequence[Detection] = ()
    weak: Sequence[Detection] = ()
    name: str = "told"
    looks: list[str] = field(default_factory=list)

    def __call__(self, image: np.ndarray) -> list[Detection]:
        self.looks.append(self.name)
        return list(self.found)

    def eager(self) -> "Told":
        return Told(self.weak, name="eager", looks=self.looks)


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
    detector = Told(weak=[Detection(face.box.astype(float), 0.2)])
    (found,) = pipeline.using(detector)(photo)
    assert np.abs(found.points - face.points).max() < 6
    assert detector.looks == ["told", "eager"]


def test_weak_detections_are_not_asked_for_beside_a_face(
    pipeline: FacialKeypoints, photo: np.ndarray, face: Face
) -> None:
    detector = Told([Detection(face.box.astype(float), 0.9)])
    assert len(pipeline.using(detector)(photo)) == 1
    assert detector.looks == ["told"]


def test_a_weak_detection_without_a_face_stays_out(pipeline: FacialKeypoints) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    detector = Told(weak=[Detection(np.array([50.0, 50, 80, 80]), 0.2)])
    assert pipeline.using(detector)(picture) == []


def test_a_face_that_is_detected_the_wrong_way_up(
    pipeline: FacialKeypoints, photo: np.ndarray, face: Face
) -> None:
    over = np.ascontiguousarray(photo[::-1, ::-1])
    x, y, width, height = face.box
    box = np.array([319 - x - width, 319 - y - height, width, height], float)
    eyes_above = np.array([[0.3, 0.3], [0.7, 0.3], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
    detector = Told([Detection(box, 0.9, box[:2] + eyes_above * box[2:])])
    (found,) = pipeline.using(detector)(over)
    off = np.linalg.norm((319 - found.points) - face.points, axis=1).mean()
    assert off < 0.03 * interocular_distance(face.points)
    assert found.pose is not None and abs(found.pose.roll) > 150


def test_the_eager_detector_shares_the_network(pipeline: FacialKeypoints) -> None:
    detector = pipeline.detector
    assert isinstance(detector, CnnDetector)
    eager = detector.eager()
    assert eager.engine is detector.engine
    assert eager.min_score == EAGER_SCORE < detector.min_score
