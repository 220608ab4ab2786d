"""Face detectors: the protocol, the Haar cascade, and their names."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import cv2
import numpy as np

#: Names for `--detector` -> what a page calls them.
DETECTOR_TITLES = {"cnn": "Our CNN", "haar": "Haar cascades"}
DEFAULT_DETECTOR = "cnn"  # what `auto` stands for


@dataclass(frozen=True)
class Detection:
    """box: (4,) float64, x, y, width, height of the *landmark box*: as tight around the 68
    points as the detector can tell, in pixels of the photo. score: higher is surer; comparable
    within one detector only. points: (5, 2) float64 in `markup.five_points`' order, pixels of the
    photo, where the detector tells them.
    """

    box: np.ndarray
    score: float
    points: np.ndarray | None = None


class Detector(Protocol):
    """Finds faces in a photo."""

    name: str

    def __call__(self, image: np.ndarray) -> list[Detection]:
        """Faces of an (H, W, 3) uint8 RGB photo, surest first; empty where there is none."""
        ...


@runtime_checkable
class BatchDetector(Detector, Protocol):
    """A detector that is quicker on several photos together."""

    def many(self, images: Sequence[np.ndarray]) -> list[list[Detection]]:
        """As a call, for (H, W, 3) uint8 RGB photos of any sizes: a list for each."""
        ...


@runtime_checkable
class EagerDetector(Detector, Protocol):
    """A detector that can hand on what it usually keeps back, under `min_score`, as too weak."""

    min_score: float

    def eagerly(self, images: Sequence[np.ndarray], quarters: int = 0) -> list[list[Detection]]:
        """As `BatchDetector.many`, with weak detections; all of them have points.

        quarters: the photos are looked at turned to the left so often, at less detail. Boxes and
            points are those of the photos as they are: the points tell which way up a face is.
        """
        ...


@dataclass(frozen=True)
class HaarPass:
    """One search of a photo with one of OpenCV's cascades.

    cascade: file name without `haarcascade_` and `.xml`.
    side: longer side in pixels to which the photo is shrunk.
    min_face: smallest box looked for, pixels of the shrunk photo.
    step: factor from one box size to the next.
    neighbors: how many overlapping raw hits make a detection.
    mirrored: search the mirrored photo too (for cascades that know one side of the head).
    """

    cascade: str
    side: int
    min_face: int
    step: float
    neighbors: int = 2
    mirrored: bool = False


#: A look that takes 15 ms and is rarely wrong: frontal faces over a thirteenth of the photo.
QUICK = (HaarPass("frontalface_alt2", 320, 24, 1.15),)
#: Small faces, hard light, profiles: slower, with many false boxes for the CNN to throw out.
THOROUGH = (
    HaarPass("frontalface_default", 640, 20, 1.1),
    HaarPass("profileface", 400, 24, 1.15, mirrored=True),
)

#: Where the landmark box lies in a cascade's box, in shares of that box's side: centre x, centre
#: y (from the box's centre) and side. Medians over the training faces that the cascade finds, as
#: `python -m train.detector.haar_boxes` prints them; across, faces are symmetrical.
_LANDMARK_BOX = {
    "frontalface_alt2": (0.0, 0.15, 0.87),
    "frontalface_default": (0.0, 0.15, 0.87),
    "profileface": (0.0, 0.16, 0.78),
}


class HaarDetector:
    """OpenCV's Haar cascades (Viola and Jones, CVPR 2001), tuned for recall: the keypoint CNN's
    face score, not the cascade, throws out what is no face.

    A quick look comes first. Where it sees no face, or small ones only (there may be more of
    them), a thorough one follows.

    sufficient: the quick look is enough when it sees a face whose landmark box is at least this
        share of the photo's shorter side.
    """

    name = "haar"

    def __init__(
        self,
        quick: Sequence[HaarPass] = QUICK,
        thorough: Sequence[HaarPass] = THOROUGH,
        sufficient: float = 0.15,
    ):
        if not hasattr(cv2, "CascadeClassifier"):
            raise ImportError(
                "Haar cascades need OpenCV 4 (pip install 'opencv-python-headless<5'), "
                f"this is OpenCV {cv2.__version__}"
            )
        self.quick, self.thorough, self.sufficient = tuple(quick), tuple(thorough), sufficient
        # OpenCV's cascades keep scratch memory: each thread needs its own.
        self._cascades = threading.local()

    def __call__(self, image: np.ndarray) -> list[Detection]:
        """See `Detector`."""
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        found = self._detections(grey, self.quick)
        largest = max((detection.box[2] for detection in found), default=0.0)
        if largest < self.sufficient * min(grey.shape):
            found += self._detections(grey, self.thorough)
        return _merge(found)

    def search(self, grey: np.ndarray, look: HaarPass) -> tuple[np.ndarray, np.ndarray]:
        """The boxes of one cascade.

        Args:
            grey: (H, W) uint8.

        Returns:
            (N, 4) float64 x, y, width, height as the cascade means them, in pixels of `grey`,
            and (N,) float64 scores, higher is surer.
        """
        # Below 160 pixels a face of a third of the photo would be under the cascades' smallest.
        shrink = max(grey.shape) / min(look.side, max(160, max(grey.shape)))
        size = [max(1, round(side / shrink)) for side in grey.shape[::-1]]
        interpolation = cv2.INTER_AREA if shrink > 1 else cv2.INTER_LINEAR
        small = cv2.resize(grey, size, interpolation=interpolation)
        boxes, scores = self._run(look, small)
        if look.mirrored:
            more, more_scores = self._run(look, cv2.flip(small, 1))
            more[:, 0] = small.shape[1] - more[:, 0] - more[:, 2]
            boxes = np.concatenate([boxes, more])
            scores = np.concatenate([scores, more_scores])
        return boxes * shrink, scores

    def _detections(self, grey: np.ndarray, looks: Sequence[HaarPass]) -> list[Detection]:
        found = []
        for look in looks:
            dx, dy, scale = _LANDMARK_BOX[look.cascade]
            for (x, y, side, _), score in zip(*self.search(grey, look), strict=True):
                corner = (x + side * (0.5 + dx - scale / 2), y + side * (0.5 + dy - scale / 2))
                box = np.array([*corner, side * scale, side * scale])
                found.append(Detection(box, float(score)))
        return found

    def _run(self, look: HaarPass, grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        boxes, _, weights = self._cascade(look.cascade).detectMultiScale3(
            grey,
            scaleFactor=look.step,
            minNeighbors=look.neighbors,
            minSize=(look.min_face, look.min_face),
            outputRejectLevels=True,
        )
        return np.array(boxes, np.float64).reshape(-1, 4), np.ravel(weights).astype(np.float64)

    def _cascade(self, name: str) -> cv2.CascadeClassifier:
        loaded = self._cascades.__dict__
        if name not in loaded:
            folder = cv2.data.haarcascades  # type: ignore[attr-defined]
            loaded[name] = cv2.CascadeClassifier(f"{folder}haarcascade_{name}.xml")
            if loaded[name].empty():
                raise FileNotFoundError(f"OpenCV {cv2.__version__} has no cascade {name!r}")
        return loaded[name]


def strongest(boxes: np.ndarray, scores: Sequence[float], overlap: float) -> list[int]:
    """Non-maximum suppression: indices of the boxes that no surer box overlaps, surest first.

    Args:
        boxes: (N, 4) x, y, width, height. scores: N, higher is surer.
        overlap: intersection over union from which two boxes show the same face.
    """
    if not len(boxes):
        return []
    # NMSBoxes takes scores over its threshold only, and no threshold below 0.
    least = min(scores)
    positive = [score - least + 1.0 for score in scores]
    kept = cv2.dnn.NMSBoxes(boxes.astype(np.float64).tolist(), positive, 0.0, overlap)
    return sorted(kept, key=lambda index: -scores[index])  # it rounds them


def _merge(detections: list[Detection], overlap: float = 0.4) -> list[Detection]:
    """Keeps the surest of detections of the same face; surest first."""
    boxes = np.array([detection.box for detection in detections]).reshape(-1, 4)
    scores = [detection.score for detection in detections]
    return [detections[index] for index in strongest(boxes, scores, overlap)]
