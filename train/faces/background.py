"""Hides the stretched background of faces that a program has turned."""

import cv2
import numpy as np

from train.picture_effects import Rng


def hide_background(
    image: np.ndarray,
    points: np.ndarray,
    other: np.ndarray | None,
    rng: Rng,
    chance: float = 0.75,
) -> np.ndarray:
    """The picture of a face turned by a program, usually with its stretched background behind
    another photo, one colour, or a strong blur.

    Args:
        image: (H, W, 3) uint8 RGB. points: (68, 2) float, its pixels.
        other: (h, w, 3) uint8 RGB to show behind, or None.
        chance: that it is hidden.
    """
    if rng.random() < 1 - chance:
        return image
    height, width = image.shape[:2]
    # Foreheads reach about as far over the brows as the nose's tip lies under them.
    forehead = points[17:27] - 0.9 * (points[30] - points[17:27].mean(axis=0))
    hull = cv2.convexHull(np.concatenate([points, forehead]).astype(np.float32))
    outside = np.full((height, width), 255, np.uint8)
    cv2.fillConvexPoly(outside, np.round(hull).astype(np.int32), 0)
    size = float(np.ptp(points, axis=0).max())
    grow, soft = size * rng.uniform(0.02, 0.2), size * rng.uniform(0.01, 0.1) + 1
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, 3)
    share = np.clip((grow + soft - distance) / soft, 0, 1)[:, :, None]
    kind = rng.random()
    if other is not None and kind < 0.6:
        behind = cv2.resize(other, (width, height), interpolation=cv2.INTER_AREA)
    elif kind < 0.8:
        behind = np.full_like(image, rng.integers(0, 256, 3, dtype=np.uint8))
    else:
        cells = int(rng.integers(3, 10))
        behind = cv2.resize(image, (cells, cells), interpolation=cv2.INTER_AREA)
        behind = cv2.resize(behind, (width, height), interpolation=cv2.INTER_LINEAR)
    return (image * share + behind * (1 - share) + 0.5).astype(np.uint8)
