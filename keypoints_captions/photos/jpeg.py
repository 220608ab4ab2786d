"""JPEG encoding, and decoding of what is in good order."""

import cv2
import numpy as np

#: OpenCV has names for them with grey or with BGR; this is the part that tells the size.
_FRACTIONS = {
    1: 0,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}


def encode_jpeg(image: np.ndarray, quality: int = 90) -> bytes:
    """(H, W, 3) uint8 RGB to a JPEG file, with no metadata but the size.

    Raises:
        ValueError: a side is longer than JPEG's 65535 pixels.
    """
    if max(image.shape[:2]) > 65535:
        raise ValueError("A JPEG holds at most 65535 pixels a side.")
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def decode_jpeg(data: bytes, shrink: int = 1) -> np.ndarray | None:
    """A JPEG file's pixels as they are stored, (H, W, 3) uint8 RGB; None where that fails.

    They are those of Pillow, whose decoder is the same one, in two thirds of the time and without
    its copy of them. But damage is not told: what is missing becomes grey.

    shrink: 1, 2, 4 or 8; the picture is decoded at this fraction of its size, rounded up.
    """
    flags = _FRACTIONS[shrink] | cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None


def shrunk(image: np.ndarray, max_side: int) -> np.ndarray:
    """(H, W, 3) uint8, shrunk so that the longer side is at most so many pixels."""
    shrink = max(image.shape[:2]) / max_side
    if shrink <= 1:
        return image
    size = [max(1, round(side / shrink)) for side in image.shape[1::-1]]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
