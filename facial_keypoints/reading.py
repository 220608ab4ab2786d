"""From a detector's boxes to keypoints: which crops of a face are read, and how often."""

from collections.abc import Sequence

import numpy as np

from facial_keypoints.detection.detectors import Detection
from facial_keypoints.landmarks.crops import (
    Crops,
    crops_from_boxes,
    crops_from_points,
    to_photo,
)
from facial_keypoints.landmarks.markup import NUM_FIVE
from facial_keypoints.landmarks.predictor import KeypointPredictor, Keypoints

#: How far a crop may be off, by the points read in it, before it is read again in better ones:
#: shares of the side, of the size (its logarithm), and degrees.
MOST_MOVED, MOST_RESIZED, MOST_TURNED = 0.1, 0.2, 10.0
#: Face score of a first reading under which there is no other one.
LEAST_SCORE = 0.1
#: How far the middle of a face that hangs upside down lies from that of the detector's box, towards
#: the chin, in shares of the crop's side: the median of validation faces.
HANGING = 0.175


def read_detections(
    predictor: KeypointPredictor, images: Sequence[np.ndarray], found: Sequence[Detection]
) -> Keypoints:
    """Keypoints of detections, each in its own photo; see `read_crops`."""
    return read_crops(predictor, images, crops_of(found), LEAST_SCORE)


def read_crops(
    predictor: KeypointPredictor, images: Sequence[np.ndarray], crops: Crops, least: float
) -> Keypoints:
    """Keypoints of crops, each in its own photo: the mean of what is read in the crop, and in the
    mirror image of the crop that those points ask for (two different crops err less alike). Where
    the first crop was far off, the better one is corrected likewise, and then read with its mirror
    image. What has less than that face score in the first reading is read no further.
    """
    keypoints = predictor.read(images, crops, mirror=False)
    faces, better = keypoints.score >= least, crops_from_points(keypoints.points)
    is_off = _are_off(crops, better)
    near, off = np.flatnonzero(faces & ~is_off), np.flatnonzero(faces & is_off)
    if len(near):
        other = predictor.read_mirrored([images[place] for place in near.tolist()], better[near])
        keypoints.put(near, keypoints[near].mean_with(other))
    if len(off):
        own = [images[place] for place in off.tolist()]
        keypoints.put(off, predictor(own, better[off], passes=2))
    return keypoints


def crops_of(found: Sequence[Detection]) -> Crops:
    """The crops of detections, turned by the eyes where there are points."""
    boxes = np.array([detection.box for detection in found]).reshape(-1, 4)
    level = np.zeros((NUM_FIVE, 2))
    five = [level if one.points is None else one.points for one in found]
    return crops_from_boxes(boxes, five=np.array(five).reshape(-1, NUM_FIVE, 2))


def upside_down(crops: Crops) -> Crops:
    """The crops as they are if each face is the other way up: a detector often sees a face that
    hangs upside down, and takes it for one that does not, which would lie a little higher."""
    crops = crops.turned(180)
    towards_chin = np.tile((0.0, HANGING), (len(crops), 1, 1))
    return Crops(to_photo(towards_chin, crops)[:, 0], crops.side, crops.angle)


def _are_off(crops: Crops, better: Crops) -> np.ndarray:
    """(N,) bool: by a tenth of the side, by a fifth in size, or by ten degrees."""
    moved = np.linalg.norm(crops.centre - better.centre, axis=1) > MOST_MOVED * better.side
    resized = np.abs(np.log(crops.side / better.side)) > MOST_RESIZED
    turned = np.abs((crops.angle - better.angle + 180) % 360 - 180) > MOST_TURNED
    return moved | resized | turned
