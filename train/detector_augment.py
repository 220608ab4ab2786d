"""Random canvases that the detector trains on, made of photos and of face crops.

A canvas is a zoomed and turned part of a photo, four of them side by side (mosaic), a face crop
as a photo of its own, or face crops pasted into a photo without faces, beside pasted places
without a face, so that the paste itself gives nothing away.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from facial_keypoints.markup import FIVE_FLIP, NUM_FIVE
from train.picture_effects import (
    Rng,
    blur,
    colour,
    compression,
    low_resolution,
    noise,
    saturation,
    shadow,
)

#: Side (root of the area) in canvas pixels under which a face is neither learnt nor punished.
SMALLEST = 9.0
#: Share of a face's box inside the canvas from which it is learnt, and under which it is nothing.
MOSTLY_INSIDE, HARDLY_INSIDE = 0.55, 0.15
_GREY = 128


@dataclass(frozen=True)
class Picture:
    """A photo with its faces: image (H, W, 3) uint8 RGB; boxes (N, 4) float, left, top, right and
    bottom edge; points (N, 5, 2) float, NaN where unknown; doubtful (N,) bool; in its pixels.
    """

    image: np.ndarray
    boxes: np.ndarray
    points: np.ndarray
    doubtful: np.ndarray


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


@dataclass(frozen=True)
class Sources:
    """Random pictures of each kind."""

    with_faces: Callable[[Rng], Picture]
    without_faces: Callable[[Rng], Picture]
    face_crop: Callable[[Rng], Picture]


def random_canvas(sources: Sources, size: int, rng: Rng) -> Canvas:
    """A random canvas of `size` × `size` pixels."""
    kind = rng.random()
    if kind < 0.45:
        source = sources.with_faces if rng.random() < 0.75 else sources.without_faces
        canvas = photo_canvas(source(rng), size, rng)
    elif kind < 0.65:
        canvas = mosaic(sources, size, rng)
    elif kind < 0.80:
        canvas = photo_canvas(sources.face_crop(rng), size, rng, largest=0.95)
    else:
        canvas = pasted(sources, size, rng)
    return degraded(canvas, rng)


def photo_canvas(picture: Picture, size: int, rng: Rng, largest: float = 0.7) -> Canvas:
    """A zoomed and turned part of a photo, usually around one of its faces.

    largest: side of that face at most, in shares of the canvas.
    """
    image, faces = np.empty((size, size, 3), np.uint8), Faces()
    _fill(image, faces, (0, 0, size, size), picture, rng, (14.0, largest * size))
    return faces.canvas(image)


def mosaic(sources: Sources, size: int, rng: Rng) -> Canvas:
    """Four photos side by side, in smaller scales."""
    image, faces = np.empty((size, size, 3), np.uint8), Faces()
    x, y = (int(v) for v in rng.uniform(0.3, 0.7, 2) * size)
    for area in ((0, 0, x, y), (x, 0, size, y), (0, y, x, size), (x, y, size, size)):
        kind = rng.random()
        source = sources.without_faces if kind < 0.15 else sources.with_faces
        source = sources.face_crop if kind > 0.85 else source
        _fill(image, faces, area, source(rng), rng, (SMALLEST, 0.3 * size))
    return faces.canvas(image)


def pasted(sources: Sources, size: int, rng: Rng) -> Canvas:
    """Face crops, and as many places without a face, pasted into a photo without faces."""
    image, faces = np.empty((size, size, 3), np.uint8), Faces()
    whole = (0, 0, size, size)
    _fill(image, faces, whole, sources.without_faces(rng), rng, (14.0, 0.5 * size))
    taken: list[np.ndarray] = []
    for _ in range(int(rng.integers(1, 5))):
        is_face = rng.random() < 0.6
        picture = sources.face_crop(rng) if is_face else sources.without_faces(rng)
        height, width = picture.image.shape[:2]
        side = _log_uniform(rng, 12.0, 0.55 * size)
        if is_face:
            scale = min(3.0, side / _side(picture.boxes[0]))
        else:
            scale = min(3.0, 2.2 * side / min(height, width))
        reach = max(height, width) * scale / 2
        at = rng.uniform(0, size, 2)
        if any(np.abs(at - other[:2]).max() < 0.6 * (reach + other[2]) for other in taken):
            continue
        taken.append(np.array([*at, reach]))
        matrix = _matrix((width / 2, height / 2), at, scale, _random_turn(rng), 1.0, rng)
        _blend(image, picture.image, matrix, rng)
        if is_face:
            faces.add(picture, matrix, whole)
    return faces.canvas(image)


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


def degraded(canvas: Canvas, rng: Rng) -> Canvas:
    """Covers parts of faces, then colour, light, blur, noise and compression, each now and then;
    detail is never lost beyond what the smallest face bears.
    """
    image = canvas.image
    sides = np.array([_side(box) for box in canvas.boxes[~canvas.ignored]])
    for box in canvas.boxes[~canvas.ignored]:
        if rng.random() < 0.12:
            _cover(image, box, rng)
    bearable = sides.min(initial=60.0)
    if rng.random() < 0.5:
        image = colour(image, rng)
    if rng.random() < 0.2:
        image = saturation(image, rng)
    if rng.random() < 0.1:
        image = shadow(image, rng)
    if rng.random() < 0.1:
        image = _low_light(image, rng)
    if rng.random() < 0.12:
        image = blur(image, rng, most=min(2.5, bearable / 14))
    if rng.random() < 0.15 and bearable > 14:
        image = low_resolution(image, rng, most=min(4.0, bearable / 9))
    if rng.random() < 0.08:
        image = noise(image, rng)
    if rng.random() < 0.15:
        image = compression(image, rng)
    return Canvas(image, canvas.boxes, canvas.points, canvas.ignored)


def _fill(
    image: np.ndarray,
    faces: Faces,
    area: tuple[int, int, int, int],
    picture: Picture,
    rng: Rng,
    sides: tuple[float, float],
) -> None:
    """Fills an area (left, top, right, bottom) of the canvas with a part of the picture.

    sides: the range of the chosen face's side, canvas pixels.
    """
    size = np.array([area[2] - area[0], area[3] - area[1]])
    height, width = picture.image.shape[:2]
    stretch = np.exp(rng.normal(0, 0.05))
    if height == width and rng.random() < 0.7:  # perhaps squashed from 4:3 or 3:4
        stretch *= (4 / 3) ** (0.5 if rng.random() < 0.6 else -0.5)
    natural = max(size) / max(height, width) * _log_uniform(rng, 0.9, 2.2)
    scale, focus = natural, rng.uniform(0, (width, height))
    sure = np.flatnonzero(~picture.doubtful)
    if len(sure):
        box = picture.boxes[rng.choice(sure)]
        focus = (box[:2] + box[2:]) / 2
        wanted = _log_uniform(rng, *sides) / _side(box)
        largest = sides[1] / _side(box)
        scale = wanted if rng.random() < 0.6 else min(natural, largest)
    # Much smaller than the area, the photo would leave it empty.
    scale = float(np.clip(scale, 0.75 * max(size) / max(height, width), 4.0))
    # The focus lands anywhere in the area, moved so that the photo fills it or lies in it.
    at = rng.uniform(0.05, 0.95, 2) * size
    if rng.random() < 0.85:
        edges = np.stack([size - (np.array([width, height]) - focus) * scale, focus * scale])
        at = np.clip(at, edges.min(axis=0), edges.max(axis=0))
    matrix = _matrix(focus, at, scale, _random_turn(rng), stretch, rng)
    x0, y0, x1, y1 = area
    border = cv2.BORDER_REPLICATE if rng.random() < 0.2 else cv2.BORDER_CONSTANT
    grey = (_GREY,) * 3 if rng.random() < 0.7 else tuple(rng.uniform(0, 255, 3))
    image[y0:y1, x0:x1] = _warp(picture.image, matrix, size, border, grey)
    shifted = matrix.copy()
    shifted[:, 2] += (x0, y0)
    faces.add(picture, shifted, area)


def _warp(
    photo: np.ndarray, matrix: np.ndarray, size: np.ndarray, border: int, fill: tuple
) -> np.ndarray:
    """`cv2.warpAffine` to `size` (width, height), without aliasing where it shrinks."""
    shrink = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    if shrink < 0.6:
        photo = cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        matrix = np.concatenate([matrix[:, :2] * 2, matrix[:, 2:]], axis=1)
        return _warp(photo, matrix, size, border, fill)
    shape = (int(size[0]), int(size[1]))
    return cv2.warpAffine(
        photo, matrix, shape, flags=cv2.INTER_LINEAR, borderMode=border, borderValue=fill
    )


def _matrix(
    focus: np.ndarray | tuple[float, float],
    at: np.ndarray,
    scale: float,
    turn: float,
    stretch: float,
    rng: Rng,
) -> np.ndarray:
    """(2, 3) float64: takes `focus` to `at`, scaled, turned by `turn` degrees, stretched across
    and, every other time, mirrored.
    """
    radians = np.radians(turn)
    cos, sin = np.cos(radians), np.sin(radians)
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    across, along = scale * np.sqrt(stretch) * mirror, scale / np.sqrt(stretch)
    linear = np.array([[cos * across, -sin * along], [sin * across, cos * along]])
    return np.concatenate([linear, (at - linear @ np.asarray(focus))[:, None]], axis=1)


def _blend(image: np.ndarray, picture: np.ndarray, matrix: np.ndarray, rng: Rng) -> None:
    """Pastes a picture into the canvas, in place, with a soft edge."""
    height, width = picture.shape[:2]
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]])
    reach = corners @ matrix[:, :2].T + matrix[:, 2]
    low = np.clip(np.floor(reach.min(axis=0)).astype(int), 0, image.shape[0])
    high = np.clip(np.ceil(reach.max(axis=0)).astype(int), 0, image.shape[0])
    if (high - low).min() < 4:
        return
    local = matrix.copy()
    local[:, 2] -= low
    view = _warp(picture, local, high - low, cv2.BORDER_REPLICATE, (0, 0, 0))
    mask = soft_mask(int(rng.integers(4)))
    to_mask = local.copy()
    to_mask[:, :2] *= np.array([width, height]) / mask.shape[0]
    weight = cv2.warpAffine(mask, to_mask, (int(high[0] - low[0]), int(high[1] - low[1])))
    part = image[low[1] : high[1], low[0] : high[0]]
    part[:] = cv2.blendLinear(view, part, weight, 1 - weight)


@cache
def soft_mask(kind: int, size: int = 64) -> np.ndarray:
    """(size, size) float32, 0..1: a rounded square or an ellipse that fades out at the border.

    kind: 0 or 1 for a square, 2 or 3 for an ellipse; odd ones fade over a longer way.
    """
    axis = np.abs(np.linspace(-1, 1, size, dtype=np.float32))
    power = 8.0 if kind < 2 else 2.0
    distance = (axis[None] ** power + axis[:, None] ** power) ** (1 / power)
    fade = 0.35 if kind % 2 else 0.12
    return np.clip((0.98 - distance) / fade, 0, 1).astype(np.float32)


def _cover(image: np.ndarray, box: np.ndarray, rng: Rng) -> None:
    """Covers up to four tenths of a face, in place, with one colour or another place."""
    size = image.shape[0]
    side = (box[2:] - box[:2]) * rng.uniform(0.25, 0.65, 2)
    middle = box[:2] + (box[2:] - box[:2]) * rng.uniform(0, 1, 2)
    x0, y0 = np.clip((middle - side / 2).astype(int), 0, size)
    x1, y1 = np.clip((middle + side / 2).astype(int), 0, size)
    if x1 <= x0 or y1 <= y0:
        return
    if rng.random() < 0.5:
        image[y0:y1, x0:x1] = rng.integers(0, 256, 3, dtype=np.uint8)
    else:
        x, y = rng.integers(0, (size - (x1 - x0) + 1, size - (y1 - y0) + 1))
        image[y0:y1, x0:x1] = image[y : y + y1 - y0, x : x + x1 - x0].copy()


def _low_light(image: np.ndarray, rng: Rng) -> np.ndarray:
    """Dark, and grainy for it."""
    ramp = np.linspace(0, 1, 256) ** rng.uniform(1.1, 2.0) * rng.uniform(0.3, 0.8) * 255
    dark = cv2.LUT(image, ramp.astype(np.uint8))
    grain = rng.integers(0, int(rng.integers(4, 24)), image.shape[:2], np.uint8)
    return cv2.add(dark, cv2.cvtColor(grain, cv2.COLOR_GRAY2RGB))


def _random_turn(rng: Rng) -> float:
    """Degrees; most faces stand nearly upright, some do not."""
    return float(rng.normal(0, 35 if rng.random() < 0.15 else 8))


def _log_uniform(rng: Rng, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(max(low, high)))))


def _side(box: np.ndarray) -> float:
    """Root of the area of a box left, top, right, bottom."""
    return float(np.sqrt(max(1e-6, (box[2] - box[0]) * (box[3] - box[1]))))
