"""Square face crops for the CNN, and the way of points between crop and photo.

Training, evaluation and the pipeline all cut faces here, so that they cannot drift apart.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from facial_keypoints.landmarks.markup import PARTS

#: Side of the crop over the longer side of the landmarks' (roll-aligned) bounding box.
#: Leaves a margin of 17 % of the landmark box on each side, for imprecise boxes.
CROP_SCALE = 1.35

_LONGEST_WARPED = 32_766  # pixels of a side; OpenCV warps nothing longer


@dataclass(frozen=True)
class Crops:
    """N square regions of a photo, in its pixels.

    centre: (N, 2) float64, x and y. side: (N,) float64, pixels. angle: (N,) float64, degrees;
    a head tilted clockwise (as the viewer sees it) by `angle` stands upright in the crop.
    """

    centre: np.ndarray
    side: np.ndarray
    angle: np.ndarray

    def __len__(self) -> int:
        return len(self.side)

    def __getitem__(self, index: int | np.ndarray) -> "Crops":
        """One of the crops, as a batch of one; or those of an (M,) array of indices."""
        part = np.atleast_1d(index)
        return Crops(self.centre[part], self.side[part], self.angle[part])

    def turned(self, degrees: float) -> "Crops":
        """The same ones, turned clockwise: what is upright in them leans to the left then."""
        return Crops(self.centre, self.side, self.angle + degrees)


def crops_from_points(points: np.ndarray, upright: bool = True, scale: float = CROP_SCALE) -> Crops:
    """The crops that hold these faces.

    Args:
        points: (N, 68, 2) float, pixels of the photo.
        upright: turn the crop with the eyes' line; otherwise angle 0.
        scale: crop side over the longer side of the landmark box.
    """
    points = np.asarray(points, dtype=np.float64)
    angle = np.zeros(len(points))
    if upright:
        eyes = [points[:, list(PARTS[eye])].mean(axis=1) for eye in ("right_eye", "left_eye")]
        across = eyes[1] - eyes[0]
        angle = np.degrees(np.arctan2(across[:, 1], across[:, 0]))
    turned = np.einsum("nij,npj->npi", _rotation(-angle), points)
    low, high = turned.min(axis=1), turned.max(axis=1)
    centre = np.einsum("nij,nj->ni", _rotation(angle), (low + high) / 2)
    return Crops(centre, np.maximum((high - low).max(axis=1), 1.0) * scale, angle)


def crops_from_boxes(
    boxes: np.ndarray, scale: float = CROP_SCALE, five: np.ndarray | None = None
) -> Crops:
    """The crops around landmark boxes.

    Args:
        boxes: (N, 4) float, x, y, width, height in pixels of the photo, as tight around the
            68 points as the detector can tell.
        five: (N, 5, 2) float, a detector's five points, by whose eyes the crops are turned;
            otherwise angle 0.
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    side = np.maximum(boxes[:, 2:].max(axis=1), 1.0) * scale
    angle = np.zeros(len(boxes))
    if five is not None:
        across = five[:, 1] - five[:, 0]
        angle = np.degrees(np.arctan2(across[:, 1], across[:, 0]))
    return Crops(boxes[:, :2] + (boxes[:, 2:] - 1) / 2, side, angle)


def cut(image: np.ndarray, crops: Crops, size: int) -> np.ndarray:
    """Cuts the crops out; what lies over the photo's border is black.

    Args:
        image: (H, W, 3) uint8 RGB.
        size: side of the result in pixels.

    Returns:
        (N, size, size, 3) uint8 RGB.
    """
    result = np.zeros((len(crops), size, size, 3), np.uint8)
    for index, matrix in enumerate(crop_matrices(crops, size)):
        result[index] = _warp(image, matrix, size, crops.side[index] / size)
    return result


def crop_matrices(crops: Crops, size: int) -> np.ndarray:
    """(N, 2, 3) float64: pixels of the photo to pixels of crops of `size` × `size` pixels."""
    linear = _rotation(-crops.angle) * (size / crops.side)[:, None, None]
    shift = (size - 1) / 2 - np.einsum("nij,nj->ni", linear, crops.centre)
    return np.concatenate([linear, shift[:, :, None]], axis=2)


def to_crop(points: np.ndarray, crops: Crops) -> np.ndarray:
    """Photo pixels to crop coordinates: (N, P, 2) where the crop spans -0.5 to 0.5 on each axis."""
    turned = np.einsum("nij,npj->npi", _rotation(-crops.angle), points - crops.centre[:, None])
    return turned / crops.side[:, None, None]


def to_photo(points: np.ndarray, crops: Crops) -> np.ndarray:
    """The inverse of `to_crop`: (N, P, 2) crop coordinates to pixels of the photo."""
    turned = np.einsum("nij,npj->npi", _rotation(crops.angle), np.asarray(points, np.float64))
    return turned * crops.side[:, None, None] + crops.centre[:, None]


def _rotation(degrees: np.ndarray) -> np.ndarray:
    """(N, 2, 2) matrices that turn clockwise as the viewer sees it (y points down)."""
    radians = np.radians(degrees)
    cos, sin = np.cos(radians), np.sin(radians)
    return np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)


def _warp(image: np.ndarray, matrix: np.ndarray, size: int, shrink: float) -> np.ndarray:
    """Warps by `matrix`; a crop over twice the size is first shrunk by area, against aliasing."""
    factor = max(1, int(shrink))
    if factor >= 2 or max(image.shape[:2]) > _LONGEST_WARPED:
        corners = np.array([[0, 0], [size, 0], [0, size], [size, size]]) - 0.5
        reach = (corners - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
        height, width = image.shape[:2]
        low = np.clip(np.floor(reach.min(axis=0)).astype(int) - factor, 0, (width, height))
        high = np.clip(np.ceil(reach.max(axis=0)).astype(int) + factor, 0, (width, height))
        small = (high - low) // factor
        if small.min() < 1:
            return np.zeros((size, size, 3), np.uint8)
        high = low + small * factor
        image = cv2.resize(
            image[low[1] : high[1], low[0] : high[0]], small.tolist(), interpolation=cv2.INTER_AREA
        )
        # A pixel centre at s in the small picture is at s * factor + (factor - 1) / 2 + low.
        offset = matrix[:, :2] @ (low + (factor - 1) / 2) + matrix[:, 2]
        matrix = np.concatenate([matrix[:, :2] * factor, offset[:, None]], axis=1)
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR)
