"""Draws known points, and writes sheets of faces."""

from pathlib import Path

import cv2
import numpy as np


def draw_points(view: np.ndarray, points: np.ndarray, colour: tuple = (90, 255, 90)) -> np.ndarray:
    """A copy of the (S, S, 3) uint8 RGB crop with (68, 2) points in crop coordinates on it."""
    view = view.copy()
    for x, y in (points + 0.5) * view.shape[0] - 0.5:
        centre = (round(float(x) * 16), round(float(y) * 16))
        cv2.circle(view, centre, 24, colour, -1, cv2.LINE_AA, shift=4)
    return view


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Writes (H, W, 3) uint8 RGB to a PNG, JPEG or WebP file.

    Raises:
        OSError: the file can't be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # OpenCV's own WebP is lossless and five times as large.
    quality = [cv2.IMWRITE_WEBP_QUALITY, 85] if path.suffix == ".webp" else []
    if not cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), quality):
        raise OSError(f"could not write a picture to {path}")
