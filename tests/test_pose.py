"""Head pose: known poses of the mean head, projected by a known camera, come back."""

import numpy as np
import pytest

from facial_keypoints.face import Pose
from facial_keypoints.geometry.pose import estimate_pose, pose_from_rotation, rotation_from_pose
from facial_keypoints.landmarks.markup import FLIP, NUM_POINTS
from tests.synthetic_faces import head_points

SIZE = (640, 480)
POSES = [
    Pose(0, 0, 0),
    Pose(30, 0, 0),
    Pose(-45, 10, 5),
    Pose(70, -15, -10),
    Pose(-80, 0, 20),
    Pose(0, 35, 0),
    Pose(5, -35, 0),
    Pose(20, 20, 90),
    Pose(-15, 5, 170),
]


def project(
    pose: Pose, at: tuple[float, float] = (319.5, 239.5), distance: float = 70.0
) -> np.ndarray:
    return head_points(pose, at, SIZE, distance)


def assert_close(found: Pose | None, expected: Pose, tolerance: float) -> None:
    assert found is not None
    assert found.yaw == pytest.approx(expected.yaw, abs=tolerance)
    assert found.pitch == pytest.approx(expected.pitch, abs=tolerance)
    turn = (found.roll - expected.roll + 180) % 360 - 180
    assert turn == pytest.approx(0, abs=tolerance)


@pytest.mark.parametrize("pose", POSES)
def test_known_pose_comes_back(pose: Pose) -> None:
    assert_close(estimate_pose(project(pose), SIZE), pose, 1.5)


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("off", [(8, -8, 8), (-60, 0, 0), (0, 0, 120), (0, 60, -60)])
def test_the_pose_before_changes_the_time_it_takes_only(
    pose: Pose, off: tuple[float, float, float]
) -> None:
    before = Pose(pose.yaw + off[0], pose.pitch + off[1], pose.roll + off[2])
    points = project(pose) + np.random.default_rng(0).normal(0, 1, (NUM_POINTS, 2))
    alone = estimate_pose(points, SIZE)
    assert alone is not None
    assert_close(estimate_pose(points, SIZE, before), alone, 0.5)


@pytest.mark.parametrize("pose", POSES)
def test_a_good_first_guess_is_the_best_one(pose: Pose, monkeypatch: pytest.MonkeyPatch) -> None:
    points = project(pose) + np.random.default_rng(1).normal(0, 1, (NUM_POINTS, 2))
    first = estimate_pose(points, SIZE)
    monkeypatch.setattr("facial_keypoints.geometry.pose.GOOD_FIT", 0)  # every guess is tried
    best = estimate_pose(points, SIZE)
    assert best is not None
    assert_close(first, best, 1e-3)


@pytest.mark.parametrize("pose", POSES)
def test_rotation_and_pose_are_inverse(pose: Pose) -> None:
    rotation = rotation_from_pose(pose)
    assert np.allclose(rotation @ rotation.T, np.eye(3))
    assert np.linalg.det(rotation) == pytest.approx(1)
    assert_close(pose_from_rotation(rotation), pose, 1e-9)


def test_signs_are_those_of_the_contract() -> None:
    nose = np.array([0.0, 0.0, -1.0])  # towards the camera
    assert (rotation_from_pose(Pose(30, 0, 0)) @ nose)[0] > 0  # to the photo's right
    assert (rotation_from_pose(Pose(0, 30, 0)) @ nose)[1] < 0  # up
    left_ear = np.array([1.0, 0.0, 0.0])  # the person's left is on the photo's right
    assert (rotation_from_pose(Pose(0, 0, 30)) @ left_ear)[1] > 0  # goes down


@pytest.mark.parametrize("pose", POSES)
def test_mirrored_photo_negates_yaw_and_roll(pose: Pose) -> None:
    points = project(pose, at=(250, 200))
    mirrored = points[FLIP]
    mirrored[:, 0] = SIZE[0] - 1 - mirrored[:, 0]
    here, there = estimate_pose(points, SIZE), estimate_pose(mirrored, SIZE)
    assert here is not None
    assert_close(there, Pose(-here.yaw, here.pitch, -here.roll), 1e-3)


@pytest.mark.parametrize("degrees", [-90, -20, 45, 90])
def test_turning_the_photo_adds_roll(degrees: float) -> None:
    points = project(Pose(20, -10, 5), at=(400, 200))
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    middle = (np.array(SIZE) - 1) / 2
    turned = (points - middle) @ np.array([[cos, sin], [-sin, cos]]) + middle
    here, there = estimate_pose(points, SIZE), estimate_pose(turned, SIZE)
    assert here is not None
    assert_close(there, Pose(here.yaw, here.pitch, here.roll + degrees), 1e-3)


def test_photo_size_does_not_matter() -> None:
    points = project(Pose(25, 10, -5))
    here = estimate_pose(points, SIZE)
    large = estimate_pose((points + 0.5) * 10 - 0.5, (SIZE[0] * 10, SIZE[1] * 10))
    assert here is not None
    assert_close(large, here, 1e-3)


def test_face_at_the_photo_edge_that_looks_into_the_lens_is_frontal() -> None:
    """A head whose axis points at the camera has pose 0 wherever it is in the photo."""
    bearing = np.degrees(np.arctan2(600 - 319.5, 640))
    # It stands to the right, so it must turn towards the photo's left: negative yaw.
    points = project(Pose(-float(bearing), 0, 0), at=(600, 239.5))
    assert_close(estimate_pose(points, SIZE), Pose(0, 0, 0), 1.5)


def test_cropping_the_photo_hardly_changes_the_pose() -> None:
    points = project(Pose(30, 5, 10), at=(450, 150), distance=90)
    low, high = points.min(axis=0) - 20, points.max(axis=0) + 20
    whole = estimate_pose(points, SIZE)
    width, height = high - low
    crop = estimate_pose(points - low, (round(width), round(height)))
    assert whole is not None
    assert_close(crop, whole, 6)


def test_opening_the_mouth_hardly_changes_the_pose() -> None:
    points = project(Pose(10, 5, 0))
    opened = points.copy()
    opened[[8, 57, 66]] += (0, 15)
    opened[[48, 54]] += (0, 4)
    assert_close(estimate_pose(opened, SIZE), Pose(10, 5, 0), 3)


def test_noise_flips_no_face() -> None:
    rng = np.random.default_rng(2)
    for pose in POSES:
        points = project(pose)
        noisy = points + rng.normal(size=points.shape) * 0.03 * np.ptp(points, axis=0).max() / 2
        assert_close(estimate_pose(noisy, SIZE), pose, 20)


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((NUM_POINTS, 2)),
        np.full((NUM_POINTS, 2), 7.0),
        np.full((NUM_POINTS, 2), np.nan),
        np.outer(np.arange(NUM_POINTS), (1.0, 2.0)),
        np.random.default_rng(0).uniform(0, 400, (NUM_POINTS, 2)),
        project(Pose(0, 0, 0)) * (-1, 1) + (640, 0),  # mirrored, its points not put in order
    ],
    ids=["zero", "one place", "not finite", "a line", "noise", "mirrored"],
)
def test_what_is_no_face_has_no_pose(points: np.ndarray) -> None:
    assert estimate_pose(points, SIZE) is None
