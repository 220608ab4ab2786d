"""From a detector's boxes to keypoints: which crops of a face are read, and how often."""

from collections.abc import Sequence

import numpy as np

from facial_keypoints.detection.detectors import Detection
from facial_keypoints.landmarks.crops import Crops, crops_from_boxes, crops_from_points
from facial_keypoints.landmarks.markup import NUM_FIVE
from facial_keypoints.landmarks.predictor import KeypointPredictor, Keypoints

#: How far a crop may be off before its face is read again: shares of the side, of the size (its
#: logarithm), and degrees.
MOST_MOVED, MOST_RESIZED, MOST_TURNED = 0.1, 0.2, 10.0
#: Face score of a first reading under which there is no second one.
LEAST_SCORE = 0.1


def read_detections(
    predictor: KeypointPredictor, images: Sequence[np.ndarray], found: Sequence[Detection]
) -> Keypoints:
    """Keypoints of detections, each in its own photo.

    A detector that gives five points is precise. Its crop is read as it is, and the mirror image of
    the one that the points then ask for: two crops err less alike than one and its mirror image.
    Where the detector's was off, or the detector is a rough one, both are read in the better crop.
    """
    rough = np.array([detection.points is None for detection in found], bool)
    return _read_twice(predictor, images, crops_of(found), rough, LEAST_SCORE)


def read_doubtful(
    predictor: KeypointPredictor, images: Sequence[np.ndarray], crops: Crops, least: float
) -> Keypoints:
    """Keypoints of crops that are rarely faces: one quick reading; those of at least that face
    score are read well around the points of the first."""
    return _read_twice(predictor, images, crops, np.ones(len(crops), bool), least)


def crops_of(found: Sequence[Detection]) -> Crops:
    """The crops of detections, turned by the eyes where there are points."""
    boxes = np.array([detection.box for detection in found]).reshape(-1, 4)
    level = np.zeros((NUM_FIVE, 2))
    five = [level if one.points is None else one.points for one in found]
    return crops_from_boxes(boxes, five=np.array(five).reshape(-1, NUM_FIVE, 2))


def upside_down(crops: Crops) -> Crops:
    """The same crops as if each face were the other way up: a detector often sees a face that
    hangs upside down, and takes it for one that does not."""
    return Crops(crops.centre, crops.side, crops.angle + 180)


def _read_twice(
    predictor: KeypointPredictor,
    images: Sequence[np.ndarray],
    crops: Crops,
    rough: np.ndarray,
    least: float,
) -> Keypoints:
    """Keypoints of crops, the rough ones of them an (N,) bool array; only those of at least that
    face score have a second reading."""
    keypoints = predictor.read(images, crops, mirror=False)
    better = crops_from_points(keypoints.points)
    off = rough | _are_off(crops, better)
    faces = keypoints.score >= least
    for is_off in (True, False):
        places = np.flatnonzero(faces & (off == is_off))
        if len(places):
            own = [images[int(place)] for place in places]
            if is_off:
                again = predictor.read(own, better[places], mirror=True)
            else:
                again = keypoints[places].mean_with(predictor.read_mirrored(own, better[places]))
            keypoints.put(places, again)
    return keypoints


def _are_off(crops: Crops, better: Crops) -> np.ndarray:
    """(N,) bool: by a tenth of the side, by a fifth in size, or by ten degrees."""
    moved = np.linalg.norm(crops.centre - better.centre, axis=1) > MOST_MOVED * better.side
    resized = np.abs(np.log(crops.side / better.side)) > MOST_RESIZED
    turned = np.abs((crops.angle - better.angle + 180) % 360 - 180) > MOST_TURNED
    return moved | resized | turned
