"""A photo in, faces out: 68 keypoints, confidence and head pose of each face.

from facial_keypoints import FacialKeypoints

fk = FacialKeypoints.load()
faces = fk(image)  # (H, W, 3) uint8 RGB array or PIL image -> list[Face]
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cnn_detector import CnnDetector
    from .detectors import Detection, Detector, HaarDetector
    from .drawing import DrawStyle, draw_faces
    from .face import Face, Pose
    from .filters import apply_filters
    from .pipeline import FacialKeypoints
    from .track import TrackedFace
    from .tracking import Tracker

#: Public name -> its module, imported when the name is first asked for: torch takes seconds, and
#: the page is up before it.
_HOMES = {
    "CnnDetector": "cnn_detector",
    "Detection": "detectors",
    "Detector": "detectors",
    "DrawStyle": "drawing",
    "Face": "face",
    "FacialKeypoints": "pipeline",
    "HaarDetector": "detectors",
    "Pose": "face",
    "TrackedFace": "track",
    "Tracker": "tracking",
    "apply_filters": "filters",
    "draw_faces": "drawing",
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
