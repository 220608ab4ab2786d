"""Faces for tests: the mean head in a known pose, seen by a known camera."""

from dataclasses import replace

import numpy as np

from facial_keypoints.face import Face, Pose
from facial_keypoints.geometry.mean_face import HEAD_POINTS
from facial_keypoints.geometry.pose import rotation_from_pose
from facial_keypoints.landmarks.markup import FLIP, NUM_POINTS

FRONTAL = Pose(0.0, 0.0, 0.0)


def head_points(
    pose: Pose, at: tuple[float, float], image_size: tuple[int, int], distance: float = 70.0
) -> np.ndarray:
    """(68, 2) float64: the mean head's points, its middle on the pixel `at`, `distance` cm away.

    The focal length is the photo's longer side. The head stands in `pose` against the camera's
    axes, not against the line of sight.
    """
    focal = float(max(image_size))
    middle = (np.array(image_size) - 1) / 2
    x, y = (np.array(at) - middle) / focal * distance
    head = HEAD_POINTS - HEAD_POINTS.mean(axis=0)
    head = head @ rotation_from_pose(pose).T + np.array([x, y, distance])
    return head[:, :2] / head[:, 2:] * focal + middle


def make_face(
    at: tuple[float, float] = (100.0, 100.0),
    width: float = 100.0,
    pose: Pose = FRONTAL,
    confidence: float = 0.9,
) -> Face:
    """A face whose ears are `width` pixels apart when frontal, seen from afar."""
    head = (HEAD_POINTS - HEAD_POINTS.mean(axis=0)) @ rotation_from_pose(pose).T
    points = head[:, :2] * width / np.ptp(HEAD_POINTS[:, 0]) + at
    low, high = points.min(axis=0), points.max(axis=0)
    side = (high - low).max()
    box = np.array([*((low + high - side) / 2), side, side], np.float32)
    return Face(
        box, 0.98, points.astype(np.float32), np.full(NUM_POINTS, confidence, np.float32), pose
    )


def scaled(face: Face, factor: float) -> Face:
    """The same face in the photo enlarged by `factor`."""
    x, y, w, h = face.box
    box = np.array([(x + 0.5) * factor - 0.5, (y + 0.5) * factor - 0.5, w * factor, h * factor])
    return replace(face, box=box.astype(np.float32), points=(face.points + 0.5) * factor - 0.5)


def mirrored(face: Face, photo_width: int) -> Face:
    """The same face in the photo mirrored left to right."""
    x, y, w, h = face.box
    points = face.points[FLIP].copy()
    points[:, 0] = photo_width - 1 - points[:, 0]
    pose = face.pose and Pose(-face.pose.yaw, face.pose.pitch, -face.pose.roll)
    box = np.array([photo_width - 1 - x - w, y, w, h], np.float32)
    return replace(face, box=box, points=points, confidence=face.confidence[FLIP], pose=pose)


def noise_photo(width: int, height: int, seed: int = 0) -> np.ndarray:
    """(height, width, 3) uint8: every pixel its own colour, so that any change shows."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
