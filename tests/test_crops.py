import cv2
import numpy as np
import pytest

from facial_keypoints.face import Pose
from facial_keypoints.landmarks.crops import (
    CROP_SCALE,
    Crops,
    crop_matrices,
    crops_from_boxes,
    crops_from_points,
    cut,
    to_crop,
    to_photo,
)
from tests.synthetic_faces import make_face


def some_crops() -> Crops:
    centre = np.array([[60.0, 40.0], [10.5, 80.25]])
    return Crops(centre, np.array([50.0, 33.0]), np.array([0.0, 30.0]))


def test_points_travel_to_the_crop_and_back() -> None:
    points = np.random.default_rng(0).uniform(0, 100, (2, 68, 2))
    np.testing.assert_allclose(to_photo(to_crop(points, some_crops()), some_crops()), points)


def test_the_matrix_agrees_with_the_crop_coordinates() -> None:
    points = np.random.default_rng(0).uniform(0, 100, (2, 68, 2))
    size = 64
    matrices = crop_matrices(some_crops(), size)
    pixels = np.einsum("nij,npj->npi", matrices[:, :, :2], points) + matrices[:, None, :, 2]
    np.testing.assert_allclose(
        (pixels - (size - 1) / 2) / size, to_crop(points, some_crops()), atol=1e-12
    )


@pytest.mark.parametrize("side", [60.0, 90.0, 150.0, 700.0])
@pytest.mark.parametrize("angle", [0.0, 35.0])
def test_a_dot_is_cut_where_the_coordinates_say(side: float, angle: float) -> None:
    at = np.array([430.0, 371.0])
    image = np.zeros((800, 800, 3), np.uint8)
    cv2.circle(image, (430, 371), max(2, int(side / 12)), (255, 255, 255), -1)
    crops = Crops(np.array([[410.0, 380.0]]), np.array([side]), np.array([angle]))
    view = cut(image, crops, 64)[0, :, :, 0].astype(float)
    ys, xs = np.mgrid[0:64, 0:64]
    centre = np.array([(xs * view).sum(), (ys * view).sum()]) / view.sum()
    expected = to_crop(at[None, None], crops)[0, 0] * 64 + 31.5
    np.testing.assert_allclose(centre, expected, atol=0.15)


def test_an_upright_crop_turns_with_the_eyes() -> None:
    face = make_face((200, 150), 90, Pose(0, 0, 25))
    crops = crops_from_points(face.points[None])
    assert crops.angle[0] == pytest.approx(25, abs=1)
    inside = to_crop(face.points[None].astype(float), crops)[0]
    assert inside[36, 1] == pytest.approx(inside[45, 1], abs=0.01)
    assert np.ptp(inside, axis=0).max() == pytest.approx(1 / CROP_SCALE)


def test_a_box_and_its_points_give_the_same_crop() -> None:
    face = make_face((200, 150), 90)
    from_points = crops_from_points(face.points[None], upright=False)
    low, high = face.points.min(axis=0), face.points.max(axis=0)
    from_box = crops_from_boxes(np.array([[*low, *(high - low)]]))
    np.testing.assert_allclose(from_box.centre, from_points.centre, atol=1)
    np.testing.assert_allclose(from_box.side, from_points.side, rtol=0.01)


def test_what_lies_outside_the_photo_is_black() -> None:
    image = np.full((50, 50, 3), 200, np.uint8)
    for side in (30.0, 300.0):
        crops = Crops(np.array([[-500.0, -500.0]]), np.array([side]), np.zeros(1))
        assert not cut(image, crops, 32).any()


@pytest.mark.parametrize("side", [30.0, 60.0])
@pytest.mark.parametrize("tall", [False, True])
def test_a_photo_longer_than_opencv_warps(side: float, tall: bool) -> None:
    length, at = 40_000, np.array([39_900.0, 60.0])
    end = np.random.default_rng(0).integers(0, 256, (120, 200, 3), dtype=np.uint8)
    image = np.zeros((120, length, 3), np.uint8)
    image[:, -200:] = end
    near = at - [length - 200, 0]
    if tall:
        image, end = image.swapaxes(0, 1).copy(), end.swapaxes(0, 1).copy()
        at, near = at[::-1], near[::-1]
    far = cut(image, Crops(at[None], np.array([side]), np.array([20.0])), 64)
    same = cut(end, Crops(near[None], np.array([side]), np.array([20.0])), 64)
    assert np.abs(far.astype(int) - same).mean() < 2
