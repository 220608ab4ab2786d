import numpy as np
import pytest
import skimage.data

from facial_keypoints.detection.detectors import Detection, HaarDetector, _merge
from facial_keypoints.pipeline import make_detector

ASTRONAUT_FACE = (224, 124)  # the tip of the nose, by eye


@pytest.fixture(scope="module")
def detector() -> HaarDetector:
    return HaarDetector()


def hits(detections: list[Detection], at: tuple[float, float]) -> list[Detection]:
    x, y = at
    found = []
    for detection in detections:
        left, top, width, height = detection.box
        if left < x < left + width and top < y < top + height:
            found.append(detection)
    return found


def test_haar_finds_the_astronaut_once(detector: HaarDetector) -> None:
    found = hits(detector(skimage.data.astronaut()), ASTRONAUT_FACE)
    assert len(found) == 1
    assert 70 < found[0].box[2] < 130


@pytest.mark.parametrize("factor", [0.5, 2.0, 5.0])
def test_haar_boxes_scale_with_the_photo(detector: HaarDetector, factor: float) -> None:
    import cv2

    photo = skimage.data.astronaut()
    size = (round(512 * factor), round(512 * factor))
    photo = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    at = (ASTRONAUT_FACE[0] * factor, ASTRONAUT_FACE[1] * factor)
    found = hits(detector(photo), at)
    assert len(found) == 1
    assert 70 < found[0].box[2] / factor < 130


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (5, 5), (32, 32)])
def test_no_photo_is_too_small_or_too_thin(detector: HaarDetector, shape: tuple[int, int]) -> None:
    assert detector(np.zeros((*shape, 3), np.uint8)) == []


def test_the_surest_of_overlapping_detections_stays() -> None:
    boxes = [(10, 10, 50, 50), (12, 11, 50, 50), (200, 10, 40, 40)]
    scores = [0.5, 0.9, 0.1]
    detections = [Detection(np.array(b), s) for b, s in zip(boxes, scores, strict=True)]
    assert [d.score for d in _merge(detections)] == [0.9, 0.1]


def test_detectors_are_chosen_by_name() -> None:
    assert make_detector("haar").name == "haar"
    assert make_detector("auto").name
    own = HaarDetector()
    assert make_detector(own) is own
    with pytest.raises(
        ValueError, match="no detector is called 'psychic'; there are auto, cnn, haar"
    ):
        make_detector("psychic")
