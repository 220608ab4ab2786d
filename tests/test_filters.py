"""Filters on faces: each sits where it belongs, and follows size, tilt and turn."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assets.filters import draw_filters
from facial_keypoints.drawing.filters import (
    FILTER_TITLES,
    FILTERS,
    PICTURES,
    apply_filters,
    filter_matrix,
    filter_picture,
)
from facial_keypoints.face import Face, Pose
from facial_keypoints.landmarks.markup import PARTS
from tests.synthetic_faces import make_face, mirrored, noise_photo, scaled

GREY = np.full((400, 400, 3), 128, np.uint8)


def matrix_of(face: Face, name: str) -> np.ndarray:
    matrix = filter_matrix(face.points, name)
    assert matrix is not None
    return matrix


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels whose colour moved by more than a faint shadow."""
    return np.abs(before.astype(int) - after).max(axis=2) > 40


def centre(points: np.ndarray, *parts: str) -> np.ndarray:
    return points[[i for part in parts for i in PARTS[part]]].mean(axis=0)


@pytest.mark.parametrize("name", FILTERS)
def test_pictures_are_transparent_and_of_one_size(name: str) -> None:
    with Image.open(PICTURES / f"{name}.png") as file:
        picture = np.array(file)
    assert picture.shape[1:] == (800, 4)
    left, top, right, bottom = FILTERS[name].area
    assert picture.shape[0] == pytest.approx(800 * (bottom - top) / (right - left), abs=2)
    alpha = picture[..., 3]
    assert (alpha == 0).mean() > 0.2 and (alpha > 200).mean() > 0.1
    border = np.concatenate([alpha[0], alpha[:, 0], alpha[:, -1]])
    assert border.max() < 8


def test_every_filter_has_a_title() -> None:
    assert set(FILTER_TITLES) == set(FILTERS)


def test_pictures_are_what_the_script_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draw_filters, "WIDTH", 200)
    monkeypatch.setattr(draw_filters, "FINER", 2)
    monkeypatch.setattr(draw_filters, "PICTURES", tmp_path)
    draw_filters.draw_all()
    for name in FILTERS:
        with (
            Image.open(PICTURES / f"{name}.png") as file,
            Image.open(tmp_path / f"{name}.png") as small,
        ):
            committed = np.array(file.convert("RGBa").resize(small.size, Image.Resampling.BOX))
            drawn = np.array(small.convert("RGBa"))
        assert np.abs(committed.astype(int) - drawn).mean() < 6, name


def test_original_stays_and_nothing_is_done_without_names_or_faces() -> None:
    photo = noise_photo(300, 300)
    before = photo.copy()
    dressed = apply_filters(photo, [make_face((150, 180))], list(FILTERS))
    assert (photo == before).all() and (dressed != photo).any()
    assert dressed.shape == photo.shape and dressed.dtype == np.uint8
    assert (apply_filters(photo, [], list(FILTERS)) == photo).all()
    assert (apply_filters(photo, [make_face((150, 180))], []) == photo).all()


def test_unknown_filter_is_refused_with_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"'monocle'.*hat, moustache, sunglasses"):
        apply_filters(GREY, [], ["hat", "monocle"])


def test_each_filter_covers_its_part_of_the_face() -> None:
    face = make_face((200, 250), width=160)
    points = face.points
    places = {
        "right eye": centre(points, "right_eye"),
        "left eye": centre(points, "left_eye"),
        "beside the philtrum": (points[33] + points[50]) / 2 - (6, 0),
        "over the brows": centre(points, "right_brow", "left_brow") - (0, 70),
        "chin": points[8] - (0, 15),
        "cheek": (points[2] + points[31]) / 2 - (10, 10),
    }
    covered = {
        "sunglasses": {"right eye", "left eye"},
        "moustache": {"beside the philtrum"},
        "hat": {"over the brows"},
    }
    for name, expected in covered.items():
        mask = changed(GREY, apply_filters(GREY, [face], [name]))
        found = {place for place, (x, y) in places.items() if mask[round(y), round(x)]}
        assert found == expected, name


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("width", [15, 80])
def test_nothing_far_from_the_face_changes(name: str, width: float) -> None:
    photo = noise_photo(400, 400)
    dressed = apply_filters(photo, [make_face((200, 220), width)], [name])
    rows, columns = np.nonzero((dressed != photo).any(axis=2))
    assert np.abs(columns - 200).max() < 1.1 * width
    assert rows.min() > 220 - 1.7 * width and rows.max() < 220 + 0.7 * width


