"""Drawing faces: it follows face and photo, and touches nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from facial_keypoints.drawing.faces import GROUP_COLOURS, DrawStyle, draw_faces, face_crop
from facial_keypoints.face import Face, Pose
from facial_keypoints.geometry.boxes import landmark_box
from facial_keypoints.landmarks.markup import PART_GROUPS, group_indices
from tests.synthetic_faces import make_face, mirrored, noise_photo, scaled

NOTHING = DrawStyle(points=False, contours=False)
EVERYTHING = DrawStyle(points=True, contours=True, numbers=True, boxes=True, axes=True)
ONE_AT_A_TIME = [
    replace(NOTHING, **{name: True}) for name in ("points", "contours", "numbers", "boxes", "axes")
]


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels that are not the same."""
    return (before != after).any(axis=2)


def test_original_stays_and_copy_has_its_form() -> None:
    photo = noise_photo(200, 160)
    before = photo.copy()
    drawn = draw_faces(photo, [make_face()], EVERYTHING)
    assert (photo == before).all()
    assert drawn.shape == photo.shape and drawn.dtype == np.uint8
    assert changed(photo, drawn).any()


def test_no_face_or_no_style_changes_nothing() -> None:
    photo = noise_photo(200, 160)
    assert (draw_faces(photo, [], EVERYTHING) == photo).all()
    assert (draw_faces(photo, [make_face()], NOTHING) == photo).all()


@pytest.mark.parametrize("style", ONE_AT_A_TIME, ids=str)
def test_each_part_of_the_style_draws_something_of_its_own(style: DrawStyle) -> None:
    photo = noise_photo(200, 200)
    masks = [changed(photo, draw_faces(photo, [make_face()], each)) for each in ONE_AT_A_TIME]
    mine = changed(photo, draw_faces(photo, [make_face()], style))
    assert mine.any()
    assert sum((mine == mask).all() for mask in masks) == 1


@pytest.mark.parametrize("style", [*ONE_AT_A_TIME, EVERYTHING], ids=str)
@pytest.mark.parametrize("width", [12, 60, 300])
def test_nothing_far_from_the_face_changes(style: DrawStyle, width: float) -> None:
    """Whatever the enlargement drawn at, the other pixels stay exactly as they were."""
    photo = noise_photo(900, 800)
    face = make_face(at=(450, 400), width=width, pose=Pose(20, 10, 15))
    reach = round(0.9 * width + 10)
    near = np.zeros((800, 900), bool)
    near[max(400 - reach, 0) : 400 + reach, 450 - reach : 450 + reach] = True
    assert not (changed(photo, draw_faces(photo, [face], style)) & ~near).any()


@pytest.mark.parametrize("group", PART_GROUPS)
def test_points_lie_where_they_belong_in_their_colour(group: str) -> None:
    photo = np.full((800, 800, 3), 128, np.uint8)
    face = make_face(at=(400, 400), width=600)
    drawn = draw_faces(photo, [face], replace(NOTHING, points=True))
    for index in group_indices(group):
        x, y = np.rint(face.points[index]).astype(int)
        assert tuple(drawn[y, x]) == GROUP_COLOURS[group]


def test_half_a_pixel_shows() -> None:
    photo = np.full((200, 200, 3), 128, np.uint8)
    face = make_face()
    moved = replace(face, points=face.points + np.float32(0.5))
    assert changed(draw_faces(photo, [face]), draw_faces(photo, [moved])).any()


def test_drawing_grows_with_the_photo() -> None:
    """Drawn at four times the size and shrunk, it is what is drawn at the size itself."""
    face = make_face(at=(250, 260), width=300, pose=Pose(25, -5, 10))
    style = replace(EVERYTHING, numbers=False, boxes=False)  # type has a smallest size
    small = draw_faces(np.full((500, 500, 3), 128, np.uint8), [face], style)
    large = draw_faces(np.full((2000, 2000, 3), 128, np.uint8), [scaled(face, 4)], style)
    shrunk = large.reshape(500, 4, 500, 4, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - small).mean() < 0.5
    share = changed(large, np.full_like(large, 128)).mean()
    assert share == pytest.approx(changed(small, np.full_like(small, 128)).mean(), rel=0.25)


