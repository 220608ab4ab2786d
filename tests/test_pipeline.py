"""The committed weights on free photos: what a person sees is what must stay right."""

import cv2
import numpy as np
import pytest
import skimage.data

from facial_keypoints import Face, FacialKeypoints
from facial_keypoints.landmarks.markup import FLIP, interocular_distance
from keypoints_captions.photos.reader import PhotoError

# Read by eye from a nine-fold enlargement of scikit-image's `astronaut`; good to 2 pixels.
ASTRONAUT = {36: (194, 101), 39: (212, 103), 42: (236, 104), 45: (257, 104), 33: (223, 133)}
ASTRONAUT |= {48: (203, 140), 54: (243, 140), 8: (223, 178)}


@pytest.fixture(scope="module")
def pipeline() -> FacialKeypoints:
    return FacialKeypoints.load()


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return skimage.data.astronaut()


@pytest.fixture(scope="module")
def astronaut(pipeline: FacialKeypoints, photo: np.ndarray) -> Face:
    faces = pipeline(photo)
    assert len(faces) == 1
    return faces[0]


def nme(a: np.ndarray, b: np.ndarray) -> float:
    """In % of the second's outer-eye-corner distance."""
    return float(100 * np.linalg.norm(a - b, axis=1).mean() / interocular_distance(b))


def test_the_points_lie_where_a_person_sees_them(astronaut: Face) -> None:
    for index, expected in ASTRONAUT.items():
        assert np.linalg.norm(astronaut.points[index] - expected) < 4, index


def test_the_result_is_typed_and_in_range(astronaut: Face) -> None:
    assert astronaut.points.shape == (68, 2)
    assert astronaut.points.dtype == np.float32
    assert 0.9 < astronaut.score <= 1
    assert ((astronaut.confidence >= 0) & (astronaut.confidence <= 1)).all()
    assert astronaut.confidence.mean() > 0.5
    assert astronaut.pose is not None
    assert abs(astronaut.pose.yaw) < 30
    x, y, width, height = astronaut.box
    np.testing.assert_allclose([x, y], astronaut.points.min(axis=0), atol=0.01)
    np.testing.assert_allclose([x + width, y + height], astronaut.points.max(axis=0), atol=0.01)


def test_a_mirrored_photo(pipeline: FacialKeypoints, photo: np.ndarray, astronaut: Face) -> None:
    (face,) = pipeline(np.ascontiguousarray(photo[:, ::-1]))
    back = face.points[FLIP] * (-1, 1) + (photo.shape[1] - 1, 0)
    assert nme(back, astronaut.points) < 1.5
    assert face.pose is not None
    assert astronaut.pose is not None
    assert face.pose.yaw == pytest.approx(-astronaut.pose.yaw, abs=4)


@pytest.mark.parametrize("factor", [0.6, 1.7, 4.0])
def test_a_resized_photo(
    pipeline: FacialKeypoints, photo: np.ndarray, astronaut: Face, factor: float
) -> None:
    size = (round(512 * factor), round(512 * factor))
    (face,) = pipeline(cv2.resize(photo, size, interpolation=cv2.INTER_AREA))
    assert nme((face.points + 0.5) / factor - 0.5, astronaut.points) < 2.5


@pytest.mark.parametrize("gain", [0.5, 1.4])
def test_a_darker_or_brighter_photo(
    pipeline: FacialKeypoints, photo: np.ndarray, astronaut: Face, gain: float
) -> None:
    (face,) = pipeline(np.clip(photo * gain, 0, 255).astype(np.uint8))
    assert nme(face.points, astronaut.points) < 3


