"""Gauges and the blink counter, on the mean head with its eyes, mouth and brows moved."""

import numpy as np
import pytest

from facial_keypoints.face import Pose
from facial_keypoints.geometry.expression import Expression, ExpressionMeter, measure
from facial_keypoints.landmarks.markup import PARTS
from tests.synthetic_faces import FRONTAL, make_face

STEP = 40.0  # ms
IOD = 45.7  # outer eye corners of `face()`, pixels
EYES = ("right_eye", "left_eye")


def face(
    eyes: float | tuple[float, float] = 1.0,
    mouth: float = 0.0,
    smile: float = 0.0,
    brows: float = 0.0,
    pose: Pose = FRONTAL,
) -> np.ndarray:
    """(68, 2): eyes opened by a factor (right, left), lips apart, mouth corners out and up, and
    brows up by shares of the distance of the outer eye corners; made frontal, then posed by the
    difference that the pose makes to the mean head."""
    still = make_face(width=100.0).points.astype(np.float64)
    unit = float(np.linalg.norm(still[45] - still[36]))
    points = still.copy()
    for name, open_ in zip(EYES, eyes if isinstance(eyes, tuple) else (eyes, eyes), strict=True):
        part = list(PARTS[name])
        middle = points[part, 1].mean()
        points[part, 1] = middle + open_ * 1.3 * (points[part, 1] - middle)
    lips = still[list(PARTS["inner_lip"])]
    points[[60, 61, 62, 63, 64, 65, 66, 67], 1] = lips[:, 1].mean()
    points[[65, 66, 67, 55, 56, 57, 58, 59], 1] += mouth * unit
    points[[48, 60]] += np.array([-smile, -smile]) * unit
    points[[54, 64]] += np.array([smile, -smile]) * unit
    points[[*PARTS["right_brow"], *PARTS["left_brow"]], 1] -= brows * unit
    return points + make_face(width=100.0, pose=pose).points - still


def after(
    points: np.ndarray, rest: np.ndarray | None = None, pose: Pose | None = None
) -> Expression:
    """The gauges when `points` have been there for half a second, after 2 s of `rest`."""
    meter = ExpressionMeter()
    for index in range(50):
        meter.update(face() if rest is None else rest, index * STEP, pose)
    for index in range(50, 63):
        expression = meter.update(points, index * STEP, pose)
    return expression


def test_a_face_at_rest() -> None:
    rest = after(face())
    assert rest.right_eye > 0.95 and rest.left_eye > 0.95
    assert max(rest.mouth, rest.smile, rest.brows) < 0.1
    assert rest.blinks == 0


def test_each_gauge_answers_to_its_part_alone() -> None:
    open_mouth = after(face(mouth=0.35))
    assert open_mouth.mouth > 0.9 and open_mouth.brows < 0.1 and open_mouth.right_eye > 0.95
    smile = after(face(smile=0.1))
    assert smile.smile > 0.8 and smile.mouth < 0.15
    raised = after(face(brows=0.1))
    assert raised.brows > 0.8 and raised.smile < 0.1
    wink = after(face(eyes=(1.0, 0.2)))
    assert wink.right_eye > 0.95 and wink.left_eye < 0.05


def test_half_open_eyes_and_mouth_lie_between() -> None:
    between = after(face(eyes=0.7, mouth=0.18))
    assert 0.3 < between.right_eye < 0.8
    assert 0.3 < between.mouth < 0.7


@pytest.mark.parametrize("factor, degrees", [(0.3, 0.0), (6.0, 0.0), (1.0, 35.0), (2.0, -120.0)])
def test_size_and_tilt_do_not_matter(factor: float, degrees: float) -> None:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = factor * np.array([[cos, -sin], [sin, cos]])
    points = face(eyes=(0.8, 0.5), mouth=0.1, smile=0.05, brows=0.03)
    same = measure(points @ turn.T + (300, -20))
    for name, value in vars(measure(points)).items():
        assert vars(same)[name] == pytest.approx(value, abs=1e-6), name


