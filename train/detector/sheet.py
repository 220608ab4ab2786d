"""Contact sheets for the detector: canvases with their targets, and the worst held-out photos."""

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from facial_keypoints.detection.cnn import CnnDetector
from facial_keypoints.detection.detectors import Detection
from facial_keypoints.detection.network import DetectorNet
from train.detector.batches import RandomCanvases
from train.detector.canvas import Canvas
from train.detector.data import Scene
from train.detector.dataset import PhotoStore
from train.detector.metrics import match_scene
from train.faces.pictures import write_picture

_LEARNT, _IGNORED, _FOUND = (90, 255, 90), (255, 190, 60), (255, 60, 60)  # RGB
_CELL = 320  # pixels


def write_canvases(
    canvases: RandomCanvases, path: Path, size: int, rows: int = 5, columns: int = 6
) -> None:
    """Writes a picture of random canvases: learnt faces green, ignored ones orange.

    Raises:
        OSError: the file can't be written.
    """
    drawn = [draw_canvas(canvases[0, number, size]) for number in range(rows * columns)]
    write_picture(path, _grid(drawn, columns))


def draw_canvas(canvas: Canvas) -> np.ndarray:
    """(S, S, 3) uint8 RGB: the canvas with its faces on it."""
    image = canvas.image.copy()
    for box, points, ignored in zip(canvas.boxes, canvas.points, canvas.ignored, strict=True):
        colour = _IGNORED if ignored else _LEARNT
        _draw_box(image, box, colour)
        for x, y in points[~np.isnan(points[:, 0])] if not ignored else ():
            cv2.circle(image, (round(float(x)), round(float(y))), 1, colour, -1)
    return image


def write_worst(
    network: DetectorNet,
    scenes: Sequence[Scene],
    store: PhotoStore,
    path: Path,
    rows: int = 5,
    columns: int = 6,
) -> None:
    """Writes a picture of the photos with the most misses and false boxes: the teacher's boxes
    green, its doubtful ones orange, the network's red with their scores.

    Raises:
        OSError: the file can't be written.
    """
    detector = CnnDetector(network)
    judged: list[tuple[float, int, list[Detection]]] = []
    for number, scene in enumerate(scenes):
        found = detector(store[number])
        matches = match_scene(found, scene, (16.0, math.inf))
        missed = matches.faces - int(matches.right.sum())
        wrong = float(matches.scores[~matches.right].sum())
        judged.append((missed + wrong, number, found))
    judged.sort(key=lambda item: -item[0])
    cells = [
        draw_photo(store[number], scenes[number], found)
        for _, number, found in judged[: rows * columns]
    ]
    write_picture(path, _grid(cells, columns))


def draw_photo(photo: np.ndarray, scene: Scene, found: Sequence[Detection]) -> np.ndarray:
    """(320, 320, 3) uint8 RGB: the photo, shrunk to fit, with its faces and the detections."""
    scale = _CELL / max(photo.shape[:2])
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    image = np.zeros((_CELL, _CELL, 3), np.uint8)
    image[: small.shape[0], : small.shape[1]] = small[:_CELL, :_CELL]
    for box, doubtful in zip(scene.boxes, scene.doubtful, strict=True):
        corners = np.concatenate([box[:2], box[:2] + box[2:]]) * scale
        _draw_box(image, corners, _IGNORED if doubtful else _LEARNT)
    for detection in found:
        box = detection.box
        corners = np.concatenate([box[:2], box[:2] + box[2:]]) * scale
        _draw_box(image, corners, _FOUND)
        at = (round(corners[0]), max(8, round(corners[1]) - 2))
        text = f"{detection.score:.2f}"
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.35, _FOUND, 1, cv2.LINE_AA)
    return image


def _draw_box(image: np.ndarray, box: np.ndarray, colour: tuple[int, int, int]) -> None:
    """Draws a box left, top, right, bottom, in place."""
    left, top, right, bottom = (round(float(edge)) for edge in box)
    cv2.rectangle(image, (left, top), (right, bottom), colour, 1)


def _grid(cells: list[np.ndarray], columns: int) -> np.ndarray:
    empty = np.zeros_like(cells[0])
    cells = cells + [empty] * (-len(cells) % columns)
    rows = [np.concatenate(cells[i : i + columns], axis=1) for i in range(0, len(cells), columns)]
    return np.concatenate(rows)