def test_mirrored_photo_gives_mirrored_drawing() -> None:
    photo = np.full((300, 300, 3), 128, np.uint8)
    face = make_face(at=(140, 150), width=180, pose=Pose(25, -5, 10))
    style = DrawStyle()
    there = draw_faces(photo, [mirrored(face, 300)], style)[:, ::-1]
    here = draw_faces(photo, [face], style).astype(int)
    assert np.abs(here - there).mean() < 0.5


def test_uncertain_points_are_hollow() -> None:
    photo = np.full((800, 800, 3), 128, np.uint8)
    face = make_face(at=(400, 400), width=600)
    confidence = face.confidence.copy()
    confidence[8] = 0.2
    style = replace(NOTHING, points=True)
    drawn = draw_faces(photo, [replace(face, confidence=confidence)], style)
    for index, hollow in ((8, True), (7, False)):
        x, y = np.rint(face.points[index]).astype(int)
        assert (tuple(drawn[y, x]) == (128, 128, 128)) is hollow


@pytest.mark.parametrize("at", [(0, 0), (199, 80), (100, -45), (-1000, 50), (1e7, -1e7)])
def test_faces_over_the_border(at: tuple[float, float]) -> None:
    photo = noise_photo(200, 160)
    drawn = draw_faces(photo, [make_face(at=at)], EVERYTHING)
    assert drawn.shape == photo.shape
    assert changed(photo, drawn).any() == (max(np.abs(at)) < 500)


@pytest.mark.parametrize("size", [1, 2, 32])
def test_tiny_photos(size: int) -> None:
    photo = noise_photo(size, size)
    face = make_face(at=(size / 2, size / 2), width=size * 0.7)
    assert draw_faces(photo, [face], EVERYTHING).shape == photo.shape


def test_points_that_are_not_finite_are_left_out() -> None:
    photo = noise_photo(200, 200)
    face = make_face()
    points = face.points.copy()
    points[30:36] = np.nan
    for box in (face.box, landmark_box(points)):
        torn = replace(face, points=points, box=box)
        assert changed(photo, draw_faces(photo, [torn], EVERYTHING)).any()
    lost = replace(face, points=np.full_like(points, np.nan))
    assert (draw_faces(photo, [lost], EVERYTHING) == photo).all()


def test_face_without_a_pose_is_drawn_without_axes() -> None:
    photo = noise_photo(200, 200)
    face = replace(make_face(), pose=None)
    assert (draw_faces(photo, [face], replace(NOTHING, axes=True)) == photo).all()


def test_z_axis_points_where_the_face_looks() -> None:
    photo = np.full((400, 400, 3), 128, np.uint8)

    def looked_at(pose: Pose) -> np.ndarray:
        face = make_face(at=(200, 200), width=200, pose=pose)
        drawn = draw_faces(photo, [face], replace(NOTHING, axes=True)).astype(int)
        blue = np.abs(drawn - (0, 114, 178)).sum(axis=2) < 30
        rows, columns = np.nonzero(blue)
        return np.array([columns.mean(), rows.mean()]) - face.points[30]

    assert looked_at(Pose(40, 0, 0))[0] > 10
    assert looked_at(Pose(-40, 0, 0))[0] < -10
    assert looked_at(Pose(0, 40, 0))[1] < -10


@pytest.mark.parametrize("size", [16, 128])
def test_face_crop_holds_the_face(size: int) -> None:
    photo = np.full((300, 300, 3), 200, np.uint8)
    face: Face = make_face(at=(150, 150), width=120)
    x, y = np.rint(face.points[30]).astype(int)
    photo[y - 8 : y + 9, x - 8 : x + 9] = (255, 0, 0)
    crop = face_crop(photo, face, size)
    assert crop.shape == (size, size, 3) and crop.dtype == np.uint8
    red = (crop[..., 0].astype(int) - crop[..., 1]) > 100
    assert 0 < red.mean() < 0.1
    assert np.abs(np.argwhere(red).mean(axis=0) / size - 0.5).max() < 0.15


def test_face_crop_over_the_border_is_black_there() -> None:
    photo = np.full((100, 100, 3), 200, np.uint8)
    crop = face_crop(photo, make_face(at=(0, 50), width=60), 64)
    assert (crop[:, :10] == 0).all() and (crop[30, -10:] == 200).all()
