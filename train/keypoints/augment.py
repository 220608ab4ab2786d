"""Augmentation for the keypoint CNN: random views of a labelled face.

Geometry mimics a detector's imprecise boxes and the refinement's precise ones; the rest
mimics cameras, networks and hands in front of faces.
"""

from dataclasses import replace

import cv2
import numpy as np

from facial_keypoints.landmarks.crops import Crops, crop_matrices, crops_from_points, cut, to_crop
from facial_keypoints.landmarks.markup import FLIP
from train import picture_effects as effects
from train.picture_effects import Effect, Rng


def random_view(
    image: np.ndarray, points: np.ndarray, size: int, rng: Rng, strength: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """A random crop around the face, with its points.

    Args:
        image: (H, W, 3) uint8 RGB. points: (68, 2) float, its pixels.
        size: side of the crop in pixels.
        strength: the jitter's width and the effects' chances are multiplied by it, 0..1.

    Returns:
        (size, size, 3) uint8 RGB, and (68, 2) float32 in crop coordinates (-0.5 to 0.5).
    """
    crops = jitter(crops_from_points(points[None], upright=rng.random() < 0.6), rng, strength)
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
    return degrade(np.ascontiguousarray(view), rng, strength), labels.astype(np.float32)


def jitter(crops: Crops, rng: Rng, strength: float = 1.0) -> Crops:
    """Moves, scales and turns crops as imprecise boxes would; `strength` of 1 is the widest."""
    n = len(crops)
    wild = rng.random() < 0.15
    return Crops(
        crops.centre + rng.normal(0, 0.05 * strength, (n, 2)) * crops.side[:, None],
        crops.side * np.exp(rng.normal(0.02, 0.09 * strength, n)),
        crops.angle + rng.normal(0, (30 if wild else 9) * strength, n),
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


def degrade(view: np.ndarray, rng: Rng, strength: float = 1.0) -> np.ndarray:
    """Colour, blur, low resolution, noise, compression and occlusion, each now and then."""
    return effects.applied([(strength * chance, one) for chance, one in _EFFECTS], view, rng)


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


_EFFECTS: tuple[tuple[float, Effect], ...] = (
    (0.30, _occlusion),
    (0.70, effects.colour),
    (0.30, effects.saturation),
    (0.20, effects.shadow),
    (0.20, effects.blur),
    (0.20, effects.low_resolution),
    (0.15, effects.video_frame),
    (0.15, effects.noise),
    (0.15, effects.compression),
)