@pytest.mark.parametrize("degrees", [-40, -20, 25, 40])
def test_a_turned_face_from_its_box(
    pipeline: FacialKeypoints, photo: np.ndarray, astronaut: Face, degrees: float
) -> None:
    centre = tuple(float(v) for v in astronaut.points.mean(axis=0))
    matrix = cv2.getRotationMatrix2D(centre, -degrees, 1)
    turned = cv2.warpAffine(photo, matrix, (512, 512))
    truth = astronaut.points @ matrix[:, :2].T + matrix[:, 2]
    low, high = truth.min(axis=0), truth.max(axis=0)
    (face,) = pipeline.predict(turned, np.array([[*low, *(high - low)]]))
    assert nme(face.points, truth) < 3
    assert face.pose is not None
    assert astronaut.pose is not None
    assert face.pose.roll == pytest.approx(astronaut.pose.roll + degrees, abs=5)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_photo_that_lies_on_its_side(
    pipeline: FacialKeypoints, photo: np.ndarray, astronaut: Face, quarters: int
) -> None:
    photo = photo[:400]  # not square: width and height must not be taken for each other
    (face,) = pipeline(np.ascontiguousarray(np.rot90(photo, quarters)))
    x, y = face.points.T
    height, width = photo.shape[:2]
    back = {1: (width - 1 - y, x), 2: (width - 1 - x, height - 1 - y), 3: (y, height - 1 - x)}
    assert nme(np.stack(back[quarters], axis=1), astronaut.points) < 1.5
    np.testing.assert_allclose(face.box[:2], face.points.min(axis=0), atol=0.01)
    assert face.pose is not None and astronaut.pose is not None
    roll = (face.pose.roll - astronaut.pose.roll + 90 * quarters + 180) % 360 - 180
    assert abs(roll) < 5


@pytest.mark.parametrize("shift", [(-0.1, 0.05), (0.1, 0.1), (0.0, -0.1)])
@pytest.mark.parametrize("scale", [0.85, 1.2])
def test_imprecise_boxes_give_the_same_points(
    pipeline: FacialKeypoints,
    photo: np.ndarray,
    astronaut: Face,
    shift: tuple[float, float],
    scale: float,
) -> None:
    x, y, width, height = astronaut.box
    side = max(width, height) * scale
    centre = np.array([x + width / 2, y + height / 2]) + np.array(shift) * side
    (face,) = pipeline.predict(photo, np.array([[*(centre - side / 2), side, side]]))
    assert nme(face.points, astronaut.points) < 2


def test_many_faces_at_once(pipeline: FacialKeypoints, photo: np.ndarray, astronaut: Face) -> None:
    group = np.concatenate([photo[:256, 100:356]] * 3, axis=1)
    faces = sorted(pipeline(group), key=lambda face: face.points[0, 0])
    assert len(faces) == 3
    for index, face in enumerate(faces):
        assert nme(face.points - (256 * index - 100, 0), astronaut.points) < 2.5


@pytest.mark.parametrize("name", ["coffee", "chelsea"])
def test_no_face_is_an_answer(pipeline: FacialKeypoints, name: str) -> None:
    assert pipeline(getattr(skimage.data, name)()) == []


def test_a_wrong_array_is_refused_by_name(pipeline: FacialKeypoints) -> None:
    with pytest.raises(PhotoError, match="uint8"):
        pipeline(np.zeros((10, 10, 3), np.float32))
    with pytest.raises(PhotoError, match="uint8"):
        pipeline.predict(np.zeros((10, 10, 3), np.float32), [[0, 0, 9, 9]])


def test_wrong_boxes_are_refused(pipeline: FacialKeypoints, photo: np.ndarray) -> None:
    assert pipeline.predict(photo, []) == []
    for boxes in ([[0, 0, 9, np.nan]], np.zeros((4, 5)), [0, 0, 9]):
        with pytest.raises(ValueError, match="Expected boxes"):
            pipeline.predict(photo, boxes)


def test_pil_images_are_read_upright(
    pipeline: FacialKeypoints, photo: np.ndarray, astronaut: Face
) -> None:
    from PIL import Image

    (face,) = pipeline(Image.fromarray(photo).convert("RGBA"))
    np.testing.assert_allclose(face.points, astronaut.points, atol=0.5)
