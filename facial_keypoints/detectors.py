"""Face detectors, all behind one small protocol."""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import torch
from torchvision.ops import nms


@dataclass(frozen=True)
class Detection:
    """box: (4,) float64, x, y, width, height of the *landmark box*: as tight around the 68
    points as the detector can tell, in pixels of the photo. score: higher is surer; comparable
    within one detector only.
    """

    box: np.ndarray
    score: float


class Detector(Protocol):
    """Finds faces in a photo."""

    name: str

    def __call__(self, image: np.ndarray) -> list[Detection]:
        """Faces of an (H, W, 3) uint8 RGB photo, surest first; empty where there is none."""
        ...


#: Where the landmark box lies in a box of OpenCV's cascades, in shares of that box's side:
#: centre x, centre y (from the box's centre) and side. Medians over the labelled training faces
#: that the cascades find: `python -m train.haar_boxes`.
_LANDMARK_BOX = {"frontal": (0.0, 0.15, 0.87), "profile": (0.0, 0.16, 0.78)}


class HaarDetector:
    """OpenCV's Haar cascades (Viola and Jones, CVPR 2001): frontal, and profile both ways.

    Tuned for recall: the keypoint CNN's face score, not the cascade, throws out what is no face.

    max_side: photos are shrunk to this longer side first; what is smaller than `min_face` of
        the shorter side of that is not looked for.
    """

    name = "haar"

    def __init__(self, max_side: int = 640, min_face: int = 20, profiles: bool = True):
        if not hasattr(cv2, "CascadeClassifier"):
            raise ImportError(
                f"Haar cascades need opencv-python 4 (pip install 'opencv-python<5'), "
                f"this is OpenCV {cv2.__version__}"
            )
        self.max_side, self.min_face, self.profiles = max_side, min_face, profiles
        self._frontal = _cascade("haarcascade_frontalface_default.xml")
        self._profile = _cascade("haarcascade_profileface.xml")

    def __call__(self, image: np.ndarray) -> list[Detection]:
        """See `Detector`."""
        return _merge(self._detections(image))

    def raw_boxes(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """The cascades' own boxes, (N, 4) float64 each, in pixels of the photo."""
        return {kind: boxes for kind, boxes, _ in self._search(image)}

    def _detections(self, image: np.ndarray) -> list[Detection]:
        found = []
        for kind, boxes, scores in self._search(image):
            dx, dy, scale = _LANDMARK_BOX[kind]
            for (x, y, side, _), score in zip(boxes, scores, strict=True):
                corner = (x + side * (0.5 + dx - scale / 2), y + side * (0.5 + dy - scale / 2))
                box = np.array([*corner, side * scale, side * scale])
                found.append(Detection(box, float(score)))
        return found

    def _search(self, image: np.ndarray) -> list[tuple[str, np.ndarray, np.ndarray]]:
        """Kind, (N, 4) boxes in pixels of the photo, and (N,) scores of each cascade."""
        grey, shrink = self._prepare(image)
        boxes, scores = self._run(self._frontal, grey)
        found = [("frontal", boxes * shrink, scores)]
        if self.profiles:
            # The profile cascade knows faces that look to the photo's left: mirror for the rest.
            boxes, scores = self._run(self._profile, grey)
            mirrored, more_scores = self._run(self._profile, cv2.flip(grey, 1))
            mirrored[:, 0] = grey.shape[1] - mirrored[:, 0] - mirrored[:, 2]
            both = np.concatenate([boxes, mirrored]) * shrink
            found.append(("profile", both, np.concatenate([scores, more_scores])))
        return found

    def _prepare(self, image: np.ndarray) -> tuple[np.ndarray, float]:
        """The photo in grey, its contrast spread, and how many times it was shrunk."""
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        shrink = max(1.0, max(grey.shape) / self.max_side)
        if shrink > 1:
            size = (max(1, round(grey.shape[1] / shrink)), max(1, round(grey.shape[0] / shrink)))
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        return cv2.equalizeHist(grey), shrink

    def _run(
        self, cascade: cv2.CascadeClassifier, grey: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        boxes, _, weights = cascade.detectMultiScale3(
            grey,
            scaleFactor=1.1,
            minNeighbors=2,
            minSize=(self.min_face, self.min_face),
            outputRejectLevels=True,
        )
        return np.array(boxes, np.float64).reshape(-1, 4), np.ravel(weights).astype(np.float64)


def _cascade(name: str) -> cv2.CascadeClassifier:
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + name)
    if cascade.empty():
        raise FileNotFoundError(f"OpenCV {cv2.__version__} has no cascade file {name}")
    return cascade


def _merge(detections: list[Detection], overlap: float = 0.4) -> list[Detection]:
    """Keeps the surest of detections of the same face; surest first."""
    if not detections:
        return []
    boxes = torch.tensor(np.array([d.box for d in detections]), dtype=torch.float32)
    corners = torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], dim=1)
    scores = torch.tensor([d.score for d in detections], dtype=torch.float32)
    return [detections[i] for i in nms(corners, scores, overlap).tolist()]
