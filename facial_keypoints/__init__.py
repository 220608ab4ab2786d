"""A photo in, faces out: 68 keypoints, confidence and head pose of each face.

from facial_keypoints import FacialKeypoints

fk = FacialKeypoints.load()
faces = fk(image)  # (H, W, 3) uint8 RGB array or PIL image -> list[Face]
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facial_keypoints.detection.cnn import CnnDetector
    from facial_keypoints.detection.detectors import Detection, Detector, HaarDetector
    from facial_keypoints.drawing.faces import DrawStyle, draw_faces
    from facial_keypoints.drawing.filters import apply_filters
    from facial_keypoints.face import Face, Pose
    from facial_keypoints.pipeline import FacialKeypoints
    from facial_keypoints.video.track import TrackedFace
    from facial_keypoints.video.tracker import Tracker

#: Public name -> its module, imported when the name is first asked for: torch takes seconds, and
#: the page is up before it.
_HOMES = {
    "CnnDetector": "detection.cnn",
    "Detection": "detection.detectors",
    "Detector": "detection.detectors",
    "DrawStyle": "drawing.faces",
    "Face": "face",
    "FacialKeypoints": "pipeline",
    "HaarDetector": "detection.detectors",
    "Pose": "face",
    "TrackedFace": "video.track",
    "Tracker": "video.tracker",
    "apply_filters": "drawing.filters",
    "draw_faces": "drawing.faces",
}

__all__ = [
    "CnnDetector",
    "Detection",
    "Detector",
    "DrawStyle",
    "Face",
    "FacialKeypoints",
    "HaarDetector",
    "Pose",
    "TrackedFace",
    "Tracker",
    "apply_filters",
    "draw_faces",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
