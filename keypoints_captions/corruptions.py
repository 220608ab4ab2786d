"""Photos made hard to read, to show openly where the models fail: the validation photos, on which
it was measured, may not be handed on."""

import cv2
import numpy as np

_DARKNESS, _NOISE = 0.1, 3.0  # share of the light that is left; standard deviation, grey levels


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """Out of focus.

    Args:
        image: (H, W, 3) uint8.
        sigma: standard deviation of the Gaussian in pixels.
    """
    return cv2.GaussianBlur(image, (0, 0), sigma)


def dark(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 as a small sensor sees it at night: a tenth of the light, and noise, the
    same every time."""
    noise = np.random.default_rng(0).normal(0, _NOISE, image.shape)
    return np.clip(image * _DARKNESS + noise, 0, 255).astype(np.uint8)


def coarse(image: np.ndarray, factor: float) -> np.ndarray:
    """(H, W, 3) uint8 with so many times fewer pixels each way, enlarged again."""
    height, width = image.shape[:2]
    size = max(1, round(width / factor)), max(1, round(height / factor))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
