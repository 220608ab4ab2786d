"""Effects on the detector's canvases: pasting, covered faces, light, blur, compression."""

from functools import cache, partial

import cv2
import numpy as np

from train import picture_effects as effects
from train.detector.canvas import Canvas, side_of, warp
from train.picture_effects import Rng


def degraded(canvas: Canvas, rng: Rng) -> Canvas:
    """Covers parts of faces, then colour, light, blur, noise and compression, each now and then;
    detail is never lost beyond what the smallest face bears.
    """
    image = canvas.image
    sides = np.array([side_of(box) for box in canvas.boxes[~canvas.ignored]])
    for box in canvas.boxes[~canvas.ignored]:
        if rng.random() < 0.12:
            _cover(image, box, rng)
    bearable = sides.min(initial=60.0)
    blurred = partial(effects.blur, most=min(2.5, bearable / 14))
    shrunk = partial(effects.low_resolution, most=min(4.0, bearable / 9))
    chances: list[tuple[float, effects.Effect]] = [
        (0.5, effects.colour),
        (0.2, effects.saturation),
        (0.1, effects.shadow),
        (0.1, _low_light),
        (0.12, blurred),
        (0.15 if bearable > 14 else 0.0, shrunk),
        (0.08, effects.noise),
        (0.15, effects.compression),
    ]
    image = effects.applied(chances, image, rng)
    return Canvas(image, canvas.boxes, canvas.points, canvas.ignored)


def blend(image: np.ndarray, picture: np.ndarray, matrix: np.ndarray, rng: Rng) -> None:
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
    view = warp(picture, local, high - low, cv2.BORDER_REPLICATE, (0, 0, 0))
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
