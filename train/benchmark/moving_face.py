"""Synthetic videos of a face with known motion, made of the free astronaut photo.

The face is cut out of NASA's portrait of Eileen Collins (public domain, in scikit-image) and laid
over a plain background, so that its points in every frame are those at rest, moved with it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import skimage.data

FRAME_SIZE = (640, 480)  # width and height, pixels, of a webcam's frames
NOISE = 4.0  # standard deviation of 0..255: a laptop's webcam in a lit room

#: Of the photo: the middle of the face, about its size (as `face_size` counts), and the half
#: axes of the ellipse that is cut out, head and shoulders.
_CENTRE, _SIZE, _REACH = (224.0, 126.0), 70.0, (98, 118)


@dataclass(frozen=True)
class Place:
    """Position of a face in a frame.

    x, y: its middle, pixels. size: about the `face_size` of its points, pixels. roll: degrees,
    clockwise as the viewer sees it.
    """

    x: float
    y: float
    size: float = 100.0
    roll: float = 0.0

    def matrix(self) -> np.ndarray:
        """(2, 3) float64: pixels of the photo to pixels of the frame."""
        scale, angle = self.size / _SIZE, np.radians(self.roll)
        linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return np.column_stack([linear, np.array([self.x, self.y]) - linear @ _CENTRE])


def render(places: Sequence[Place], mirrored: Sequence[bool] = ()) -> np.ndarray:
    """(480, 640, 3) uint8 RGB: faces in these places, later ones in front.

    Args:
        mirrored: for each place whether the photo is mirrored, so that two faces differ.
    """
    frame = _background().copy()
    for index, place in enumerate(places):
        photo, alpha = _cut_out(index < len(mirrored) and mirrored[index])
        matrix = place.matrix()
        flags = cv2.INTER_AREA if place.size < _SIZE else cv2.INTER_CUBIC
        colour = cv2.warpAffine(photo, matrix, FRAME_SIZE, flags=flags)
        share = cv2.warpAffine(alpha, matrix, FRAME_SIZE)[:, :, None]
        frame += (share * (colour.astype(np.float32) - frame)).astype(np.float32)
    return np.clip(np.rint(frame), 0, 255).astype(np.uint8)


def with_noise(frame: np.ndarray, rng: np.random.Generator, sigma: float = NOISE) -> np.ndarray:
    """The (H, W, 3) uint8 frame as a camera sees it: Gaussian noise, its own in every pixel."""
    noise = rng.standard_normal(frame.shape, np.float32)
    return np.clip(np.rint(frame + sigma * noise), 0, 255).astype(np.uint8)


def moved(points: np.ndarray, start: Place, end: Place) -> np.ndarray:
    """(68, 2) float64: the points that a face has in `end` if it has `points` in `start`."""
    at_rest = (points - start.matrix()[:, 2]) @ np.linalg.inv(start.matrix()[:, :2]).T
    return at_rest @ end.matrix()[:, :2].T + end.matrix()[:, 2]


@dataclass(frozen=True)
class Film:
    """Frames of one moving face, rendered as they are asked for.

    path: time in ms -> place.
    """

    path: Callable[[float], Place]
    seed: int = 0
    noise: float = NOISE

    def frame(self, time_ms: float) -> np.ndarray:
        """(480, 640, 3) uint8 RGB at that time; the same at every call."""
        rng = np.random.default_rng([self.seed, round(1000 * time_ms)])
        return with_noise(render([self.path(time_ms)]), rng, self.noise)


@cache
def _background() -> np.ndarray:
    """(480, 640, 3) float32: a wall, lighter towards a window."""
    width, height = FRAME_SIZE
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return np.stack([110 + 70 * x, 115 + 60 * x - 20 * y, 120 + 40 * x - 30 * y], -1).astype(
        np.float32
    )


@cache
def _cut_out(mirrored: bool) -> tuple[np.ndarray, np.ndarray]:
    """The photo, (512, 512, 3) uint8 RGB, and how much of each pixel is used, float32 0..1."""
    photo = skimage.data.astronaut()
    alpha = np.zeros(photo.shape[:2], np.float32)
    centre = (round(_CENTRE[0]), round(_CENTRE[1]))
    if mirrored:  # about the middle of the face, so that `Place` means the same
        turn = np.array([[-1.0, 0.0, 2 * _CENTRE[0]], [0.0, 1.0, 0.0]])
        photo = cv2.warpAffine(photo, turn, photo.shape[1::-1])
    cv2.ellipse(alpha, centre, _REACH, 0, 0, 360, 1.0, cv2.FILLED)
    return photo, cv2.GaussianBlur(alpha, (0, 0), 4)
