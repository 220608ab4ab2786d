"""Detectors side by side on one photo."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from facial_keypoints.drawing.faces import RGB
from facial_keypoints.pipeline import FacialKeypoints

#: Detector -> RGB, from the palette of Okabe and Ito (see `drawing`).
DETECTOR_COLOURS: dict[str, RGB] = {"cnn": (86, 180, 233), "haar": (230, 159, 0)}


@dataclass(frozen=True)
class Look:
    """One detector's result on a photo.

    boxes: (N, 4) float64, x, y, width, height in pixels of the photo.
    is_face: (N,) bool, what the keypoint CNN made of the boxes.
    seconds: of the detector alone, in the second of two looks: the first is slower.
    """

    detector: str
    boxes: np.ndarray
    is_face: np.ndarray
    seconds: float


def look(find_faces: FacialKeypoints, image: np.ndarray) -> Look:
    """Lets the pipeline's detector look at an (H, W, 3) uint8 RGB photo."""
    find_faces.detector(image)
    start = time.perf_counter()
    found = find_faces.detector(image)
    seconds = time.perf_counter() - start
    boxes = np.array([detection.box for detection in found], np.float64).reshape(-1, 4)
    scores = np.array([face.score for face in find_faces.predict(image, boxes)])
    is_face = scores >= find_faces.least_scores(found)
    return Look(find_faces.detector.name, boxes, is_face, seconds)


def draw_looks(image: np.ndarray, looks: Sequence[Look], scale: float = 1.0) -> np.ndarray:
    """A copy of the picture with each detector's boxes in its colour; boxes that the keypoint CNN
    takes for no face are thin.

    Args:
        image: (h, w, 3) uint8 RGB. scale: its pixels for a pixel of the photo.
    """
    result = np.ascontiguousarray(image).copy()
    thick = max(2, round(max(image.shape[:2]) / 250))
    for look in looks:
        for (x, y, width, height), is_face in zip(look.boxes, look.is_face, strict=True):
            corners = np.array([x, y, x + width, y + height])
            left, top, right, bottom = ((corners + 0.5) * scale - 0.5).round().astype(int).tolist()
            colour = DETECTOR_COLOURS.get(look.detector, (255, 255, 255))
            line = thick if is_face else 1
            cv2.rectangle(result, (left, top), (right, bottom), (0, 0, 0), line + 2)
            cv2.rectangle(result, (left, top), (right, bottom), colour, line)
    return result
