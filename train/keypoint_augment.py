"""Random views of a labelled face: what the keypoint CNN trains on.

Geometry mimics a detector's imprecise boxes and the refinement's precise ones; the rest
mimics cameras, networks and hands in front of faces.
"""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from facial_keypoints.crops import Crops, crop_matrices, crops_from_points, cut, to_crop
from facial_keypoints.markup import FLIP

Rng = np.random.Generator


def random_view(
    image: np.ndarray, points: np.ndarray, size: int, rng: Rng
) -> tuple[np.ndarray, np.ndarray]:
    """A random crop around the face, with its points.

    Args:
        image: (H, W, 3) uint8 RGB. points: (68, 2) float, its pixels.
        size: side of the crop in pixels.

    Returns:
        (size, size, 3) uint8 RGB, and (68, 2) float32 in crop coordinates (-0.5 to 0.5).
    """
    crops = jitter(crops_from_points(points[None], upright=rng.random() < 0.6), rng)
    stretch = np.exp(rng.normal(0, 0.04))  # faces differ in shape more than the data shows
    matrix = crop_matrices(crops, size)[0]
    matrix[0] *= stretch
    matrix[0, 2] += (size - 1) / 2 * (1 - stretch)
    border = cv2.BORDER_CONSTANT if rng.random() < 0.5 else cv2.BORDER_REFLECT_101
    view = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=border)
    labels = to_crop(points[None], crops)[0]
    labels[:, 0] *= stretch
    if rng.random() < 0.5:
        view = view[:, ::-1]
        labels = labels[FLIP] * (-1, 1)
    return degrade(np.ascontiguousarray(view), rng), labels.astype(np.float32)


def jitter(crops: Crops, rng: Rng) -> Crops:
    """Moves, scales and turns crops as imprecise boxes would."""
    n = len(crops)
    wild = rng.random() < 0.15
    return Crops(
        crops.centre + rng.normal(0, 0.05, (n, 2)) * crops.side[:, None],
        crops.side * np.exp(rng.normal(0.02, 0.09, n)),
        crops.angle + rng.normal(0, 30 if wild else 9, n),
    )


def random_non_face(image: np.ndarray, size: int, rng: Rng) -> np.ndarray:
    """A random square of a photo without faces, as (size, size, 3) uint8 RGB."""
    height, width = image.shape[:2]
    side = min(height, width) * np.exp(rng.uniform(np.log(0.12), np.log(0.9)))
    centre = rng.uniform((side / 2, side / 2), (width - side / 2, height - side / 2))
    crops = Crops(centre[None], np.array([side]), rng.normal(0, 15, 1))
    return degrade(cut(image, crops, size)[0], rng)


def random_false_alarm(alarm: np.ndarray, size: int, rng: Rng) -> np.ndarray:
    """A (size, size, 3) uint8 RGB view of what a detector took for a face.

    alarm: (S, S, 3) uint8 RGB, `ALARM_SCALE` times its landmark box.
    """
    side = alarm.shape[0]
    crops = Crops(np.full((1, 2), (side - 1) / 2), np.array([side * 0.75]), np.zeros(1))
    view = cut(alarm, jitter(crops, rng), size)[0]
    return degrade(view[:, ::-1].copy() if rng.random() < 0.5 else view, rng)


def random_misplaced(image: np.ndarray, points: np.ndarray, size: int, rng: Rng) -> np.ndarray:
    """A crop that a detector or tracker should not have made of this face: far too small or
    beside it; (size, size, 3) uint8 RGB.
    """
    crops = crops_from_points(points[None], upright=False)
    if rng.random() < 0.5:
        crops = replace(crops, side=crops.side * rng.uniform(0.2, 0.4))
    angle = rng.uniform(0, 2 * np.pi)
    away = rng.uniform(0.65, 0.9) * crops.side[0] if crops.side[0] > 60 else 0.3 * crops.side[0]
    centre = crops.centre + away * np.array([[np.cos(angle), np.sin(angle)]])
    return degrade(cut(image, replace(crops, centre=centre), size)[0], rng)


def degrade(view: np.ndarray, rng: Rng) -> np.ndarray:
    """Colour, blur, low resolution, noise, compression and occlusion, each now and then."""
    for chance, effect in _EFFECTS:
        if rng.random() < chance:
            view = effect(view, rng)
    return view


