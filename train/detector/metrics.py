"""Recall, precision and average precision of face boxes, by size of face."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torchvision.ops import box_convert, box_iou

from facial_keypoints.detection.detectors import Detection
from train.detector.data import Scene, teacher_boxes

#: Intersection over union from which a box is right.
OVERLAP = 0.5
#: The same with a face that does not count, from which a box is neither right nor wrong.
IGNORED_OVERLAP = 0.3


@dataclass(frozen=True)
class Matches:
    """scores: (P,) float64 of the boxes that count. right: (P,) bool. faces: to be found."""

    scores: np.ndarray
    right: np.ndarray
    faces: int

    def average_precision(self) -> float:
        """Area under precision over recall, precision taken as the best at or beyond a recall."""
        if not self.faces:
            return float("nan")
        order = np.argsort(-self.scores, kind="stable")
        found = np.cumsum(self.right[order])
        precision = found / np.arange(1, len(order) + 1)
        best = np.maximum.accumulate(precision[::-1])[::-1]
        return float((best * self.right[order]).sum() / self.faces)

    def recall(self, threshold: float = -np.inf) -> float:
        """Share of the faces found by boxes of at least that score."""
        return float((self.right & (self.scores >= threshold)).sum() / max(1, self.faces))

    def precision(self, threshold: float = -np.inf) -> float:
        """Share of right ones among the boxes of at least that score; 1 where there is none."""
        kept = self.scores >= threshold
        return float(self.right[kept].mean()) if kept.any() else 1.0


def together(parts: Sequence[Matches]) -> Matches:
    """The matches of several photos as one."""
    return Matches(
        np.concatenate([np.zeros(0), *(part.scores for part in parts)]),
        np.concatenate([np.zeros(0, bool), *(part.right for part in parts)]),
        sum(part.faces for part in parts),
    )


def match(
    detections: Sequence[Detection],
    boxes: np.ndarray,
    ignored: np.ndarray,
    sides: tuple[float, float] = (0.0, np.inf),
) -> Matches:
    """Matches a photo's detections, the surest first, with its faces, each once.

    Args:
        boxes: (N, 4) x, y, width, height. ignored: (N,) bool: these may be found or not.
        sides: the range of faces that count, by the root of the area; others are ignored, and so
            are unmatched detections out of the range.
    """
    side = np.sqrt(boxes[:, 2] * boxes[:, 3])
    counts = ~ignored & (side >= sides[0]) & (side < sides[1])
    free = counts.copy()
    scores, right = [], []
    detections = sorted(detections, key=lambda found: -found.score)
    found_boxes = np.array([detection.box for detection in detections]).reshape(-1, 4)
    for detection, overlap in zip(detections, all_overlaps(found_boxes, boxes), strict=True):
        best = np.where(free, overlap, 0.0)
        if best.max(initial=0.0) >= OVERLAP:
            free[best.argmax()] = False
            scores.append(detection.score)
            right.append(True)
            continue
        own = np.sqrt(detection.box[2] * detection.box[3])
        elsewhere = overlap[~counts].max(initial=0.0) >= IGNORED_OVERLAP
        if not elsewhere and sides[0] <= own < sides[1]:
            scores.append(detection.score)
            right.append(False)
    return Matches(np.array(scores, np.float64), np.array(right, bool), int(counts.sum()))


def match_scene(
    detections: Sequence[Detection], scene: Scene, sides: tuple[float, float] = (0.0, np.inf)
) -> Matches:
    """`match` in the teacher's boxes, whose sides are the faces' sizes."""
    as_teacher = [Detection(teacher_boxes(d.box[None])[0], d.score) for d in detections]
    return match(as_teacher, teacher_boxes(scene.boxes), scene.doubtful, sides)


def overlaps(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(N,) intersection over union of a box (4,) with (N, 4); all x, y, width, height."""
    return all_overlaps(box[None], boxes)[0]


def all_overlaps(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(M, N) intersection over union of (M, 4) boxes with (N, 4); all x, y, width, height."""
    corners = (
        box_convert(torch.tensor(part, dtype=torch.float64), "xywh", "xyxy")
        for part in (some, others)
    )
    return box_iou(*corners).numpy()
