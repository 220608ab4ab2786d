"""Aligned face crops: each face upright, in the middle, of one size, as face models want them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facial_keypoints.face import Face
from facial_keypoints.landmarks.crops import crop_matrices, crops_from_points, cut

SIZE, MARGIN = 256, 0.35
LARGEST = 4096  # pixels of a side


@dataclass(frozen=True)
class AlignedCrop:
    """One face cut out.

    pixels: (size, size, 3) uint8 RGB, the line of the eyes level; black over the photo's border.
    matrix: (2, 3) float64, pixels of the photo to pixels of the crop: `matrix @ [x, y, 1]`.
    """

    pixels: np.ndarray
    matrix: np.ndarray


def aligned_crops(
    image: np.ndarray, faces: Sequence[Face], size: int = SIZE, margin: float = MARGIN
) -> list[AlignedCrop]:
    """The faces of a photo, each cut out.

    Args:
        image: (H, W, 3) uint8 RGB.
        size: side of a crop in pixels.
        margin: on each side, of the longer side of the box around the points.
    """
    if not faces:
        return []
    crops = crops_from_points(np.stack([face.points for face in faces]), scale=1 + 2 * margin)
    pairs = zip(cut(image, crops, size), crop_matrices(crops, size), strict=True)
    return [AlignedCrop(pixels, matrix) for pixels, matrix in pairs]
