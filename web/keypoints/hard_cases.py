"""A portrait made hard to read in several ways, and how far its points are off then."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from facial_keypoints.drawing.faces import draw_faces
from facial_keypoints.face import Face
from facial_keypoints.landmarks.crops import crops_from_points, cut, to_crop
from facial_keypoints.landmarks.markup import interocular_distance
from keypoints_captions.corruptions import blurred, coarse, dark

SIDE = 320  # pixels of the pictures
_SCALE = 2.4  # side of the pictures in sides of the landmark box
_SMALL_FACE = 12  # pixels, the side of the face that is enlarged again
_OFF = 50.0  # % of the eye distance; points farther off are on something else


@dataclass(frozen=True)
class HardCase:
    """The result for one picture.

    picture: (SIDE, SIDE, 3) uint8 RGB with what was found drawn on it.
    error: mean distance of the points from those of the portrait as it was, moved along with it,
        in % of the distance between the outer eye corners; None where the face was not found.
    false_faces: how many other things were taken for a face.
    """

    name: str
    picture: np.ndarray
    error: float | None
    false_faces: int


def hard_cases(
    find_faces: Callable[[np.ndarray], list[Face]], photo: np.ndarray, face: Face
) -> list[HardCase]:
    """Runs the model on a portrait in several bad states.

    Args:
        find_faces: a `FacialKeypoints`, or whatever takes (H, W, 3) uint8 RGB as it does.
        photo: (H, W, 3) uint8 RGB.
        face: the one of which the portrait is cut out, as it was found in the photo.
    """
    crops = crops_from_points(face.points[None], upright=False, scale=_SCALE)
    portrait = cut(photo, crops, SIDE)[0]
    points = (to_crop(face.points[None], crops)[0] + 0.5) * SIDE - 0.5
    side = SIDE / _SCALE
    cases = [
        (f"Turned by {degrees}°", *_turned(portrait, points, degrees)) for degrees in (60, 180)
    ]
    cases += [
        (f"{_SMALL_FACE} pixels wide", coarse(portrait, side / _SMALL_FACE), points),
        ("Blurred", blurred(portrait, side / 12), points),
        ("In the dark", dark(portrait), points),
        ("Mouth covered", _covered(portrait, points[48:]), points),
        ("Eyes covered", _covered(portrait, points[36:48]), points),
        ("Half out of the picture", _cut_off(portrait, points), points),
    ]
    return [_look(find_faces, *case) for case in cases]


def _look(
    find_faces: Callable[[np.ndarray], list[Face]],
    name: str,
    picture: np.ndarray,
    truth: np.ndarray,
) -> HardCase:
    faces = find_faces(picture)
    eyes = interocular_distance(truth)
    errors = [100 * np.linalg.norm(face.points - truth, axis=1).mean() / eyes for face in faces]
    near = [float(error) for error in errors if error < _OFF]
    found = min(near, default=None)
    return HardCase(name, draw_faces(picture, faces), found, len(errors) - len(near))


def _turned(image: np.ndarray, points: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """The square picture turned about its middle, and its points."""
    middle = (len(image) - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), degrees, 1.0)
    turned = cv2.warpAffine(image, matrix, (len(image), len(image)), borderMode=cv2.BORDER_REFLECT)
    return turned, points @ matrix[:, :2].T + matrix[:, 2]


def _covered(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """With a grey bar over these points, a little wider than they are."""
    left, top = np.floor(points.min(axis=0) - 12).astype(int)
    right, bottom = np.ceil(points.max(axis=0) + 12).astype(int)
    covered = image.copy()
    covered[max(0, top) : bottom, max(0, left) : right] = 90
    return covered


def _cut_off(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Grey beyond the bridge of the nose."""
    cut_off = image.copy()
    cut_off[:, round(points[27, 0]) :] = 127
    return cut_off
