"""A photo in, faces out: 68 keypoints, confidence and head pose of each face.

from facial_keypoints import FacialKeypoints

fk = FacialKeypoints.load()
faces = fk(image)  # (H, W, 3) uint8 RGB array or PIL image -> list[Face]
"""

from .detectors import Detection, Detector, HaarDetector
from .drawing import DrawStyle, draw_faces
from .face import Face, Pose
from .filters import apply_filters
from .pipeline import FacialKeypoints

__all__ = [
    "Detection",
    "Detector",
    "DrawStyle",
    "Face",
    "FacialKeypoints",
    "HaarDetector",
    "Pose",
    "apply_filters",
    "draw_faces",
]
