"""`Canvas`: a training picture of the detector and the faces on it."""

from dataclasses import dataclass

import cv2
import numpy as np

from facial_keypoints.landmarks.markup import FIVE_FLIP, NUM_FIVE

#: Side (root of the area) in canvas pixels under which a face is neither learnt nor punished.
SMALLEST = 9.0
#: Share of a face's box inside the canvas from which it is learnt, and under which it is nothing.
MOSTLY_INSIDE, HARDLY_INSIDE = 0.55, 0.15


@dataclass(frozen=True)
class Picture:
    """A photo with its faces: image (H, W, 3) uint8 RGB; boxes (N, 4) float, left, top, right and
    bottom edge; points (N, 5, 2) float, NaN where unknown; doubtful (N,) bool; hard (M, 4) float x,
    y, width, height of places without a face that are easily taken for one; in its pixels.
    """

    image: np.ndarray
    boxes: np.ndarray
    points: np.ndarray
    doubtful: np.ndarray
    hard: np.ndarray


@dataclass(frozen=True)
class Canvas:
    """What the detector sees: image (S, S, 3) uint8 RGB, and the faces in its pixels as in
    `Picture`; `ignored` (N,) bool: neither a face nor a place without one.
    """

    image: np.ndarray
    boxes: np.ndarray
    points: np.ndarray
    ignored: np.ndarray


class Faces:
    """The faces of a canvas under construction."""

    def __init__(self) -> None:
        self.boxes: list[np.ndarray] = []
        self.points: list[np.ndarray] = []
        self.ignored: list[bool] = []

    def add(self, picture: Picture, matrix: np.ndarray, area: tuple[int, int, int, int]) -> None:
        """Adds the picture's faces as `matrix` takes them into `area` (left, top, right, bottom)
        of the canvas.
        """
        if not len(picture.boxes):
            return
        boxes, points = moved(picture.boxes, picture.points, matrix)
        inside = np.clip(boxes, area[:2] * 2, area[2:] * 2)
        share = np.prod(inside[:, 2:] - inside[:, :2], axis=1)
        share /= np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
        side = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
        learnt = (share >= MOSTLY_INSIDE) & (side >= SMALLEST) & ~picture.doubtful
        for index in np.flatnonzero(share > HARDLY_INSIDE):
            self.boxes.append(boxes[index] if learnt[index] else inside[index])
            self.points.append(points[index])
            self.ignored.append(not learnt[index])

    def canvas(self, image: np.ndarray) -> Canvas:
        """The finished canvas."""
        return Canvas(
            np.ascontiguousarray(image),
            np.array(self.boxes, np.float32).reshape(-1, 4),
            np.array(self.points, np.float32).reshape(-1, NUM_FIVE, 2),
            np.array(self.ignored, bool),
        )


def moved(
    boxes: np.ndarray, points: np.ndarray, matrix: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (left, top, right, bottom) and five points after an affine map (2, 3); a mirroring
    map swaps left and right points. A box is taken for that of an upright ellipse.
    """
    linear, shift = matrix[:, :2], matrix[:, 2]
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2 @ linear.T + shift
    half = np.sqrt(((boxes[:, 2:] - boxes[:, :2]) / 2) ** 2 @ (linear**2).T)
    new_points = points @ linear.T + shift
    if np.linalg.det(linear) < 0:
        new_points = new_points[:, list(FIVE_FLIP)]
    return np.concatenate([centre - half, centre + half], axis=1), new_points


def warp(
    photo: np.ndarray, matrix: np.ndarray, size: np.ndarray, border: int, fill: tuple
) -> np.ndarray:
    """`cv2.warpAffine` to `size` (width, height), without aliasing where it shrinks."""
    shrink = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    if shrink < 0.6 and min(photo.shape[:2]) > 1:
        photo = cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        # A pixel of the half photo lies in the middle of four, half a pixel from the first.
        middle = matrix[:, :2].sum(axis=1, keepdims=True) / 2 + matrix[:, 2:]
        matrix = np.concatenate([matrix[:, :2] * 2, middle], axis=1)
        return warp(photo, matrix, size, border, fill)
    shape = (int(size[0]), int(size[1]))
    return cv2.warpAffine(
        photo, matrix, shape, flags=cv2.INTER_LINEAR, borderMode=border, borderValue=fill
    )


def side_of(box: np.ndarray) -> float:
    """Root of the area of a box left, top, right, bottom."""
    return float(np.sqrt(max(1e-6, (box[2] - box[0]) * (box[3] - box[1]))))
