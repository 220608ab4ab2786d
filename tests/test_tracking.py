"""The tracker on faces with known motion: jitter, lag, ids, loss and recovery."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest

from facial_keypoints import FacialKeypoints
from facial_keypoints.detection.detectors import Detection
from facial_keypoints.geometry.boxes import inside, overlap
from facial_keypoints.landmarks.markup import interocular_distance
from facial_keypoints.video.track import TrackedFace
from facial_keypoints.video.tracker import Pace, Tracker
from train.benchmark.moving_face import FRAME_SIZE, Place, moved, render, with_noise

STEP = 50.0  # ms, 20 frames a second
MIDDLE = Place(320, 240, 90)


@pytest.fixture(scope="module")
def pipeline() -> FacialKeypoints:
    return FacialKeypoints.load()


@pytest.fixture
def tracker(pipeline: FacialKeypoints) -> Tracker:
    return Tracker(pipeline)


def play(
    tracker: Tracker, frames: Sequence[np.ndarray], start: float = 0.0
) -> list[list[TrackedFace]]:
    return [tracker.update(frame, start + index * STEP) for index, frame in enumerate(frames)]


def empty() -> np.ndarray:
    return render([])


def ids(faces: Sequence[TrackedFace]) -> list[int]:
    return [tracked.id for tracked in faces]


class CountingDetector:
    """Finds what it is told to, and counts the looks."""

    name = "counting"

    def __init__(self, detector: Callable[[np.ndarray], list[Detection]]):
        self.detector, self.looks = detector, 0

    def __call__(self, image: np.ndarray) -> list[Detection]:
        self.looks += 1
        return self.detector(image)


@pytest.fixture
def counting(pipeline: FacialKeypoints) -> CountingDetector:
    return CountingDetector(pipeline.detector)


@pytest.fixture
def counted(pipeline: FacialKeypoints, counting: CountingDetector) -> Tracker:
    return Tracker(FacialKeypoints(pipeline.predictor, counting))


def test_a_still_face_is_still(tracker: Tracker) -> None:
    frame, rng = render([MIDDLE]), np.random.default_rng(0)
    answers = play(tracker, [with_noise(frame, rng) for _ in range(30)])
    assert [ids(faces) for faces in answers] == [[1]] * 30
    points = np.array([faces[0].face.points for faces in answers[10:]])
    spread = np.sqrt(np.mean(np.sum((points - points.mean(axis=0)) ** 2, axis=2)))
    assert spread < 0.005 * interocular_distance(points.mean(axis=0))
    face = answers[-1][0].face
    assert face.score > 0.9 and face.points.dtype == np.float32 and face.pose is not None
    assert np.abs(answers[-1][0].velocity).max() < 0.02


def test_steady_motion_is_followed_without_lag(tracker: Tracker) -> None:
    """200 pixels a second, seen by a person 50 ms later."""
    speed, trip, rng = 0.2, 50.0, np.random.default_rng(1)
    places = [Place(150 + speed * index * STEP, 240, 90) for index in range(30)]
    answers = play(tracker, [with_noise(render([place]), rng) for place in places])
    assert {tuple(ids(faces)) for faces in answers} == {(1,)}
    rest = answers[0][0].face.points
    lags = []
    for faces, place in list(zip(answers, places, strict=True))[12:]:
        drawn = faces[0].face.points + trip * faces[0].velocity
        truth = moved(rest, places[0], Place(place.x + speed * trip, place.y, place.size))
        lags.append((truth - drawn)[:, 0].mean() / speed)
    assert abs(np.mean(lags)) < 50  # ms


def test_the_detector_rarely_looks(counted: Tracker, counting: CountingDetector) -> None:
    play(counted, [render([MIDDLE])] * 20)
    assert counting.looks <= 2
    play(counted, [render([MIDDLE])] * 2, start=5000.0)
    assert counting.looks <= 3


def test_without_a_face_it_looks_no_more_than_it_must(
    counted: Tracker, counting: CountingDetector
) -> None:
    assert play(counted, [empty()] * 30) == [[]] * 30
    assert 5 <= counting.looks <= 14


def test_two_faces_that_pass_keep_their_ids(tracker: Tracker) -> None:
    """One moves right above, one left below; they meet, a little apart, in the middle."""
    places = [
        (Place(150 + 11 * index, 140, 75), Place(490 - 11 * index, 340, 75)) for index in range(32)
    ]
    answers = play(tracker, [render(pair, [False, True]) for pair in places])
    assert all(len(faces) == 2 for faces in answers)
    upper = [min(faces, key=lambda f: f.face.box[1]).id for faces in answers]
    lower = [max(faces, key=lambda f: f.face.box[1]).id for faces in answers]
    assert len(set(upper)) == len(set(lower)) == 1 and upper[0] != lower[0]


def test_one_face_passes_in_front_of_another(tracker: Tracker) -> None:
    """The one behind is hidden for a third of a second, and is itself again afterwards."""
    places = [(Place(140 + 12 * i, 240, 80), Place(500 - 12 * i, 240, 80)) for i in range(30)]
    answers = play(tracker, [render(pair, [False, True]) for pair in places])
    assert ids(answers[0]) == ids(answers[-1]) == [1, 2]
    before, after = (
        sorted(answers[index], key=lambda tracked: float(tracked.face.box[0])) for index in (0, -1)
    )
    assert ids(before) == ids(after)[::-1]
    assert any(len(faces) == 1 for faces in answers)


def test_a_face_covered_for_a_moment_keeps_its_id(tracker: Tracker) -> None:
    face = render([MIDDLE])
    before = play(tracker, [face] * 5)
    hidden = play(tracker, [empty()] * 4, start=250.0)
    assert [faces[0].face.score for faces in hidden] == [0.0] * 4  # its grace
    assert not hidden[0][0].velocity.any()
    np.testing.assert_array_equal(hidden[0][0].face.points, before[-1][0].face.points)
    gone = play(tracker, [empty()] * 12, start=450.0)
    assert ids(gone[-1]) == []
    back = play(tracker, [face] * 5, start=1050.0)
    assert ids(back[-1]) == [1] and back[-1][0].face.score > 0.9


def test_a_new_person_after_a_while_gets_a_new_id(tracker: Tracker) -> None:
    play(tracker, [render([MIDDLE])] * 3)
    play(tracker, [empty()] * 60, start=150.0)
    assert ids(play(tracker, [render([MIDDLE])] * 5, start=3150.0)[-1]) == [2]


def test_a_face_leaves_the_picture(tracker: Tracker) -> None:
    places = [Place(320 + 24 * index, 240, 90) for index in range(26)]
    answers = play(tracker, [render([place]) for place in places])
    assert ids(answers[5]) == [1]
    assert ids(answers[-1]) == []


def test_a_face_that_jumps_is_found_again(tracker: Tracker) -> None:
    """As when frames are lost: by half its size, in one step."""
    play(tracker, [render([MIDDLE])] * 5)
    jumped = Place(MIDDLE.x + 70, MIDDLE.y, MIDDLE.size)
    answers = play(tracker, [render([jumped])] * 10, start=250.0)
    (tracked,) = answers[-1]
    assert tracked.id == 1
    assert abs(tracked.face.points[:, 0].mean() - jumped.x) < 20


def test_a_newcomer_is_found_beside_a_face(pipeline: FacialKeypoints) -> None:
    tracker = Tracker(pipeline, pace=Pace(new_faces=300.0))
    left, right = Place(170, 240, 80), Place(470, 240, 80)
    play(tracker, [render([left])] * 3)
    answers = play(tracker, [render([left, right])] * 10, start=150.0)
    assert ids(answers[-1]) == [1, 2]


def test_no_more_faces_than_allowed(pipeline: FacialKeypoints) -> None:
    both = render([Place(170, 240, 70), Place(470, 240, 95)])
    for limit, expected in ((1, 1), (2, 2)):
        answers = play(Tracker(pipeline, max_faces=limit), [both] * 3)
        assert [len(faces) for faces in answers] == [expected] * 3


def test_two_tracks_on_one_face_become_one(tracker: Tracker) -> None:
    """Two faces slide into one place: one track stays."""
    places = [
        (Place(230 + 6 * index, 240, 80), Place(410 - 6 * index, 240, 80)) for index in range(16)
    ]
    answers = play(tracker, [render(pair) for pair in places])
    assert len(answers[0]) == 2 and len(answers[-1]) == 1
    assert set(ids(answers[-1])) < {1, 2}


def test_another_resolution_keeps_the_faces(tracker: Tracker) -> None:
    frame = render([MIDDLE])
    whole = play(tracker, [frame] * 3)[-1][0]
    half = cv2.resize(frame, (FRAME_SIZE[0] // 2, FRAME_SIZE[1] // 2), interpolation=cv2.INTER_AREA)
    (small,) = play(tracker, [half] * 2, start=150.0)[-1]
    assert small.id == whole.id
    error = np.linalg.norm((small.face.points + 0.5) * 2 - 0.5 - whole.face.points, axis=1)
    assert error.mean() < 0.05 * interocular_distance(whole.face.points)


def test_another_shape_starts_anew(tracker: Tracker) -> None:
    frame = render([MIDDLE])
    play(tracker, [frame] * 3)
    upright = np.ascontiguousarray(frame[:, 80:560])
    assert ids(tracker.update(upright, 150.0)) == [2]


@pytest.mark.parametrize("later", [100.0, 50.0, -1e6, 1e9])
def test_time_may_stand_still_go_back_or_leap(tracker: Tracker, later: float) -> None:
    frame = render([MIDDLE])
    before = play(tracker, [frame] * 3)[-1][0]
    (after,) = tracker.update(frame, later)
    assert after.id == before.id
    assert np.linalg.norm(after.face.points - before.face.points, axis=1).max() < 3
    assert not after.velocity.any()


def test_frames_without_pixels_and_tiny_ones(tracker: Tracker) -> None:
    play(tracker, [render([MIDDLE])] * 2)
    assert tracker.update(np.zeros((0, 0, 3), np.uint8), 100.0) == []
    assert ids(tracker.update(render([MIDDLE]), 150.0)) == [1]
    assert tracker.update(np.zeros((1, 1, 3), np.uint8), 200.0) == []


def test_what_is_no_frame_is_refused(tracker: Tracker) -> None:
    for image in (np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3)), np.zeros((9, 9, 4), np.uint8)):
        with pytest.raises(ValueError, match="uint8 RGB"):
            tracker.update(image, 0.0)
    with pytest.raises(ValueError, match="milliseconds"):
        tracker.update(empty(), float("nan"))


def test_reset_forgets_faces_but_no_ids(tracker: Tracker) -> None:
    play(tracker, [render([MIDDLE])] * 2)
    tracker.reset()
    assert ids(tracker.update(render([MIDDLE]), 0.0)) == [2]


def test_as_a_dictionary(tracker: Tracker) -> None:
    (tracked,) = tracker.update(render([MIDDLE]), 0.0)
    entry = tracked.to_dict()
    assert list(entry) == [
        *("id", "box", "score", "points", "confidence", "pose", "velocity", "expression")
    ]
    assert len(entry["velocity"]) == 68 and entry["expression"]["blinks"] == 0


def test_overlap() -> None:
    box = np.array([0.0, 0.0, 10.0, 10.0])
    assert overlap(box, box) == pytest.approx(1)
    assert overlap(box, box + np.array([5, 0, 0, 0])) == pytest.approx(1 / 3)
    assert overlap(box, box + np.array([20, 0, 0, 0])) == 0
    assert inside(box, np.array([2.0, 2.0, 4.0, 4.0])) == pytest.approx(1)
    assert inside(np.array([8.0, 0.0, 4.0, 10.0]), box) == pytest.approx(0.5)
