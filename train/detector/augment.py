"""Augmentation for the face detector: random canvases of photos and face crops.

A canvas is a zoomed and turned part of a photo, four of them side by side (mosaic), a face crop
as a photo of its own, or face crops pasted into a photo without faces, beside pasted places
without a face, so that the paste itself gives nothing away.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from facial_keypoints.detection.cnn import MOST_ENLARGED, SIDE
from train.detector.canvas import SMALLEST, Canvas, Faces, Picture, side_of, warp
from train.detector.effects import blend, degraded
from train.picture_effects import Rng

_GREY = 128


@dataclass(frozen=True)
class Sources:
    """Random pictures of each kind."""

    with_faces: Callable[[Rng], Picture]
    without_faces: Callable[[Rng], Picture]
    face_crop: Callable[[Rng], Picture]


def random_canvas(sources: Sources, size: int, rng: Rng) -> Canvas:
    """A random canvas of `size` × `size` pixels."""
    kind = rng.random()
    if kind < 0.50:
        source = sources.with_faces if rng.random() < 0.6 else sources.without_faces
        canvas = photo_canvas(source(rng), size, rng)
    elif kind < 0.68:
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
        source = sources.without_faces if kind < 0.3 else sources.with_faces
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
            scale = min(3.0, side / side_of(picture.boxes[0]))
        else:
            scale = min(3.0, 2.2 * side / min(height, width))
        reach = max(height, width) * scale / 2
        at = rng.uniform(0, size, 2)
        if any(np.abs(at - other[:2]).max() < 0.6 * (reach + other[2]) for other in taken):
            continue
        taken.append(np.array([*at, reach]))
        matrix = _matrix((width / 2, height / 2), at, scale, _random_turn(rng), 1.0, rng)
        blend(image, picture.image, matrix, rng)
        faces.add(picture, matrix, whole)
    return faces.canvas(image)


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
    focus, scale = _look(picture, int(max(size)), sides, rng)
    # The focus lands anywhere in the area, moved so that the photo fills it or lies in it.
    at = rng.uniform(0.05, 0.95, 2) * size
    if rng.random() < 0.85:
        edges = np.stack([size - (np.array([width, height]) - focus) * scale, focus * scale])
        at = np.clip(at, edges.min(axis=0), edges.max(axis=0))
    matrix = _matrix(focus, at, scale, _random_turn(rng), stretch, rng)
    x0, y0, x1, y1 = area
    border = cv2.BORDER_REPLICATE if rng.random() < 0.2 else cv2.BORDER_CONSTANT
    grey = (_GREY,) * 3 if rng.random() < 0.7 else tuple(rng.uniform(0, 255, 3))
    image[y0:y1, x0:x1] = warp(picture.image, matrix, size, border, grey)
    shifted = matrix.copy()
    shifted[:, 2] += (x0, y0)
    faces.add(picture, shifted, area)


def _look(
    picture: Picture, size: int, sides: tuple[float, float], rng: Rng
) -> tuple[np.ndarray, float]:
    """(2,) pixel of the picture that a view of it is about, and canvas pixels for one of its own.

    Faces come in all sizes; what is none comes about as large as the detector will see it.

    size: longer side of the area to fill. sides: see `_fill`.
    """
    height, width = picture.image.shape[:2]
    whole = size / max(height, width)
    sure = np.flatnonzero(~picture.doubtful)
    seen = min(SIDE / max(height, width), MOST_ENLARGED) * _log_uniform(rng, 0.5, 1.4)
    if len(picture.hard) and rng.random() < 0.7:
        place = rng.choice(picture.hard)
        focus, scale = place[:2] + place[2:] / 2, seen
    elif not len(sure):
        focus, scale = rng.uniform(0, (width, height)), seen
    else:
        box = picture.boxes[rng.choice(sure)]
        focus = (box[:2] + box[2:]) / 2
        wanted = _log_uniform(rng, *sides) / side_of(box)
        natural = min(whole * _log_uniform(rng, 0.9, 2.2), sides[1] / side_of(box))
        scale = wanted if rng.random() < 0.6 else natural
    # Much smaller than the area, the photo would leave it empty.
    return focus, float(np.clip(scale, 0.75 * whole, 4.0))


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


def _random_turn(rng: Rng) -> float:
    """Degrees; most faces stand nearly upright, some do not."""
    return float(rng.normal(0, 40 if rng.random() < 0.2 else 12))


def _log_uniform(rng: Rng, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(max(low, high)))))
