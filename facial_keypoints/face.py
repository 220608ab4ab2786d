"""`Face`: the pipeline's result for one face."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Pose:
    """Head pose in degrees; (0, 0, 0) looks straight into an upright camera.

    yaw: positive when the person turns towards their own left (the photo's right side).
    pitch: positive when the person looks up.
    roll: positive when the head tilts clockwise as the viewer sees it, the person's left
        ear going down.
    """

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True)
class Face:
    """One face. Coordinates are pixels of the upright photo, origin top left, pixel centres
    at whole numbers.

    box: (4,) float32, x, y, width, height of the upright box around the 68 points;
        it may reach over the photo's border.
    score: 0..1, probability that this is a face, from the keypoint CNN.
    points: (68, 2) float32, x and y in iBUG / 300-W order; may lie outside the photo.
    confidence: (68,) float32, 0..1 per point: the probability, under the CNN's own learned
        error distribution, that the point is within 5 % of the outer-eye-corner distance.
    pose: head pose, or None where the points admit none.
    """

    box: np.ndarray
    score: float
    points: np.ndarray
    confidence: np.ndarray
    pose: Pose | None

    def to_dict(self) -> dict[str, Any]:
        """The face as JSON-ready lists and numbers, as the public contract spells it."""
        pose = self.pose
        return {
            "box": [round(float(v), 2) for v in self.box],
            "score": round(float(self.score), 4),
            "points": [[round(float(x), 2), round(float(y), 2)] for x, y in self.points],
            "confidence": [round(float(c), 3) for c in self.confidence],
            "pose": None
            if pose is None
            else {
                "yaw": round(pose.yaw, 1),
                "pitch": round(pose.pitch, 1),
                "roll": round(pose.roll, 1),
            },
        }
