"""How a photo is looked at: where the detector saw faces or signs of them, and which of those are.

Most photos need one look. Weak signs beside the faces found, photos that show none, and faces that
are not sure are looked at again, some of them turned.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from facial_keypoints.detection.agreement import AGREEMENT, AGREEMENT_BESIDE, least_face_score
from facial_keypoints.detection.detectors import (
    BatchDetector,
    Detection,
    Detector,
    EagerDetector,
    strongest,
)
from facial_keypoints.face import Face
from facial_keypoints.geometry.boxes import inside, landmark_box
from facial_keypoints.geometry.pose import estimate_pose
from facial_keypoints.landmarks.predictor import KeypointPredictor, Keypoints
from facial_keypoints.reading import (
    crops_of,
    read_crops,
    read_detections,
    upside_down,
)

#: Face score under which a detection is no face. Chosen on the validation faces and photos.
MIN_SCORE = 0.5
#: Face score under which a detection in the photo turned by a quarter is no face, where the photo
#: shows none upright: most photos without faces must stay without.
MIN_SCORE_TURNED = 0.98
#: Face score of a quick reading from which a doubtful face is read well: 97 % of those that then
#: are one have more.
MIN_SCORE_FIRST = 0.5
#: Share of the smaller of two boxes in the other from which a weak detection is none beside a face,
#: and its least area in shares of the largest face's: a patch of skin is smaller.
BESIDE, LEAST_BESIDE = 0.65, 0.36
#: Face score of a reading from which what is not sure is read upside down too: of faces that hang
#: upside down 98 % have more, of what is none half.
MIN_SCORE_OVER = 0.02
#: So many weak detections are read beside faces, and of each look at a photo without any.
MOST_BESIDE, MOST_DOUBTFUL = 1, 1
#: The detector's score from which a weak detection is read in a photo without any face; beside
#: faces all that the detector hands on are.
LEAST_DOUBTFUL = 0.3
#: By how many quarters a photo is turned to the left for the last look: faces that lie on one side
#: stand upright there, those that lie on the other upside down.
TURN = 1
#: Face score from which a face is surely read the right way up. Where a photo shows no such face,
#: each is read upside down too, and is taken so if that is sure.
SURE_SCORE = 0.99
#: Intersection over union from which two faces are one.
DUPLICATE = 0.45

_Boxed = TypeVar("_Boxed", Detection, Face)


@dataclass(frozen=True)
class Looks:
    """Looks for faces with a detector, and at them with the keypoint CNN.

    min_score: face score, 0..1, under which a detection is no face.
    """

    predictor: KeypointPredictor
    detector: Detector
    min_score: float = MIN_SCORE

    def find(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """Faces of (H, W, 3) uint8 RGB photos. Weak signs of one, as profiles and lying faces have,
        are looked at closely; photos that show none at first are turned, too."""
        detector = self.detector
        if not isinstance(detector, EagerDetector):
            if isinstance(detector, BatchDetector):
                return self._look(images, detector.many(images))
            return self._look(images, [detector(image) for image in images])
        seen, least = detector.eagerly(images), detector.min_score
        faces = self._look(images, [[one for one in own if one.score >= least] for own in seen])
        weak = [[one for one in own if one.score < least] for own in seen]
        beside = [_beside(own, found) for own, found in zip(weak, faces, strict=True)]
        for found, more in zip(faces, self._look_beside(images, beside), strict=True):
            found += _beside(more, found)
            found.sort(key=lambda face: -face.score)
        empty = [
            place
            for place, found in enumerate(faces)
            if not found and any(one.score >= LEAST_DOUBTFUL for one in seen[place])
        ]
        if empty:
            photos = [images[place] for place in empty]
            lying = detector.eagerly(photos, TURN)
            doubtful = [
                _best(weak[place], least) + _best(turned, least)
                for place, turned in zip(empty, lying, strict=True)
            ]
            for place, own in zip(empty, self._look_closely(photos, doubtful), strict=True):
                faces[place] = own
        return faces

    def _look(
        self, images: Sequence[np.ndarray], found: Sequence[Sequence[Detection]]
    ) -> list[list[Face]]:
        """Faces among detections; where a photo shows no sure one, each is read upside down too."""
        detections, owners, photos = _flat(images, found)
        keypoints = read_detections(self.predictor, photos, detections)
        is_unsure = ~np.isin(owners, owners[keypoints.score >= SURE_SCORE])
        unsure = np.flatnonzero(is_unsure & (keypoints.score >= MIN_SCORE_OVER))
        if len(unsure):
            crops = upside_down(crops_of([detections[place] for place in unsure]))
            over = read_crops(self.predictor, [photos[i] for i in unsure], crops, MIN_SCORE_FIRST)
            turned = np.flatnonzero(over.score >= SURE_SCORE)
            keypoints.put(unsure[turned], over[turned])
        return _chosen(images, owners, keypoints, self.least_scores(detections))

    def _look_beside(
        self, images: Sequence[np.ndarray], found: Sequence[Sequence[Detection]]
    ) -> list[list[Face]]:
        """Faces among weak detections that have faces beside them."""
        detections, owners, photos = _flat(images, found)
        if not detections:
            return [[] for _ in images]
        crops = crops_of(detections)
        keypoints = read_crops(self.predictor, photos, crops, MIN_SCORE_FIRST)
        return _chosen(images, owners, keypoints, self.least_scores(detections, AGREEMENT_BESIDE))

    def _look_closely(
        self, images: Sequence[np.ndarray], found: Sequence[Sequence[Detection]]
    ) -> list[list[Face]]:
        """Faces among detections that are rarely any, either way up."""
        detections, owners, photos = _flat(images, found)
        crops = crops_of(detections)
        upright = read_crops(self.predictor, photos, crops, MIN_SCORE_FIRST)
        over = np.flatnonzero(upright.score >= MIN_SCORE_OVER)
        turned = upside_down(crops[over])
        photos = [photos[place] for place in over]
        keypoints = upright + read_crops(self.predictor, photos, turned, MIN_SCORE_FIRST)
        least = np.maximum(self.least_scores(detections), MIN_SCORE_TURNED)
        owners, least = (np.concatenate([own, own[over]]) for own in (owners, least))
        return _chosen(images, owners, keypoints, least)

    def least_scores(
        self, detections: Sequence[Detection], agreement: float = AGREEMENT
    ) -> np.ndarray:
        """(N,) face scores from which detections are faces: `min_score`, and more where a detector
        that knows its doubts is not sure; agreement: see `AGREEMENT`."""
        least = np.full(len(detections), self.min_score)
        if isinstance(self.detector, EagerDetector):
            scores = np.array([one.score for one in detections])
            least = np.maximum(least, least_face_score(scores, agreement=agreement))
        return least


def faces_of(keypoints: Keypoints, images: Sequence[np.ndarray]) -> list[Face]:
    """One `Face` for each of the keypoints' faces, each in its own photo."""
    confidence = keypoints.confidence()
    return [
        Face(
            box=landmark_box(points),
            score=float(keypoints.score[index]),
            points=points,
            confidence=confidence[index],
            pose=estimate_pose(points, image.shape[1::-1]),
        )
        for index, (points, image) in enumerate(zip(keypoints.points, images, strict=True))
    ]