@pytest.mark.parametrize("name", FILTERS)
def test_follows_size_place_and_tilt(name: str) -> None:
    face = make_face((150, 160), pose=Pose(15, 5, 0))
    here = matrix_of(face, name)

    moved = replace(face, points=face.points + np.float32([40, -25]))
    assert np.allclose(matrix_of(moved, name)[:, 2] - here[:, 2], (40, -25), atol=1e-3)

    large = matrix_of(scaled(face, 3), name)
    assert np.allclose(large[:, :2], 3 * here[:, :2], atol=1e-4)

    cos, sin = np.cos(np.radians(35)), np.sin(np.radians(35))
    turn = np.array([[cos, -sin], [sin, cos]])
    tilted = matrix_of(replace(face, points=face.points @ turn.T), name)
    assert np.allclose(tilted, turn @ here, atol=1e-3)


@pytest.mark.parametrize("name", FILTERS)
def test_mirrored_face_wears_a_mirrored_filter(name: str) -> None:
    face = make_face((150, 200), pose=Pose(30, -5, 12))
    here = matrix_of(face, name)
    there = matrix_of(mirrored(face, 400), name)
    height, width = filter_picture(name).shape[:2]
    corners = np.array([[0, 0, 1], [width - 1, 0, 1], [0, height - 1, 1], [70, 30, 1]])
    flipped = corners * (-1, 1, 1) + (width - 1, 0, 0)
    expected = corners @ here.T * (-1, 1) + (399, 0)
    assert np.allclose(flipped @ there.T, expected, atol=1e-3)


def test_flat_filters_narrow_as_the_face_turns_and_the_hat_does_not() -> None:
    for name, ratio in (("sunglasses", 0.5), ("moustache", 0.5), ("hat", 1.0)):
        widths = [
            np.linalg.norm(matrix_of(make_face(pose=Pose(yaw, 0, 0)), name)[:, 0])
            for yaw in (0, 60)
        ]
        assert widths[1] / widths[0] == pytest.approx(ratio, abs=0.05), name


def test_hat_stays_over_the_skull_as_the_face_turns() -> None:
    """The face turns towards the photo's right, the middle of the hat moves to the left."""
    height, width = filter_picture("hat").shape[:2]
    middles = [
        matrix_of(make_face((200, 200), pose=Pose(yaw, 0, 0)), "hat")
        @ ((width - 1) / 2, (height - 1) / 2, 1)
        for yaw in (0, 45)
    ]
    assert middles[1][0] < middles[0][0]


def test_several_filters_are_laid_over_one_another_in_one_order() -> None:
    face = make_face((200, 250), width=160)
    step = GREY
    for name in FILTERS:
        step = apply_filters(step, [face], [name])
    for names in (list(FILTERS), list(FILTERS)[::-1]):
        assert (apply_filters(GREY, [face], names) == step).all()


def test_every_face_is_dressed_and_the_larger_comes_last() -> None:
    small, large = make_face((150, 200), width=60), make_face((210, 220), width=140)
    both = apply_filters(GREY, [large, small], ["sunglasses"])
    in_turn = apply_filters(apply_filters(GREY, [small], ["sunglasses"]), [large], ["sunglasses"])
    assert (both == in_turn).all()


@pytest.mark.parametrize("name", FILTERS)
def test_small_faces_wear_an_unaliased_filter(name: str) -> None:
    """On a 16-pixel face it is what an eight times larger one shrinks to."""
    face = make_face((30, 40), width=16, pose=Pose(10, 0, 8))
    small = apply_filters(np.full((64, 64, 3), 255, np.uint8), [face], [name])
    large = apply_filters(np.full((512, 512, 3), 255, np.uint8), [scaled(face, 8)], [name])
    shrunk = large.reshape(64, 8, 64, 8, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - small).mean() < 2.0


@pytest.mark.parametrize("at", [(0, 0), (199, 159), (100, -20), (-2000, 80), (1e6, 1e6)])
def test_faces_over_the_border(at: tuple[float, float]) -> None:
    photo = noise_photo(200, 160)
    dressed = apply_filters(photo, [make_face(at)], list(FILTERS))
    assert dressed.shape == photo.shape
    assert (dressed != photo).any() == (max(np.abs(at)) < 500)


def test_strips_leave_no_seam() -> None:
    """A face taller than one strip of rows: the same as one strip would give."""
    face = make_face((800, 1100), width=900)
    photo = np.full((1700, 1600, 3), 255, np.uint8)
    dressed = apply_filters(photo, [face], ["hat"])
    shifted = replace(face, points=face.points + np.float32([0, 37]))
    moved = apply_filters(photo, [shifted], ["hat"])
    assert np.abs(dressed[100:1600].astype(int) - moved[137:1637]).max() <= 3


@pytest.mark.parametrize(
    "points",
    [np.zeros((68, 2)), np.full((68, 2), np.nan), np.outer(np.arange(68), (1.0, 2.0))],
    ids=["one place", "not finite", "a line"],
)
def test_what_is_no_face_is_left_as_it_is(points: np.ndarray) -> None:
    photo = noise_photo(100, 100)
    face = replace(make_face((50, 50)), points=points.astype(np.float32))
    assert (apply_filters(photo, [face], list(FILTERS)) == photo).all()