def _colour(view: np.ndarray, rng: Rng) -> np.ndarray:
    """Gamma, contrast, brightness and white balance, through one look-up table."""
    ramp = np.linspace(0, 1, 256)[:, None] ** np.exp(rng.normal(0, 0.25))
    ramp = (ramp - 0.5) * np.exp(rng.normal(0, 0.2)) + 0.5 + rng.normal(0, 0.08)
    table = ramp * np.exp(rng.normal(0, 0.07, (1, 3))) * 255
    return cv2.LUT(view, np.clip(table, 0, 255).astype(np.uint8)[None])


def _saturation(view: np.ndarray, rng: Rng) -> np.ndarray:
    grey = cv2.cvtColor(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    keep = 0.0 if rng.random() < 0.35 else rng.uniform(0.2, 1.6)
    return cv2.addWeighted(view, keep, grey, 1 - keep, 0)


def _shadow(view: np.ndarray, rng: Rng) -> np.ndarray:
    """Light from one side."""
    size = view.shape[0]
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.8)
    slope = np.cos(angle) * axis[None] + np.sin(angle) * axis[:, None]
    gain = 1 + strength * np.clip(slope * rng.uniform(0.7, 3), -1, 0.4)
    return np.clip(view * gain[:, :, None], 0, 255).astype(np.uint8)


def _blur(view: np.ndarray, rng: Rng) -> np.ndarray:
    if rng.random() < 0.6:
        return cv2.GaussianBlur(view, (0, 0), rng.uniform(0.4, 2.2))
    length = int(rng.integers(3, 10))  # motion
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1 / length
    turn = cv2.getRotationMatrix2D(((length - 1) / 2,) * 2, rng.uniform(0, 180), 1)
    turned = cv2.warpAffine(kernel, turn, (length, length))
    return cv2.filter2D(view, -1, turned / max(turned.sum(), 1e-6))


def _low_resolution(view: np.ndarray, rng: Rng) -> np.ndarray:
    size = view.shape[0]
    small = int(size / rng.uniform(1.5, 5))
    shrunk = cv2.resize(view, (small, small), interpolation=cv2.INTER_AREA)
    grow = cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_LINEAR
    return cv2.resize(shrunk, (size, size), interpolation=grow)


def _noise(view: np.ndarray, rng: Rng) -> np.ndarray:
    noise = rng.standard_normal(view.shape, np.float32) * rng.uniform(2, 16)
    return np.clip(view + noise, 0, 255).astype(np.uint8)


def _compression(view: np.ndarray, rng: Rng) -> np.ndarray:
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 70))]
    decoded = cv2.imdecode(cv2.imencode(".jpg", view, quality)[1], cv2.IMREAD_COLOR)
    assert decoded is not None  # it was encoded a line ago
    return decoded


def _occlusion(view: np.ndarray, rng: Rng) -> np.ndarray:
    """A turned rectangle or an ellipse of one colour, or of another place in the picture."""
    size = view.shape[0]
    mask = np.zeros((size, size), np.uint8)
    centre = rng.uniform(0, size, 2)
    axes = size * rng.uniform(0.06, 0.28, 2)
    angle = rng.uniform(0, 180)
    if rng.random() < 0.5:
        cv2.ellipse(mask, (centre.tolist(), (axes * 2).tolist(), angle), 255, -1)
    else:
        box = cv2.boxPoints((centre.tolist(), (axes * 2).tolist(), angle))
        cv2.fillConvexPoly(mask, box.astype(np.int32), 255)
    if rng.random() < 0.5:
        cover = np.full_like(view, rng.integers(0, 256, 3, dtype=np.uint8))
    else:
        cover = np.roll(view, tuple(rng.integers(size // 4, size, 2)), axis=(0, 1))
    return np.where(mask[:, :, None] > 0, cover, view)


_EFFECTS: tuple[tuple[float, Callable[[np.ndarray, Rng], np.ndarray]], ...] = (
    (0.30, _occlusion),
    (0.70, _colour),
    (0.30, _saturation),
    (0.20, _shadow),
    (0.20, _blur),
    (0.25, _low_resolution),
    (0.15, _noise),
    (0.15, _compression),
)