def _best(found: list[Detection], least: float) -> list[Detection]:
    """Those of at least that score; of doubtful ones those that are among the first."""
    doubtful = [one for one in found[:MOST_DOUBTFUL] if LEAST_DOUBTFUL <= one.score < least]
    return [one for one in found if one.score >= least] + doubtful


def _beside(found: Sequence[_Boxed], faces: Sequence[Face]) -> list[_Boxed]:
    """The first `MOST_BESIDE` that have little in common with the faces, and are not much smaller
    than the largest; none without a face."""
    least = max((LEAST_BESIDE * face.box[2] * face.box[3] for face in faces), default=np.inf)
    large = [one for one in found if one.box[2] * one.box[3] >= least]
    apart = [one for one in large if all(inside(one.box, f.box) < BESIDE for f in faces)]
    return apart[:MOST_BESIDE]


def _flat(
    images: Sequence[np.ndarray], found: Sequence[Sequence[Detection]]
) -> tuple[list[Detection], np.ndarray, list[np.ndarray]]:
    """Detections of all photos, (N,) int64 whose they are, and the photo of each."""
    owners = np.repeat(np.arange(len(images)), [len(own) for own in found])
    return list(itertools.chain(*found)), owners, [images[owner] for owner in owners.tolist()]


def _chosen(
    images: Sequence[np.ndarray], owners: np.ndarray, keypoints: Keypoints, least: np.ndarray
) -> list[list[Face]]:
    """Of each photo the faces of at least these (N,) scores, the surest first. Of detections that
    led to the same face the surest stays."""
    faces = []
    for owner, image in enumerate(images):
        places = np.flatnonzero((owners == owner) & (keypoints.score >= least))
        own = keypoints[places]
        boxes = np.array([landmark_box(points) for points in own.points]).reshape(-1, 4)
        kept = own[np.array(strongest(boxes, own.score.tolist(), DUPLICATE), int)]
        faces.append(faces_of(kept, [image] * len(kept.score)))
    return faces
