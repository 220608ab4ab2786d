"""From a detector's boxes to keypoints: which crops of a face are read, and how often."""

from collections.abc import Sequence

import numpy as np

from facial_keypoints.detection.detectors import Detection
from facial_keypoints.landmarks.crops import Crops, crops_from_boxes, crops_from_points
from facial_keypoints.landmarks.predictor import KeypointPredictor, Keypoints

#: How far a crop may be off before its face is read again: shares of the side, of the size (its
#: logarithm), and degrees.
MOST_MOVED, MOST_RESIZED, MOST_TURNED = 0.1, 0.2, 10.0


def read_detections(
    predictor: KeypointPredictor, images: Sequence[np.ndarray], found: Sequence[Detection]
) -> Keypoints:
    """Keypoints of detections, each in its own photo; all have points, or none counts.

    A detector that gives five points is precise: one reading does for most faces, and only those
    are read again whose points say that their crop was off.
    """
    boxes, five = _boxes_and_points(found)
    if five is None:
        return predictor(images, crops_from_boxes(boxes))
    crops = crops_from_boxes(boxes, five=five)
    keypoints = predictor(images, crops, passes=1)
    better = crops_from_points(keypoints.points)
    off = np.flatnonzero(_are_off(crops, better))
    if len(off):
        again = predictor([images[int(index)] for index in off], better[off], passes=1)
        _put(keypoints, off, again)
    return keypoints


def read_upside_down(
    predictor: KeypointPredictor, images: Sequence[np.ndarray], found: Sequence[Detection]
) -> Keypoints:
    """Keypoints of detections as if each face were the other way up than its detection says: a
    detector often sees a face that hangs upside down, and takes it for one that does not."""
    boxes, five = _boxes_and_points(found)
    crops = crops_from_boxes(boxes, five=five)
    return predictor(images, Crops(crops.centre, crops.side, crops.angle + 180), passes=2)


def _put(keypoints: Keypoints, places: np.ndarray, others: Keypoints) -> None:
    """Puts other keypoints, M of them, in the (M,) places, in place."""
    keypoints.points[places], keypoints.scale[places] = others.points, others.scale
    keypoints.score[places] = others.score


def _boxes_and_points(found: Sequence[Detection]) -> tuple[np.ndarray, np.ndarray | None]:
    """(N, 4) boxes, and (N, 5, 2) points where every detection has some."""
    boxes = np.array([detection.box for detection in found]).reshape(-1, 4)
    five = [detection.points for detection in found if detection.points is not None]
    return boxes, np.stack(five) if five and len(five) == len(found) else None


def _are_off(crops: Crops, better: Crops) -> np.ndarray:
    """(N,) bool: by a tenth of the side, by a fifth in size, or by ten degrees."""
    moved = np.linalg.norm(crops.centre - better.centre, axis=1) > MOST_MOVED * better.side
    resized = np.abs(np.log(crops.side / better.side)) > MOST_RESIZED
    turned = np.abs((crops.angle - better.angle + 180) % 360 - 180) > MOST_TURNED
    return moved | resized | turned