@pytest.mark.parametrize("yaw", [-40.0, -20.0, 20.0, 40.0])
def test_a_turned_head_measures_like_a_frontal_one(yaw: float) -> None:
    pose = Pose(yaw, 0.0, 0.0)
    turned = measure(make_face(width=100.0, pose=pose).points, pose)
    frontal = measure(make_face(width=100.0).points)
    assert turned.width == pytest.approx(frontal.width, rel=0.12)
    assert turned.brows == pytest.approx(frontal.brows, abs=0.03)
    eyes = (turned.right_eye + turned.left_eye) / 2
    assert eyes == pytest.approx((frontal.right_eye + frontal.left_eye) / 2, rel=0.15)


@pytest.mark.parametrize("pitch", [-20.0, 20.0])
def test_a_nod_is_no_smile_and_raises_no_brows(pitch: float) -> None:
    pose = Pose(0.0, pitch, 0.0)
    nodded = measure(make_face(width=100.0, pose=pose).points, pose)
    frontal = measure(make_face(width=100.0).points)
    assert nodded.lift == pytest.approx(frontal.lift, abs=0.02)
    assert nodded.brows == pytest.approx(frontal.brows, abs=0.03)


def count(openness: list[float], open_ratio: float = 1.0, pose: Pose | None = None) -> int:
    """Blinks after 2 s with eyes open and then the given frames."""
    meter = ExpressionMeter()
    for index, share in enumerate([1.0] * 50 + openness + [1.0] * 5):
        blinks = meter.update(face(eyes=share * open_ratio), index * STEP, pose).blinks
    return blinks


def test_blinks_are_counted() -> None:
    blink = [0.6, 0.2, 0.15, 0.5, 1.0, 1.0, 1.0]
    assert count(blink) == 1
    assert count(blink * 5) == 5
    assert count([0.1, 1.0]) == 1  # one frame


def test_what_is_no_blink() -> None:
    assert count([0.65] * 10) == 0  # narrowed eyes
    assert count([0.1] * 40) == 0  # eyes rested for 1.6 s
    assert count([0.66, 0.74, 0.65, 0.75] * 5) == 0  # trembling halfway


def test_trembling_lids_are_one_blink() -> None:
    assert count([0.2, 0.5, 0.25, 0.55, 0.2, 1.0]) == 1


@pytest.mark.parametrize("open_ratio", [0.75, 1.5])
def test_narrow_and_wide_eyes_have_their_own_measure(open_ratio: float) -> None:
    assert count([0.2, 0.2, 1.0], open_ratio) == 1
    assert count([0.75, 0.8, 1.0], open_ratio) == 0


def test_noise_makes_no_blinks() -> None:
    meter, rng = ExpressionMeter(), np.random.default_rng(1)
    for index in range(500):
        points = face() + rng.normal(0, 0.01 * IOD, (68, 2))
        last = meter.update(points, index * STEP)
    assert last.blinks == 0
    assert last.right_eye > 0.7


def test_of_a_turned_head_the_nearer_eye_counts() -> None:
    for yaw, eyes in ((40.0, (0.1, 1.0)), (-40.0, (1.0, 0.1))):
        meter, pose = ExpressionMeter(), Pose(yaw, 0.0, 0.0)
        for index in range(60):
            shut = 50 <= index < 53
            points = face(eyes=eyes if shut else 1.0, pose=pose)
            expression = meter.update(points, index * STEP, pose)
        assert expression.blinks == 1


def test_odd_times_and_points_do_no_harm() -> None:
    meter = ExpressionMeter()
    for time_ms in (0.0, 40.0, 40.0, -500.0, 1e9):
        expression = meter.update(face(), time_ms)
    assert expression.blinks == 0
    flat = meter.update(np.zeros((68, 2)), 1e9 + 40)
    assert all(np.isfinite(value) for value in flat.to_dict().values())


def test_as_a_dictionary() -> None:
    values = after(face()).to_dict()
    assert list(values) == ["right_eye", "left_eye", "blinks", "mouth", "smile", "brows"]
    assert isinstance(values["blinks"], int)
