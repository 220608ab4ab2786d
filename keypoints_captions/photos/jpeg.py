"""JPEG encoding."""

import cv2
import numpy as np


def encode_jpeg(image: np.ndarray, quality: int = 90) -> bytes:
    """(H, W, 3) uint8 RGB to a JPEG file, with no metadata but the size.

    Raises:
        ValueError: a side is longer than JPEG's 65535 pixels.
    """
    if max(image.shape[:2]) > 65535:
        raise ValueError("A JPEG holds at most 65535 pixels a side.")
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def shrunk(image: np.ndarray, max_side: int) -> np.ndarray:
    """(H, W, 3) uint8, shrunk so that the longer side is at most so many pixels."""
    shrink = max(image.shape[:2]) / max_side
    if shrink <= 1:
        return image
    size = [max(1, round(side / shrink)) for side in image.shape[1::-1]]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
